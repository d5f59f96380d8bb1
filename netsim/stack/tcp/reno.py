"""Reno: slow start and additive increase, multiplicative decrease (RFC 5681, RFC 3465)."""

from __future__ import annotations

from typing import Final

from netsim.stack.tcp.rtt import RoundTrip

UNLIMITED: Final = 1 << 62
"""ssthresh before the first loss: "arbitrarily high" (RFC 5681 3.1)."""


class Reno:
    """A `CongestionControl`; NewReno's part in it (RFC 6582) is in `recovery.py`."""

    __slots__ = ("_after_timeout", "_counted", "_initial", "_mss", "threshold", "window")

    def __init__(self, mss: int, initial_window: int, round_trip: RoundTrip) -> None:
        self._mss = mss
        self._initial = initial_window
        self.window = initial_window
        self.threshold = UNLIMITED
        self._counted = 0
        """Octets acknowledged since the window last grew in congestion avoidance."""
        self._after_timeout = False

    def set_segment_size(self, mss: int) -> None:
        """Windows stay what they are in bytes, but never less than a segment."""
        self._mss = mss
        self.window = max(self.window, mss)

    def acknowledged(self, octets: int, in_flight: int, is_limiting: bool, now: int) -> None:
        window = self.window
        if window < self.threshold:
            if not is_limiting:
                return
            # RFC 3465 2.2 and 2.3: up to two segments an acknowledgement, as a receiver that
            # delays them acknowledges two at once; one while a timeout is being repaired.
            most = self._mss if self._after_timeout else 2 * self._mss
            self.window = min(window + min(octets, most), max(self.threshold, window))
            return
        self._after_timeout = False
        if not is_limiting:
            return
        self._counted += octets
        if self._counted >= window:  # RFC 5681 3.1, one segment a round trip, as RFC 3465 2.1
            self._counted -= window
            self.window = window + self._mss

    def reduce(self, flight: int, now: int) -> None:
        self.threshold = max(flight // 2, 2 * self._mss)  # RFC 5681 (4)
        self._counted = 0

    def recovered(self, now: int) -> None:
        self.window = self.threshold  # RFC 6582 3.2 (3), option 2

    def timed_out(self, in_flight: int, now: int) -> None:
        self.window = in_flight + self._mss
        self._counted = 0
        self._after_timeout = True

    def undo(self, window: int, threshold: int) -> None:
        self.window = max(self.window, window)
        self.threshold = max(self.threshold, threshold)
        self._after_timeout = False

    def restart_after_idle(self, timeouts: int) -> None:
        self.threshold, self.window = after_idleness(
            self.threshold, self.window, self._initial, self._mss, timeouts
        )


def after_idleness(
    threshold: int, window: int, initial: int, mss: int, timeouts: int
) -> tuple[int, int]:
    """Threshold and window when nothing was sent for so many RTOs (RFC 2861 3.2; Linux:
    tcp_cwnd_restart): the window halves with each, down to the initial one at most, and slow start
    may go on to three quarters of what it was."""
    segments = window // mss
    left = max(segments >> min(timeouts, 32), min(window, initial) // mss)
    return max(threshold, (segments // 2 + segments // 4) * mss), left * mss
