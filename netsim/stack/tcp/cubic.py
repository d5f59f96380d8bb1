"""CUBIC (RFC 9438) with HyStart++ (RFC 9406): what Linux, Windows and macOS use.

The window grows along a cubic function of the time since the last congestion, whose plateau is
the window of then, whatever the round-trip time; on paths where Reno would grow faster it grows as
Reno does.
"""

from __future__ import annotations

from typing import Final

from netsim.core.time import SECOND
from netsim.stack.tcp.hystart import GROWTH_DIVISOR, TRAIN_WINDOW, HyStart
from netsim.stack.tcp.reno import UNLIMITED, after_idleness
from netsim.stack.tcp.rtt import RoundTrip

_C: Final = 0.4
"""In segments per second cubed (RFC 9438 5)."""
_BETA: Final = 0.7
"""beta_cubic (4.6)"""
_ALPHA: Final = 3 * (1 - _BETA) / (1 + _BETA)
"""alpha_cubic (4.3): with it Reno's share is as large at this beta."""
_PERIOD: Final = SECOND // 32
"""How long the growth that was worked out holds while the window stays the same, as in Linux: a
window of few segments lags behind Reno's by half of one."""
_FLAT: Final = 100
"""Windows to be acknowledged for a segment where the function is flat, as in Linux."""
_MOST_BEFORE_A_LOSS: Final = 20.0
"""The same in segments while there was no congestion yet, which could say where the plateau is."""


