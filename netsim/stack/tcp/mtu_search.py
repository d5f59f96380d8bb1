"""Black holes: a path that swallows large packets and tells nobody (RFC 2923 2.1, RFC 4821).

When nothing of a full segment arrives time after time, it is tried in smaller ones, as Linux does
with `tcp_mtu_probing=1`. What was taken for a black hole may have been a link that was down, so
as soon as segments arrive again a larger one is sent among them: it is new data, and if it alone
is lost the path takes no more than before (RFC 4821 7).
"""

from __future__ import annotations

from typing import Final

from netsim.core.time import SECOND

RETRIES: Final = 3
"""Unanswered retransmissions after which size is suspected (Linux: tcp_retries1)."""
STEPS: Final = (1024, 500)
"""Octets of data to go down to (Linux: tcp_base_mss and half of it). With all options that is a
packet of 552 octets, which netsim's IP does not go below either."""
PAUSE: Final = 600 * SECOND
"""Before another search when one has ended (Linux: tcp_probe_interval)."""
_PRECISION: Final = 8
"""Octets that are not worth another probe (Linux: tcp_probe_threshold)."""


class MtuSearch:
    """What is known about the size of segments that arrive; sizes are octets of data."""

    __slots__ = ("_end", "_start", "ceiling", "due", "high", "low")

    def __init__(self, low: int, ceiling: int) -> None:
        self.low = low
        """Arrives, or is all that is left to try."""
        self.high = ceiling
        """Nothing larger arrives."""
        self.ceiling = ceiling
        """What the ends agreed on."""
        self.due = 0
        """When to probe next."""
        self._start = self._end = -1
        """Of the probe on its way."""

    def next_size(self, now: int) -> int | None:
        """Octets of the probe to send now. The first one is as large as they once were: it was
        perhaps no black hole at all."""
        if self._end >= 0 or now < self.due:
            return None
        if self.high - self.low <= _PRECISION:
            self.high = self.ceiling
        return self.high if self.high == self.ceiling else (self.low + self.high + 1) // 2

    def sent(self, start: int, end: int) -> None:
        """A probe has left."""
        self._start, self._end = start, end

    def lost(self, una: int, now: int) -> bool:
        """A loss was detected: whether it is the probe that is missing. If something before it
        is, its fate will tell nothing."""
        start, end = self._start, self._end
        self._start = self._end = -1
        if end < 0 or una != start:
            return False
        self.high = end - start - 1
        self._rest_if_done(now)
        return True

    def acknowledged(self, una: int, now: int) -> bool:
        """Whether the probe has arrived."""
        if not 0 <= self._end <= una:
            return False
        self.low = self._end - self._start
        self._start = self._end = -1
        self._rest_if_done(now)
        return True

    def _rest_if_done(self, now: int) -> None:
        if self.high - self.low <= _PRECISION:
            self.due = now + PAUSE
