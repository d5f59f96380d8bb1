"""What may be written for the order in which tasks run that are ready at one instant."""

from __future__ import annotations

import re
from typing import Final

FIFO: Final = "fifo"
RANDOM: Final = "random"
EXHAUSTIVE: Final = "exhaustive"
DEFAULT_DEPTH: Final = 3

UNDRAWN: Final = "the `order` of the file is drawn in virtual time only: here it is asyncio's"
"""What is told of a network in real time."""

_PCT: Final = re.compile(r"pct(?::([1-9][0-9]?))?")


def parse_order(written: object) -> str:
    """The order of one run: `fifo`, `random`, `pct:3`; ValueError says what to write."""
    if written in (FIFO, RANDOM):
        return str(written)
    match = _PCT.fullmatch(written) if isinstance(written, str) else None
    if match is not None:
        return f"pct:{match[1] or DEFAULT_DEPTH}"
    if written == EXHAUSTIVE:
        raise ValueError(
            "`exhaustive` takes many runs; write it in a scenario or as `netsim test --order "
            "exhaustive`, and here `random` or `pct:3`"
        )
    raise ValueError(f"`{written}` is no order of tasks; write `fifo`, `random` or `pct:3`")


def parse_search_order(written: object) -> str:
    """As `parse_order`, for whoever makes many runs: also `exhaustive`."""
    if written == EXHAUSTIVE:
        return EXHAUSTIVE
    try:
        return parse_order(written)
    except ValueError:
        raise ValueError(
            f"`{written}` is no order of tasks; write `fifo`, `random`, `pct:3` or `exhaustive`"
        ) from None


def pct_depth(order: str) -> int | None:
    """The depth in `pct:3`; None where it is another order."""
    match = _PCT.fullmatch(order)
    return None if match is None else int(match[1] or DEFAULT_DEPTH)