class Cubic:
    """A `CongestionControl`. Windows here are in bytes, inside in segments as in the RFC."""

    __slots__ = (
        "_after_timeout",
        "_before_reduction",
        "_cost",
        "_credit",
        "_epoch",
        "_estimate",
        "_hystart",
        "_initial",
        "_judged_at",
        "_judged_window",
        "_k",
        "_last_max",
        "_mss",
        "_origin",
        "_round_trip",
        "threshold",
        "window",
    )

    def __init__(self, mss: int, initial_window: int, round_trip: RoundTrip) -> None:
        self._mss = mss
        self._initial = initial_window
        self._round_trip = round_trip
        self.window = initial_window
        self.threshold = UNLIMITED
        self._hystart: HyStart | None = HyStart()
        self._after_timeout = False
        self._last_max = 0.0
        """W_max in segments: the window at the last congestion, or less (4.7)."""
        self._epoch: int | None = None
        """When congestion avoidance began, in ns; None before."""
        self._k = 0.0
        """Seconds from then to the plateau."""
        self._origin = 0.0
        """The plateau: W_max, or where the epoch began above it."""
        self._estimate = 0.0
        """W_est: what Reno would have (4.3)."""
        self._cost = 0.0
        """Segments to be acknowledged until the window grows by one."""
        self._judged_window = self._judged_at = 0
        """For which window that was worked out, and when."""
        self._credit = 0.0
        """Segments acknowledged since it grew."""
        self._before_reduction: tuple[float, int | None, float, float, float] | None = None

    def set_segment_size(self, mss: int) -> None:
        self._mss = mss
        self.window = max(self.window, mss)

    def acknowledged(self, octets: int, in_flight: int, is_limiting: bool, now: int) -> None:
        if self.window < self.threshold:
            if is_limiting:
                self._slow_start(octets, in_flight, now)
            return
        self._after_timeout = False
        if not is_limiting:
            self._shift(now)
            return
        self._avoid(octets, now)

    def _slow_start(self, octets: int, in_flight: int, now: int) -> None:
        # RFC 3465 2.3 where a timeout is being repaired; RFC 9406 4.2 sets no limit L else.
        grown = min(octets, self._mss) if self._after_timeout else octets
        hystart = self._hystart
        if hystart is not None:
            if hystart.cautious:
                grown //= GROWTH_DIVISOR
            trip = self._round_trip
            if hystart.acknowledged(octets, in_flight, trip.latest, now) or (
                self.window >= TRAIN_WINDOW * self._mss and hystart.is_train_long(trip.least, now)
            ):
                self.threshold = self.window
                self._hystart = None
                return
        self.window = min(self.window + grown, max(self.threshold, self.window))

    def _shift(self, now: int) -> None:
        """The application, not the window, held the sender back: time does not count (4.2)."""
        self._epoch = None

    def _avoid(self, octets: int, now: int) -> None:
        window, mss = self.window, self._mss
        segments = window / mss
        if self._epoch is None:
            self._begin(segments, now)
        # 4.3, but for its last sentence: as in Linux, alpha stays what it is above cwnd_prior. With
        # 1 there the window was a fifth above Linux's at 5 % loss.
        self._estimate += _ALPHA * octets / window
        if window != self._judged_window or now - self._judged_at > _PERIOD:
            self._judged_window, self._judged_at = window, now
            self._cost = self._cost_of_one(segments, now)
        cost = self._cost
        if self._credit >= cost:  # it was dearer when that was earned (Linux: tcp_cong_avoid_ai)
            self._credit = 0.0
            window += mss
        self._credit += octets / mss
        if self._credit >= cost:
            grown = int(self._credit / cost)
            self._credit -= grown * cost
            window += grown * mss
        self.window = window

    def _cost_of_one(self, segments: float, now: int) -> float:
        """Segments to be acknowledged until the window grows by one: 4.4 and 4.5, or in the
        Reno-friendly region 4.3."""
        assert self._epoch is not None
        elapsed = (now - self._epoch) + self._round_trip.smoothed
        target = self._cubic(elapsed / SECOND)
        cost = segments / (target - segments) if target > segments else _FLAT * segments
        if not self._last_max:
            cost = min(cost, _MOST_BEFORE_A_LOSS)
        ahead = int(self._estimate) - segments
        if ahead > 0:
            cost = min(cost, segments / ahead)
        return max(cost, 2.0)

    def _begin(self, segments: float, now: int) -> None:
        """The first acknowledgement in congestion avoidance since a congestion event (4.2)."""
        self._epoch = now
        self._estimate = segments
        if segments < self._last_max:
            self._k = float(((self._last_max - segments) / _C) ** (1 / 3))
            self._origin = self._last_max
        else:
            self._k = 0.0
            self._origin = segments

    def _cubic(self, elapsed: float) -> float:
        """W_cubic(t)"""
        return float(_C * (elapsed - self._k) ** 3 + self._origin)

    def reduce(self, flight: int, now: int) -> None:
        self._before_reduction = (
            self._last_max,
            self._epoch,
            self._k,
            self._origin,
            self._estimate,
        )
        segments = self.window / self._mss
        # 4.7, fast convergence: make room for a newcomer.
        shrinking = segments < self._last_max
        self._last_max = segments * (1 + _BETA) / 2 if shrinking else segments
        self._epoch = None
        self._credit = 0.0
        self._judged_window = 0
        self._hystart = None
        # Whole segments: what does not fill one cannot leave, and must not count as grown.
        self.threshold = max(int(flight / self._mss * _BETA), 2) * self._mss

    def recovered(self, now: int) -> None:
        self.window = self.threshold

    def timed_out(self, in_flight: int, now: int) -> None:
        self.window = in_flight + self._mss
        self._epoch = None
        self._after_timeout = True

    def undo(self, window: int, threshold: int) -> None:
        """RFC 9438 4.9.1"""
        self.window = max(self.window, window)
        self.threshold = max(self.threshold, threshold)
        self._after_timeout = False
        if self._before_reduction is not None:
            (
                self._last_max,
                self._epoch,
                self._k,
                self._origin,
                self._estimate,
            ) = self._before_reduction
            self._before_reduction = None

    def restart_after_idle(self, timeouts: int) -> None:
        self.threshold, self.window = after_idleness(
            self.threshold, self.window, self._initial, self._mss, timeouts
        )
        self._epoch = None
