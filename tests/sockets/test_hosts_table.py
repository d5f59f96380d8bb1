"""Names: what resolves to which address, and back."""

from __future__ import annotations

import socket

import pytest
from virtual_computers import World, world

from netsim.sockets.hosts_table import HostsTable

__all__ = ["world"]

WEB = bytes([10, 0, 3, 10])
TABLE = HostsTable({"web": WEB, "web.campus.test": WEB, "Files": bytes([10, 0, 3, 11])})


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("web", WEB),
        ("WEB", WEB),
        ("web.campus.test", WEB),
        ("Web.Campus.Test.", WEB),
        (b"web", WEB),
        ("files", bytes([10, 0, 3, 11])),
        ("10.9.8.7", bytes([10, 9, 8, 7])),
        ("localhost", bytes([127, 0, 0, 1])),
        (None, bytes([127, 0, 0, 1])),
        ("", bytes([127, 0, 0, 1])),
    ],
)
def test_names_that_resolve(name: str | bytes | None, address: bytes) -> None:
    assert TABLE.resolve(name) == address


@pytest.mark.parametrize("name", ["wbe", "web.campus", "campus.test", "web..", "10.0.0.256", "."])
def test_unknown_names(name: str) -> None:
    with pytest.raises(socket.gaierror) as caught:
        TABLE.resolve(name)
    assert caught.value.errno == socket.EAI_NONAME
    assert caught.value.strerror == "Name or service not known"


def test_servers_may_leave_the_address_out() -> None:
    for everything in (None, "", "0.0.0.0", "::"):
        assert TABLE.resolve(everything, passive=True) == bytes(4)


def test_ipv6_is_not_there_yet() -> None:
    with pytest.raises(socket.gaierror, match="Address family"):
        TABLE.resolve("fd00::1")
    with pytest.raises(socket.gaierror, match="Address family"):
        TABLE.getaddrinfo("web", 80, socket.AF_INET6, 0, 0, 0)


def test_address_info_has_the_form_of_the_system_call() -> None:
    assert TABLE.getaddrinfo("web", "http", 0, socket.SOCK_STREAM, 0, 0) == [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.3.10", 80))
    ]
    kinds = [entry[1] for entry in TABLE.getaddrinfo("web", None, 0, 0, 0, 0)]
    assert kinds == [socket.SOCK_STREAM, socket.SOCK_DGRAM]
    with pytest.raises(socket.gaierror) as caught:
        TABLE.getaddrinfo("web", "no-such-service", 0, 0, 0, 0)
    assert caught.value.errno == socket.EAI_SERVICE
    with pytest.raises(socket.gaierror) as caught:
        TABLE.getaddrinfo("web", 80, 0, socket.SOCK_STREAM, socket.IPPROTO_UDP, 0)
    assert caught.value.errno == socket.EAI_SOCKTYPE


def test_addresses_back_to_names() -> None:
    assert TABLE.getnameinfo(("10.0.3.10", 80), 0) == ("web", "http")
    numbers = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert TABLE.getnameinfo(("10.0.3.10", 80), numbers) == ("10.0.3.10", "80")
    assert TABLE.getnameinfo(("10.0.3.77", 49999), 0) == ("10.0.3.77", "49999")
    assert TABLE.getnameinfo(("127.0.0.1", 80), 0) == ("localhost", "http")
    with pytest.raises(socket.gaierror):
        TABLE.getnameinfo(("10.0.3.77", 80), socket.NI_NAMEREQD)


def test_a_loop_resolves_through_its_own_table(world: World) -> None:
    async def look_up() -> None:
        found = await world.loop("alice").getaddrinfo("web.test.test", 80)
        address = found[0][4]
        assert await world.loop("alice").getnameinfo(address) == ("web", "http")

    world.run("alice", look_up())
