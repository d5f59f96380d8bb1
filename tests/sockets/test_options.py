"""Options and addresses of sockets, as on the kernel's loopback."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from plans import plan_of
from socket_dialogues import DATAGRAM, STREAM, Notes, bound, held_to_the_kernel, new, outcome
from virtual_computers import World, settle, world

__all__ = ["world"]


async def options(notes: Notes) -> None:
    sock = new()
    for level, option in (
        (socket.SOL_SOCKET, socket.SO_TYPE),
        (socket.SOL_SOCKET, socket.SO_DOMAIN),
        (socket.SOL_SOCKET, socket.SO_PROTOCOL),
        (socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        (socket.IPPROTO_IP, socket.IP_TTL),
    ):
        notes.append((option, sock.getsockopt(level, option)))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
    notes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    linger = struct.pack("ii", 1, 3)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    notes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    notes.append(outcome(sock.setsockopt, socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"no such"))
    notes.append(outcome(sock.setsockopt, socket.IPPROTO_UDP, 1, 1))
    device = socket.SOL_SOCKET, socket.SO_BINDTODEVICE
    for value in (b"no such", b"no such\0", 1, b""):
        notes.append((outcome(sock.setsockopt, *device, value), sock.getsockopt(*device, 16)))
    sock.close()


async def options_that_are_not_there(notes: Notes) -> None:
    levels = (socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_TCP, socket.IPPROTO_UDP)
    for kind in (STREAM, DATAGRAM):
        sock = new(kind)
        for level in (*levels, socket.IPPROTO_IPV6, 999):
            for option in (0, 110, 250, 1000):
                notes.append(outcome(sock.setsockopt, level, option, 1))
                notes.append(outcome(sock.getsockopt, level, option))
        for option in (socket.SO_TYPE, socket.SO_ERROR, socket.SO_ACCEPTCONN, socket.SO_DOMAIN):
            notes.append(outcome(sock.setsockopt, socket.SOL_SOCKET, option, 1))
        sock.close()


async def values_of_options(notes: Notes) -> None:
    sock = new()
    for value in (1, b"", b"\1", b"\1\0\0", b"\1\0\0\0", bytes(100)):
        for level, option in (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.SOL_SOCKET, socket.SO_LINGER),
            (socket.SOL_SOCKET, socket.SO_RCVTIMEO),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        ):
            notes.append((level, option, value, outcome(sock.setsockopt, level, option, value)))
            notes.append(sock.getsockopt(level, option))
    for place, values in (
        ((socket.IPPROTO_IP, socket.IP_TTL), (-2, 0, 1, 255, 256, -1)),
        ((socket.IPPROTO_TCP, socket.TCP_MAXSEG), (1, 87, 88, 32_767, 32_768)),
        ((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), (-1, 0, 1, 32_767, 32_768)),
        ((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), (-1, 0, 1, 32_767, 32_768)),
        ((socket.IPPROTO_TCP, socket.TCP_KEEPCNT), (-1, 0, 1, 127, 128)),
    ):
        notes.append([outcome(sock.setsockopt, *place, value) for value in values])
    notes.append(outcome(sock.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, None, 4))
    notes.append(outcome(sock.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, None, 2))
    sock.close()


async def addresses_that_are_none(notes: Notes) -> None:
    sock = new()
    for address in ((5, 80), (None, 80), ("127.0.0.1", "80"), ("127.0.0.1", 70_000), ["a", 1]):
        for call in (sock.connect, sock.bind):
            with pytest.raises((TypeError, OverflowError)) as refused:
                call(address)  # type: ignore[arg-type]
            notes.append((type(refused.value), str(refused.value)))
    sock.close()


async def datagrams_that_are_cut(notes: Notes) -> None:
    here, there = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
    for _ in range(5):
        here.sendto(b"0123456789", there.getsockname())
    await settle()
    buffer = bytearray(4)
    flags = socket.MSG_TRUNC
    notes.append((there.recv_into(buffer), there.recv_into(buffer, 0, flags), bytes(buffer)))
    notes.append(there.recvfrom_into(buffer, 2, flags | socket.MSG_PEEK)[0])
    notes.append(there.recvmsg_into([buffer[:2], buffer], 0, flags)[:3])
    notes.append(there.recvmsg_into([bytearray(20)], 0, flags)[:3])
    notes.append(there.recvmsg(3)[:3])
    here.close()
    there.close()


test_as_the_kernel = held_to_the_kernel(
    options,
    options_that_are_not_there,
    values_of_options,
    addresses_that_are_none,
    datagrams_that_are_cut,
)


def test_a_socket_is_bound_to_a_device_where_there_is_one() -> None:
    world = World(plan_of("r1 web", "alice s1", "s1 web"))
    device = socket.SOL_SOCKET, socket.SO_BINDTODEVICE

    async def bind(name: bytes) -> tuple[Any, bytes]:
        with new(DATAGRAM) as sock:
            return outcome(sock.setsockopt, *device, name), sock.getsockopt(*device, 16)

    assert world.run("alice", bind(b"eth0")) == (None, b"eth0\0")
    assert world.run("web", bind(b"eth2")) == ("ENODEV", b"")
    for name in (b"eth1", b"lo"):
        refused, kept = world.run("web", bind(name))
        assert "bind() to the address" in refused
        assert kept == b""
    world.close()


@pytest.mark.parametrize("option", [socket.IPV6_JOIN_GROUP, 27, 42, 46])
def test_no_socket_joins_a_group(world: World, option: int) -> None:
    """IPV6_JOIN_ANYCAST, MCAST_JOIN_GROUP and MCAST_JOIN_SOURCE_GROUP are ways to, as well."""

    async def join() -> Any:
        with socket.socket(socket.AF_INET6, DATAGRAM) as sock:
            return outcome(sock.setsockopt, socket.IPPROTO_IPV6, option, bytes(20))

    assert "the simulated network has no multicast groups" in world.run("alice", join())
