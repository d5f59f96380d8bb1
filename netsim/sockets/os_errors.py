"""Errors in the words of the operating system, as asyncio programs expect them."""

from __future__ import annotations

import errno
import os

from netsim.stack.socket_errors import SocketError
from netsim.wire import icmp

_UNREACHABLE = {
    icmp.NETWORK_UNREACHABLE: errno.ENETUNREACH,
    icmp.HOST_UNREACHABLE: errno.EHOSTUNREACH,
    icmp.PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    icmp.PORT_UNREACHABLE: errno.ECONNREFUSED,
    icmp.FRAGMENTATION_NEEDED: errno.EMSGSIZE,
    icmp.ADMINISTRATIVELY_PROHIBITED: errno.EHOSTUNREACH,
}


def system_error(number: int) -> OSError:
    """The exception that a system call raises for an errno."""
    return OSError(number, os.strerror(number))


def bind_error(number: int, address: tuple[str, int]) -> OSError:
    """asyncio's exception for an address that cannot be bound."""
    reason = os.strerror(number).lower()
    return OSError(number, f"error while attempting to bind on address {address!r}: {reason}")


def of_stack(error: SocketError) -> OSError:
    """The exception that a system call raises where the stack raises `error`."""
    return system_error(error.errno)


def of_icmp(message: icmp.IcmpMessage) -> OSError | None:
    """What a kernel reports for an ICMP error; None when it keeps it to itself.

    RFC 1122 4.2.3.9, Linux net/ipv4/icmp.c.
    """
    if message.type == icmp.DESTINATION_UNREACHABLE:
        return system_error(_UNREACHABLE.get(message.code, errno.EHOSTUNREACH))
    if message.type == icmp.TIME_EXCEEDED:
        return system_error(errno.EHOSTUNREACH)
    if message.type == icmp.PARAMETER_PROBLEM:
        return system_error(errno.EPROTO)
    return None
