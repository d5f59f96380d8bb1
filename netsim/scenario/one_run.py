"""What is said of a sweep in which nothing was drawn, so that all its seeds are one run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netsim.core.link_attributes import LinkAttributes
from netsim.core.units import format_duration

_WITHOUT_BANDWIDTH: Final = 20_000
"""ns that a computer may well take for a packet, where no link makes packets wait."""
_DIGITS: Final = 2


def host_jitter_worth_writing(links: Iterable[LinkAttributes]) -> str:
    """About the time of a full packet on the slowest link, for example `1.2ms`.

    A queue there gives and takes one packet in that time, so that less hardly changes who finds it
    full.
    """
    times = [each.packet_time_ns or 0 for each in links]
    longest = max(times, default=0) or _WITHOUT_BANDWIDTH
    return format_duration(round(longest, _DIGITS - len(str(longest))))


def one_run_notice(count: int, how_to_draw: str, jitter: str) -> str:
    """All of `count` seeds were one run; `jitter` is a `host_jitter` with which they would not."""
    return (
        f"all {count} seeds are one run: packets of the same lengths came at the same times; write "
        f"{how_to_draw} or `host_jitter: {jitter}` in the topology, so that seeds differ"
    )
