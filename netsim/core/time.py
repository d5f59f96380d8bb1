"""Network time: integer nanoseconds since the network started.

Nothing below `aio/` reads a clock: `now` is an argument, in these units.
"""

from __future__ import annotations

from typing import Final

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
