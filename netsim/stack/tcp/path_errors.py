"""ICMP errors about our segments (RFC 9293 3.9.2.2, RFC 5461, RFC 5927, RFC 1191)."""

from __future__ import annotations

import errno
from typing import Final

from netsim.stack.tcp import retransmission
from netsim.stack.tcp.connection import Connection
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
) -> bool:
    """`segment_head` is what the error quotes of our segment, at least eight octets. Whether it
    is about something outstanding, and so to be believed."""
    sender = connection.sender
    sequence = unwrap(int.from_bytes(segment_head[_SEQUENCE], "big"), sender.nxt)
    # RFC 5927 4.1: it must be about something outstanding. A probe repeats what is older by one.
    if not sender.una - 1 <= sequence < sender.nxt:
        connection.shared.counters.icmp_out_of_window += 1
        return False
    if kind == DESTINATION_UNREACHABLE and code == FRAGMENTATION_NEEDED:
        # IP takes note of the MTU, and `path_changed` follows.
        return True
    if kind == DESTINATION_UNREACHABLE:
        error = _ERRNO_OF_CODE.get(code, errno.EHOSTUNREACH)
    elif kind == TIME_EXCEEDED:
        error = errno.EHOSTUNREACH
    elif kind == PARAMETER_PROBLEM:
        error = errno.EPROTO
    else:
        return True
    if connection.state is State.SYN_SENT and kind == DESTINATION_UNREACHABLE:
        # RFC 1122 4.2.3.9 would have most of these retried until the SYN times out; every
        # system in use gives the caller an answer instead (RFC 5461 4.1).
        connection.fail(error)
    else:
        # No error ends a connection that works, not even a "hard" one: RFC 5927 5.2.
        connection.soft_error = error
    return True


def path_changed(connection: Connection, now: int) -> None:
    """IP knows another MTU of the path: smaller segments, and what was too large at once, or
    larger ones from now on (RFC 1191 6.4)."""
    sender = connection.sender
    if connection.state not in SYNCHRONIZED:
        return
    if sender.search is not None:
        # It is a path that tells, after all.
        sender.search = None
    mss = connection.segment_size()
    if mss < sender.mss:
        retransmission.lower_mss(sender, mss, now)
    elif mss > sender.mss:
        sender.set_mss(mss)
