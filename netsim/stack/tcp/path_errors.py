"""ICMP errors about our segments (RFC 9293 3.9.2.2, RFC 5461, RFC 5927, RFC 1191)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from netsim.stack.tcp import handshake, retransmission
from netsim.stack.tcp.seq import unwrap
from netsim.stack.tcp.state import SYNCHRONIZED, State
from netsim.wire.icmp import (
    ADMINISTRATIVELY_PROHIBITED,
    DESTINATION_UNREACHABLE,
    FRAGMENTATION_NEEDED,
    HOST_UNREACHABLE,
    NETWORK_UNREACHABLE,
    PARAMETER_PROBLEM,
    PORT_UNREACHABLE,
    PROTOCOL_UNREACHABLE,
    TIME_EXCEEDED,
)

if TYPE_CHECKING:
    from netsim.stack.tcp.connection import Connection

_LEAST_MTU: Final = 68
"""Of IPv4 (RFC 791)."""
_PLATEAUS: Final = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, _LEAST_MTU)
"""What to try next when a router does not tell its MTU (RFC 1191 7.1)."""
_SEQUENCE: Final = slice(4, 8)
_ERRNO_OF_CODE: Final = {
    NETWORK_UNREACHABLE: errno.ENETUNREACH,
    HOST_UNREACHABLE: errno.EHOSTUNREACH,
    PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    PORT_UNREACHABLE: errno.ECONNREFUSED,
    6: errno.ENETUNREACH,  # destination network unknown
    9: errno.ENETUNREACH,  # network administratively prohibited
    11: errno.ENETUNREACH,  # network unreachable for type of service
    ADMINISTRATIVELY_PROHIBITED: errno.EHOSTUNREACH,
}
"""Of "destination unreachable", as Linux maps them; every other code is EHOSTUNREACH."""


def icmp_error_arrives(
    connection: Connection,
    segment_head: bytes,
    kind: int,
    code: int,
    next_hop_mtu: int,
    now: int,
) -> None:
    """`segment_head` is what the error quotes of our segment, at least eight octets."""
    sender = connection.sender
    sequence = unwrap(int.from_bytes(segment_head[_SEQUENCE], "big"), sender.nxt)
    # RFC 5927 4.1: it must be about something outstanding. A probe repeats what is older by one.
    if not sender.una - 1 <= sequence < sender.nxt:
        connection.shared.counters.icmp_out_of_window += 1
        return
    if kind == DESTINATION_UNREACHABLE and code == FRAGMENTATION_NEEDED:
        _path_mtu_shrank(connection, next_hop_mtu, now)
        return
    if kind == DESTINATION_UNREACHABLE:
        error = _ERRNO_OF_CODE.get(code, errno.EHOSTUNREACH)
    elif kind == TIME_EXCEEDED:
        error = errno.EHOSTUNREACH
    elif kind == PARAMETER_PROBLEM:
        error = errno.EPROTO
    else:
        return
    if connection.state is State.SYN_SENT and kind == DESTINATION_UNREACHABLE:
        # RFC 1122 4.2.3.9 would have most of these retried until the SYN times out; every
        # system in use gives the caller an answer instead (RFC 5461 4.1).
        connection.fail(error)
    else:
        # No error ends a connection that works, not even a "hard" one: RFC 5927 5.2.
        connection.soft_error = error


def _path_mtu_shrank(connection: Connection, next_hop_mtu: int, now: int) -> None:
    """Send in smaller segments what was too large. The MTU only ever shrinks here: a larger one
    than before is old news, or a lie (RFC 5927 7)."""
    if connection.state not in SYNCHRONIZED:
        return
    mtu = handshake.path_mtu(connection)
    if not next_hop_mtu:
        next_hop_mtu = next((plateau for plateau in _PLATEAUS if plateau < mtu), _LEAST_MTU)
    if _LEAST_MTU <= next_hop_mtu < mtu:
        connection.path_mtu = next_hop_mtu
    # Perhaps the IP layer had taken note before, so that nothing is new but to us.
    mss = handshake.segment_size(connection)
    if mss < connection.sender.mss:
        retransmission.lower_mss(connection.sender, mss, now)
