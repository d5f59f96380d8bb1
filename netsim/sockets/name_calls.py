"""The resolver's functions, for programs on a computer: answers come from its hosts table.

The functions in C are exchanged, so that what a program imported by name, and `getfqdn` and
`create_connection`, which stand on them, follow.
"""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.sockets.caller import machine_of_caller
from netsim.sockets.hosts_table import HostsTable
from netsim.wire.address import format_ip

_HOST_NOT_FOUND: Final = 1
"""h_errno of resolver(3)."""


def _getaddrinfo(
    table: HostsTable,
    host: Any,
    port: Any,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[Any]:
    return list(table.getaddrinfo(host, port, family, type, proto, flags))


def _gethostbyname(table: HostsTable, name: Any) -> str:
    return format_ip(table.resolve(_text(name), passive=True))


def _gethostbyname_ex(table: HostsTable, name: Any) -> tuple[str, list[str], list[str]]:
    return _text(name), [], [_gethostbyname(table, name)]


def _gethostbyaddr(table: HostsTable, name: Any) -> tuple[str, list[str], list[str]]:
    address = table.resolve(_text(name), passive=True)
    found = table.name_of(address)
    if found is None:
        raise socket.herror(_HOST_NOT_FOUND, "Unknown host")
    return found, [], [format_ip(address)]


def _getnameinfo(table: HostsTable, place: Any, flags: int) -> tuple[str, str]:
    if not isinstance(place, tuple):
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    return table.getnameinfo(place, flags)


def _text(name: Any) -> str:
    text = name.decode("ascii") if isinstance(name, bytes | bytearray) else name
    if not isinstance(text, str):
        raise TypeError(f"expected str, bytes or bytearray, not {type(name).__name__}")
    return text


def name_calls() -> list[Replacement]:
    """The exchange: programs on computers ask the hosts table."""
    return [
        _replacement(_socket.getaddrinfo, _getaddrinfo),
        _replacement(_socket.gethostbyname, _gethostbyname),
        _replacement(_socket.gethostbyname_ex, _gethostbyname_ex),
        _replacement(_socket.gethostbyaddr, _gethostbyaddr),
        _replacement(_socket.getnameinfo, _getnameinfo),
    ]


def _replacement(builtin: Any, ours: Callable[..., Any]) -> FunctionReplacement:
    def call(*args: Any, **kwargs: Any) -> Any:
        machine = machine_of_caller()
        if machine is None:
            return replacement.original(*args, **kwargs)
        return ours(machine.hosts_table, *args, **kwargs)

    replacement = FunctionReplacement(builtin, call)
    return replacement
