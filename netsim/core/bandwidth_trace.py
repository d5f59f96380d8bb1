"""A bandwidth that varies as it was recorded: a trace in the format of Mahimahi.

Its file has a line for each opportunity to deliver: whole ms from the beginning, never falling. An
opportunity carries 1500 bytes of IP packets, and is lost when nothing waits for it. At the time of
its last line the trace begins again (mahimahi's mm-link).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netsim.core.attribute import attribute
from netsim.core.errors import UnitError
from netsim.core.units import Quantity

OPPORTUNITY_OCTETS: Final = 1500
"""Of IP packets, without their Ethernet headers."""


def _parse_file(written: object) -> str:
    if isinstance(written, str) and written and "\0" not in written:
        return written
    raise UnitError(f"`{written}` is no path of a trace; write for example `cellular.mahi`")


TRACE_FILE: Final = Quantity(
    "FILE", _parse_file, str, {"type": "string", "minLength": 1, "examples": ["cellular.mahi"]}
)


@dataclass(frozen=True, slots=True)
class BandwidthTrace:
    """A bandwidth that varies as a trace in Mahimahi's format says, again and again."""

    file: str = attribute(
        "file", TRACE_FILE, "Its path, relative to this file.", example="cellular.mahi"
    )
    opportunities_ms: tuple[int, ...] = ()
    """When packets may be delivered, ms from the beginning; the last is above 0, and the period.
    None until the file has been read."""

    @property
    def mean_bps(self) -> float:
        """bit/s of IP packets over a period."""
        octets = OPPORTUNITY_OCTETS * len(self.opportunities_ms)
        return octets * 8 * 1000 / self.opportunities_ms[-1]
