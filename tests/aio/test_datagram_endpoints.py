"""UDP as asyncio programs use it."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest
from virtual_computers import ComputerLoop, World, world

from netsim.aio.datagram import DatagramTransport
from netsim.wire.address import format_ip

__all__ = ["world"]

Address = tuple[str, int]


class Datagrams(asyncio.DatagramProtocol):
    """Keeps what comes; answers in capitals where it is told to."""

    def __init__(self, answers: bool = False) -> None:
        self.answers = answers
        self.received: list[tuple[bytes, Address]] = []
        self.errors: list[OSError] = []
        self.lost = False
        self.changed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.append((data, addr))
        if self.answers:
            self.transport.sendto(data.upper(), addr)
        self.changed.set()

    def error_received(self, exc: Exception) -> None:
        assert isinstance(exc, OSError)
        self.errors.append(exc)
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.lost = True

    async def change(self) -> None:
        self.changed.clear()
        await self.changed.wait()


async def endpoint(loop: ComputerLoop, **arguments: Any) -> tuple[DatagramTransport, Datagrams]:
    answers = arguments.pop("answers", False)
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Datagrams(answers), **arguments
    )
    assert isinstance(protocol, Datagrams)
    return transport, protocol


def test_datagrams_both_ways(world: World) -> None:
    alice, web = world.loop("alice"), world.loop("web")
    _, server = world.run("web", endpoint(web, local_addr=("0.0.0.0", 53), answers=True))
    web_address, alice_address = (format_ip(world.plan.hosts[name]) for name in ("web", "alice"))

    async def ask() -> None:
        transport, client = await endpoint(alice, remote_addr=("web", 53))
        assert transport.get_extra_info("peername") == (web_address, 53)
        address, port = transport.get_extra_info("sockname")
        assert address == alice_address
        assert transport.get_extra_info("socket").type == socket.SOCK_DGRAM
        transport.sendto(b"hello")
        transport.sendto(b"", (web_address, 53))
        await client.change()
        await client.change()
        assert client.received == [(b"HELLO", (web_address, 53)), (b"", (web_address, 53))]
        assert server.received == [(b"hello", (alice_address, port)), (b"", (alice_address, port))]
        with pytest.raises(ValueError, match="must be None or"):
            transport.sendto(b"elsewhere", (alice_address, 53))
        with pytest.raises(TypeError, match="not 'str'"):
            transport.sendto("text")
        transport.close()
        assert transport.is_closing()
        assert not client.lost
        await asyncio.sleep(0)
        assert client.lost
        transport.sendto(b"too late")

    world.run("alice", ask())


def test_one_endpoint_for_many_peers(world: World) -> None:
    web_address = format_ip(world.plan.hosts["web"])
    for port in (53, 54):
        world.run("web", endpoint(world.loop("web"), local_addr=("web", port), answers=True))

    async def ask() -> None:
        transport, client = await endpoint(world.loop("alice"), local_addr=("0.0.0.0", 0))
        transport.sendto(b"by address", (web_address, 53))
        transport.sendto(b"by name", ("web", 54))
        while len(client.received) < 2:
            await client.change()
        assert sorted(client.received) == [
            (b"BY ADDRESS", (web_address, 53)),
            (b"BY NAME", (web_address, 54)),
        ]
        transport.sendto(b"nowhere", ("wbe", 53))
        assert [type(error) for error in client.errors] == [socket.gaierror]

    world.run("alice", ask())


def test_what_is_not_there_is_refused_in_words(world: World) -> None:
    """Groups and IPv6: nothing would ever come, and a program would wait for it."""
    alice = world.loop("alice")

    async def ask() -> None:
        transport, _ = await endpoint(alice, local_addr=("0.0.0.0", 5353))
        sock = transport.get_extra_info("socket")
        membership = socket.inet_aton("224.0.0.251") + socket.inet_aton("0.0.0.0")
        with pytest.raises(OSError, match="no multicast groups") as caught:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        assert caught.value.errno == errno.EAFNOSUPPORT
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        for level in (socket.IPPROTO_IPV6, socket.IPPROTO_TCP, 99):
            with pytest.raises(OSError, match="not available") as caught:
                sock.setsockopt(level, 1, 1)
            assert caught.value.errno == errno.ENOPROTOOPT
        with pytest.raises(OSError, match="not supported") as caught:
            await endpoint(alice, family=socket.AF_INET6)
        assert caught.value.errno == errno.EAFNOSUPPORT

    world.run("alice", ask())


def test_a_connected_endpoint_hears_that_nobody_listens(world: World) -> None:
    async def ask() -> None:
        transport, client = await endpoint(world.loop("alice"), remote_addr=("web", 53))
        transport.sendto(b"anybody?")
        await client.change()
        assert [error.errno for error in client.errors] == [errno.ECONNREFUSED]
        assert isinstance(client.errors[0], ConnectionRefusedError)
        # One that is not connected cannot be told whom it is about: as on Linux, it hears nothing.
        transport, other = await endpoint(world.loop("alice"), local_addr=("0.0.0.0", 0))
        transport.sendto(b"anybody?", ("web", 53))
        await asyncio.sleep(1)
        assert other.errors == []

    world.run("alice", ask())


def test_a_host_that_is_not_there(world: World) -> None:
    neighbour = format_ip(world.plan.hosts["web"][:3] + bytes([77]))

    async def ask() -> None:
        transport, client = await endpoint(world.loop("alice"), remote_addr=(neighbour, 53))
        transport.sendto(b"anybody?")
        await client.change()
        assert [error.errno for error in client.errors] == [errno.EHOSTUNREACH]

    world.run("alice", ask())


def test_errors_of_sending(world: World) -> None:
    async def ask() -> None:
        alice = world.loop("alice")
        transport, client = await endpoint(alice, local_addr=("0.0.0.0", 0))
        transport.sendto(b"x" * 70_000, ("web", 53))
        transport.sendto(b"to whom?")
        alice.host.install_routes([])
        transport.sendto(b"no way", ("web", 53))
        codes = [error.errno for error in client.errors]
        assert codes == [errno.EMSGSIZE, errno.EDESTADDRREQ, errno.ENETUNREACH]
        with pytest.raises(OSError, match="unreachable") as caught:
            await endpoint(alice, remote_addr=("web", 53))
        assert caught.value.errno == errno.ENETUNREACH

    world.run("alice", ask())


def test_ports_that_cannot_be_had(world: World) -> None:
    async def bind() -> None:
        web = world.loop("web")
        transport, _ = await endpoint(web, local_addr=("0.0.0.0", 53))
        with pytest.raises(OSError, match="in use") as caught:
            await endpoint(web, local_addr=("web", 53))
        assert caught.value.errno == errno.EADDRINUSE
        transport.close()
        await endpoint(web, local_addr=("web", 53))
        with pytest.raises(OSError, match="assign") as caught:
            await endpoint(web, local_addr=("alice", 54))
        assert caught.value.errno == errno.EADDRNOTAVAIL
        with socket.socket() as sock, pytest.raises(ValueError, match="datagram socket"):
            await endpoint(web, sock=sock)

    world.run("web", bind())


def test_a_protocol_that_fails_loses_one_datagram(world: World) -> None:
    class Failing(Datagrams):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            if data == b"bad":
                raise ArithmeticError("a bug")

    async def serve() -> Datagrams:
        _, protocol = await world.loop("web").create_datagram_endpoint(
            Failing, local_addr=("web", 53)
        )
        assert isinstance(protocol, Failing)
        return protocol

    server = world.run("web", serve())

    async def send() -> None:
        transport, _ = await endpoint(world.loop("alice"), remote_addr=("web", 53))
        for text in (b"good", b"bad", b"good again"):
            transport.sendto(text)
        await asyncio.sleep(1)

    world.run("alice", send())
    assert [data for data, _ in server.received] == [b"good", b"bad", b"good again"]
    assert [type(each["exception"]) for each in world.problems] == [ArithmeticError]
    world.problems.clear()
