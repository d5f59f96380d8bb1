"""The interfaces of a computer: if_nameindex(3) and its like, and getifaddrs(3).

Python has no function for addresses of interfaces. Libraries that need them (ifaddr, on which
aioice, aiortc and zeroconf stand) call the C library's through ctypes, and are answered there.
"""

from __future__ import annotations

import _socket
import ctypes
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.sockets.caller import machine_of_caller
from netsim.sockets.packet_info import LOOPBACK_INDEX, index_of
from netsim.stack.host import Host
from netsim.wire.address import IpAddress

_LOOPBACK: Final = "lo", bytes((127, 0, 0, 1)), 8, None
_UP, _BROADCAST, _IS_LOOPBACK, _RUNNING = 0x1, 0x2, 0x8, 0x40
"""Flags of netdevice(7)."""


def _indices(host: Host) -> dict[str, int]:
    return {"lo": LOOPBACK_INDEX} | {each.name: index_of(each) for each in host.interfaces}


def _if_nameindex(host: Host) -> list[tuple[int, str]]:
    return [(index, name) for name, index in _indices(host).items()]


def _if_nametoindex(host: Host, name: str | bytes) -> int | None:
    return _indices(host).get(os.fsdecode(name))


def _if_indextoname(host: Host, index: int) -> str | None:
    return next((name for name, number in _indices(host).items() if number == index), None)


class _Entry(ctypes.Structure):
    """struct ifaddrs."""

    _fields_ = (
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("flags", ctypes.c_uint),
        ("address", ctypes.c_void_p),
        ("netmask", ctypes.c_void_p),
        ("broadcast", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
    )


_given: Final[dict[int, list[Any]]] = {}
"""Lists that programs have, by the address of their first entry, until they free them."""


def _getifaddrs(host: Host, memory: Any) -> int:
    """`memory` is where the address of the first entry goes."""
    found: list[tuple[str, IpAddress, int, IpAddress | None, int]] = [
        (*_LOOPBACK, _UP | _IS_LOOPBACK | _RUNNING)
    ]
    for interface in host.interfaces:
        flags = _BROADCAST | (_UP | _RUNNING if interface.up else _UP)
        for each in interface.addresses:
            place = each.address, each.prefix_length, each.broadcast
            found.append((interface.name, *place, flags))
    entries: list[Any] = []
    kept: list[Any] = [entries]
    for name, address, length, broadcast, flags in reversed(found):
        netmask = (0xFFFFFFFF << 32 - length & 0xFFFFFFFF).to_bytes(4, "big")
        given = [each for each in (address, netmask, broadcast) if each is not None]
        places = [_socket_address(each) for each in given]
        following = ctypes.addressof(entries[-1]) if entries else None
        entries.append(_Entry(following, name.encode(), flags, *map(ctypes.addressof, places)))
        kept.append(places)
    first = ctypes.addressof(entries[-1])
    _given[first] = kept
    ctypes.cast(memory, ctypes.POINTER(ctypes.c_void_p))[0] = first
    return 0


def _socket_address(address: IpAddress) -> Any:
    """struct sockaddr_in."""
    return ctypes.create_string_buffer(struct.pack("=H2x4s8x", socket.AF_INET, address), 16)


class _CLibrary:
    """What is called by its name through ctypes."""

    def __init__(self) -> None:
        self._look_up = ctypes.CDLL.__getattr__

    def install(self) -> None:
        """From now on; a library that has called it before has the kernel's."""
        look_up = self._look_up

        def getattr_of_library(library: ctypes.CDLL, name: str) -> Any:
            machine = machine_of_caller()
            if machine is not None and name == "getifaddrs":
                host = machine.host
                return lambda memory: _getifaddrs(host, memory)
            if machine is not None and name == "freeifaddrs":
                return _free
            return look_up(library, name)

        ctypes.CDLL.__getattr__ = getattr_of_library  # type: ignore[method-assign]

    def uninstall(self) -> None:
        """Put back exactly what was."""
        ctypes.CDLL.__getattr__ = self._look_up  # type: ignore[method-assign]


def _free(first: Any) -> None:
    _given.pop(ctypes.cast(first, ctypes.c_void_p).value or 0, None)


def interface_calls() -> list[Replacement]:
    """The exchange."""
    return [
        _replacement(_socket.if_nameindex, _if_nameindex),
        _replacement(_socket.if_nametoindex, _if_nametoindex, nobody=""),
        _replacement(_socket.if_indextoname, _if_indextoname, nobody=0),
        _CLibrary(),
    ]


def _replacement(
    builtin: Any, ours: Callable[..., Any], nobody: str | int | None = None
) -> FunctionReplacement:
    """`nobody` is what no machine has: where ours is None either, the kernel says so of that."""

    def call(*args: Any) -> Any:
        machine = machine_of_caller()
        if machine is None:
            return replacement.original(*args)
        found = ours(machine.host, *args)
        return replacement.original(nobody) if found is None else found

    replacement = FunctionReplacement(builtin, call)
    return replacement
