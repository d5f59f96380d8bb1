"""Sequence numbers: 32 bits on the wire, plain growing integers everywhere else.

RFC 9293 3.4 compares numbers modulo 2^32. Here a number is unwrapped once, where a segment
comes in, to the integer nearest to one that is known; inside, `<` is `<`. A connection starts
at its initial sequence number and counts on past 2^32.
"""

from __future__ import annotations

from typing import Final

MASK: Final = 0xFFFFFFFF
HALF: Final = 0x80000000


def unwrap(wire: int, near: int) -> int:
    """The integer that is `wire` modulo 2^32 and nearest to `near` (may be negative)."""
    return near + ((wire - near + HALF) & MASK) - HALF


def is_older(value: int, than: int) -> bool:
    """Whether one 32-bit timestamp lies before another (RFC 7323 5.2: signed difference)."""
    return (value - than) & MASK >= HALF
