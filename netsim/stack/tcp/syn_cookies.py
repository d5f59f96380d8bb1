"""SYN cookies (RFC 4987 3.6): a listener whose table of half-open connections is full answers SYNs
without keeping anything; what it has to know later stands in the numbers that come back.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
| minute  | MSS |  hash of addresses, ports, numbers, minute    |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Options that the peer offered are kept in the low bits of our timestamp, as in Linux; without
timestamps there are none.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from netsim.core.time import SECOND
from netsim.stack.tcp.isn import SequenceNumbers
from netsim.wire.tcp import TcpSegment

LIFETIME: Final = 120 * SECOND
"""Network time in ns for which cookies may come back after the last was given out."""
_PERIOD: Final = 60 * SECOND
_SIZES: Final = (88, 536, 1024, 1220, 1300, 1440, 1460, 8960)
"""Maximum segment sizes that can be said; the next smaller is taken."""
_NO_SCALE: Final = 15
_SACK: Final = 16
_OPTION_BITS: Final = 63


def make(numbers: SequenceNumbers, endpoints: bytes, irs: int, mss: int, now: int) -> int:
    """The initial sequence number for the answer to a SYN with number `irs`."""
    size = max(bisect_right(_SIZES, mss) - 1, 0)
    return _cookie(numbers, endpoints, irs, size, now // _PERIOD)


def mss_of(
    numbers: SequenceNumbers, endpoints: bytes, irs: int, cookie: int, now: int
) -> int | None:
    """The MSS that is said by a cookie which came back; None if it is none, or too old."""
    size = cookie >> 24 & 7
    for minute in (now // _PERIOD, now // _PERIOD - 1):
        if cookie == _cookie(numbers, endpoints, irs, size, minute):
            return _SIZES[size]
    return None


def _cookie(numbers: SequenceNumbers, endpoints: bytes, irs: int, size: int, minute: int) -> int:
    said = b"%b%b%b%b" % (
        endpoints,
        irs.to_bytes(4, "big"),
        bytes((size,)),
        (minute & 0xFFFFFFFF).to_bytes(4, "big"),
    )
    return (minute & 31) << 27 | size << 24 | numbers.cookie(said) & 0xFFFFFF


def stamp(clock: int, syn: TcpSegment) -> int:
    """Our timestamp, at most `clock`, with what `syn` offered in its low bits."""
    scale = _NO_SCALE if syn.window_scale is None else min(syn.window_scale, 14)
    bits = scale | _SACK * syn.sack_permitted
    value = clock & ~_OPTION_BITS | bits
    return (value if value <= clock else value - _OPTION_BITS - 1) & 0xFFFFFFFF


def offered_syn(acknowledgement: TcpSegment, mss: int) -> TcpSegment:
    """The SYN that must have come before this, as far as the cookie tells."""
    syn = TcpSegment(
        acknowledgement.source_port,
        acknowledgement.destination_port,
        acknowledgement.sequence - 1 & 0xFFFFFFFF,
        0,
        0,
        acknowledgement.window,
        mss=mss,
    )
    if acknowledgement.timestamp is not None:
        bits = acknowledgement.timestamp_echo & _OPTION_BITS
        syn.timestamp = acknowledgement.timestamp
        syn.sack_permitted = bool(bits & _SACK)
        scale = bits & _NO_SCALE
        syn.window_scale = None if scale == _NO_SCALE else scale
    return syn
