"""What ICMP errors mean to a program, in the system's terms (RFC 1122 4.2.3.9, Linux icmp.c)."""

from __future__ import annotations

import errno

from netsim.wire import icmp

_UNREACHABLE = {
    icmp.NETWORK_UNREACHABLE: errno.ENETUNREACH,
    icmp.HOST_UNREACHABLE: errno.EHOSTUNREACH,
    icmp.PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    icmp.PORT_UNREACHABLE: errno.ECONNREFUSED,
    icmp.FRAGMENTATION_NEEDED: errno.EMSGSIZE,
    icmp.ADMINISTRATIVELY_PROHIBITED: errno.EHOSTUNREACH,
}


def errno_of_icmp(message: icmp.IcmpMessage) -> int | None:
    """The errno a kernel reports for an ICMP error; None when it keeps it to itself."""
    if message.type == icmp.DESTINATION_UNREACHABLE:
        return _UNREACHABLE.get(message.code, errno.EHOSTUNREACH)
    if message.type == icmp.TIME_EXCEEDED:
        return errno.EHOSTUNREACH
    return None
