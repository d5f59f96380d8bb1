"""Round-trip time and retransmission timeout (RFC 6298)."""

from __future__ import annotations

from typing import Final

from netsim.core.time import MICROSECOND, SECOND
from netsim.stack.tcp.settings import TcpSettings

_LOST_SYN_RTO: Final = 3 * SECOND


class RoundTrip:
    """SRTT, RTTVAR and RTO of one connection, in ns."""

    __slots__ = ("_maximum", "_minimum", "latest", "least", "smoothed", "timeout", "variation")

    def __init__(self, settings: TcpSettings) -> None:
        self._minimum = settings.min_rto_ns
        self._maximum = settings.max_rto_ns
        self.latest = 0
        """The last sample; 0 before the first."""
        self.least = 0
        """The smallest sample; 0 before the first."""
        self.smoothed = 0
        """SRTT; 0 before the first sample."""
        self.variation = 0
        self.timeout = settings.initial_rto_ns
        """RTO, backed off where it was."""

    def sample(self, elapsed: int) -> None:
        """Take one measurement, never of a segment that was sent twice (Karn's algorithm)."""
        # A path without delay would otherwise count as never measured.
        self.latest = elapsed = max(elapsed, MICROSECOND)
        if elapsed < self.least or not self.least:
            self.least = elapsed
        if self.smoothed:
            error = elapsed - self.smoothed
            self.variation += (abs(error) - self.variation) // 4  # (2.3)
            self.smoothed += error // 8
        else:
            self.smoothed = elapsed  # (2.2)
            self.variation = elapsed // 2
        # The floor is under the variation as in Linux, not under the sum: a steady path of
        # 190 ms would otherwise time out at the first delayed acknowledgement.
        spread = 4 * self.variation
        if spread < self._minimum:
            spread = self._minimum
        timeout = self.smoothed + spread
        self.timeout = timeout if timeout < self._maximum else self._maximum  # (2.5)

    def back_off(self) -> None:
        """(5.5)"""
        self.timeout = min(2 * self.timeout, self._maximum)

    def backed_off(self, times: int) -> int:
        """The interval before a window probe that follows `times` others: it doubles
        (RFC 9293 3.8.6.1)."""
        return min(self.timeout << min(times, 16), self._maximum)

    def is_longest(self, times: int) -> bool:
        """Whether what `backed_off` says grows no more."""
        return self.backed_off(times) >= self._maximum

    def handshake_was_not_measured(self) -> None:
        """(5.7): a SYN was lost, and until there is a sample data waits three seconds."""
        self.timeout = _LOST_SYN_RTO
