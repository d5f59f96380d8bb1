"""What a computer's programs are told of its interfaces; the kernel's programs of the machine's."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
from typing import Any

import pytest
from plans import plan_of
from virtual_computers import World, world

__all__ = ["world"]

IP_PKTINFO = 8
BROADCAST = 2  # of netdevice(7): the address of it is there


class Entry(ctypes.Structure):
    """The beginning of struct ifaddrs."""


Pointer = ctypes.POINTER(Entry)
Entry._fields_ = [
    ("next", Pointer),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
    ("broadcast", ctypes.c_void_p),
]


def addresses() -> list[tuple[str, ...]]:
    """Interface, address, mask and broadcast, of IPv4, as libraries ask for them."""
    library = ctypes.CDLL(None)
    first = entry = Pointer()
    assert library.getifaddrs(ctypes.byref(first)) == 0
    found = []
    while entry:
        it = entry.contents
        if it.address and ctypes.c_ushort.from_address(it.address).value == socket.AF_INET:
            pointers = [it.address, it.netmask, *([it.broadcast] if it.flags & BROADCAST else [])]
            places = (ctypes.string_at(each + 4, 4) for each in pointers)
            found.append((it.name.decode(), *map(socket.inet_ntoa, places)))
        entry = it.next
    library.freeifaddrs(first)
    return found


async def asked() -> list[Any]:
    found: list[Any] = [socket.if_nameindex(), addresses()]
    return [*found, *map(socket.if_nametoindex, ("lo", "eth0")), socket.if_indextoname(2)]


def test_interfaces_are_the_computers(world: World) -> None:
    machines = addresses()
    indices = [(1, "lo"), (2, "eth0")]
    for name, address in (("alice", "10.0.1.10"), ("web", "10.0.2.10")):
        rest = "255.255.255.0", address.replace(".10", ".255")
        found, told, *single = world.run(name, asked())
        assert found == indices
        assert told == [("lo", "127.0.0.1", "255.0.0.0"), ("eth0", address, *rest)]
        assert single == [1, 2, "eth0"]
    assert addresses() == machines
    assert ("lo", "127.0.0.1", "255.0.0.0") in machines


def test_where_a_broadcast_came_in_is_told() -> None:
    """IP_PKTINFO: the interface, our address there, and the one in the packet."""
    world = World(plan_of("r1 web", "alice s1", "s1 web"))
    udp = socket.AF_INET, socket.SOCK_DGRAM

    async def serve() -> bytes:
        with socket.socket(*udp) as sock:
            sock.bind(("", 67))
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            _, ((_, _, told),), *_ = await asyncio.to_thread(sock.recvmsg, 10, 100)
            return told

    async def ask() -> None:
        with socket.socket(*udp) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.sendto(b"x", ("255.255.255.255", 67))

    serving = world.start("web", serve())
    world.run("alice", ask())
    world.run_for(1)
    assert struct.unpack("=i4s4s", serving.result()) == (
        3,
        world.plan.node("web").interfaces[1].address,
        b"\xff" * 4,
    )
    world.close()


async def refused() -> list[str]:
    told = []
    with pytest.raises(OSError) as caught:
        socket.if_nametoindex("no such")
    told.append(f"{caught.value.errno} {caught.value}")
    with pytest.raises(OSError) as caught:
        socket.if_indextoname(999)
    told.append(f"{caught.value.errno} {caught.value}")
    return told


def test_what_is_not_there_is_refused_as_by_the_kernel(world: World) -> None:
    assert world.run("alice", refused()) == asyncio.run(refused())
