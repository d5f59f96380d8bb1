"""The transmitter of a link whose bandwidth is a trace of delivery opportunities."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from netsim.core.bandwidth_trace import OPPORTUNITY_OCTETS, BandwidthTrace
from netsim.core.time import MILLISECOND

_NOWHERE: Final = -1


class DeliveryOpportunities:
    """When a packet has been delivered: octet by octet, as mahimahi's LinkQueue does.

    A packet may take several opportunities, and several packets one; what is left of an opportunity
    when nothing waits is lost. The trace began at 0 of network time.
    """

    __slots__ = ("_at", "_cycle", "_index", "_left", "_period", "_times", "trace")

    def __init__(self, trace: BandwidthTrace) -> None:
        self.trace = trace
        self._times = trace.opportunities_ms
        self._period = self._times[-1]
        self._cycle = 0
        self._index = 0
        self._at = _NOWHERE
        """ns: the time of the opportunity that is used up now."""
        self._left = 0
        """Octets that it can still carry."""

    def serialise(self, octets: int, departs_at: int) -> int:
        """When the last of so many octets has left, if the first may at `departs_at`; ns."""
        if departs_at != self._at:
            self._seek(departs_at)
        while octets > self._left:
            octets -= self._left
            self._next()
        self._left -= octets
        return self._at

    def _seek(self, time: int) -> None:
        """To the first opportunity that is not before `time`."""
        elapsed = -(-time // MILLISECOND)
        # The last opportunity of a period is where the next one begins.
        self._cycle = max(elapsed - 1, 0) // self._period
        self._index = bisect_left(self._times, elapsed - self._cycle * self._period) - 1
        self._next()

    def _next(self) -> None:
        self._index += 1
        if self._index == len(self._times):
            self._index = 0
            self._cycle += 1
        self._at = (self._cycle * self._period + self._times[self._index]) * MILLISECOND
        self._left = OPPORTUNITY_OCTETS
