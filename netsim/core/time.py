"""Network time: integer nanoseconds since the network started.

Nothing below `aio/` reads a clock: `now` is an argument, in these units.
"""

from __future__ import annotations

from typing import Final, Literal

Time = Literal["real", "virtual"]
"""Which a network runs in: as the clock on the wall, or jumping to whatever happens next."""

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000


def nanoseconds(seconds: float) -> int:
    """A duration, rounded up; OverflowError where it has no end, ValueError where it is NaN."""
    numerator, denominator = float(seconds).as_integer_ratio()
    return -(-numerator * SECOND // denominator)
