"""HyStart++ (RFC 9406): leave slow start when the round-trip time says that a queue builds up.

And, as in Linux, when acknowledgements come one after another for half a round trip: what leaves in
a burst then fills the path, though its first segments found the queue empty and their round trips
say nothing (the ACK train of HyStart; Ha and Rhee 2011, 4.1).
"""

from __future__ import annotations

from typing import Final

from netsim.core.time import MILLISECOND

_MIN_THRESHOLD: Final = 4 * MILLISECOND
_MAX_THRESHOLD: Final = 16 * MILLISECOND
_DIVISOR: Final = 8
_SAMPLES: Final = 8
"""N_RTT_SAMPLE"""
GROWTH_DIVISOR: Final = 4
"""CSS_GROWTH_DIVISOR: how much slower the window grows in conservative slow start."""
_ROUNDS: Final = 5
"""CSS_ROUNDS"""
_TRAIN_GAP: Final = 2 * MILLISECOND
"""Acknowledgements further apart are no train (Linux: hystart_ack_delta_us)."""
_TRAIN_SLACK: Final = MILLISECOND
"""What the peer may add to a round trip (Linux: hystart_ack_delay)."""
TRAIN_WINDOW: Final = 16
"""Segments; in a smaller window trains are not looked at (Linux: hystart_low_window)."""
_NEVER: Final = 1 << 62


class HyStart:
    """Rounds of slow start and their least RTT. A round ends when what was in flight at its
    beginning is acknowledged."""

    __slots__ = (
        "_baseline",
        "_last_least",
        "_least",
        "_round_left",
        "_round_start",
        "_rounds",
        "_samples",
        "_train_end",
        "cautious",
    )

    def __init__(self) -> None:
        self.cautious = False
        """In conservative slow start (CSS)."""
        self._round_left = 0
        self._round_start = 0
        self._train_end = 0
        self._last_least = self._least = _NEVER
        self._samples = 0
        self._baseline = _NEVER
        self._rounds = 0

    def acknowledged(self, octets: int, in_flight: int, rtt_ns: int, now: int) -> bool:
        """In slow start, `octets` of the `in_flight` were acknowledged after `rtt_ns`; whether
        slow start is over."""
        over = False
        self._round_left -= octets
        if self._round_left < 0:
            self._round_left = in_flight
            self._round_start = self._train_end = now
            self._last_least, self._least = self._least, _NEVER
            self._samples = 0
            if self.cautious:
                self._rounds += 1
                over = self._rounds >= _ROUNDS
        self._samples += 1
        self._least = min(self._least, rtt_ns)
        if self._samples >= _SAMPLES:
            self._judge()
        return over

    def is_train_long(self, least_rtt_ns: int, now: int) -> bool:
        """Whether acknowledgements have come without a gap for so long that the path is full."""
        if now - self._train_end > _TRAIN_GAP:
            return False
        self._train_end = now
        return now - self._round_start > (least_rtt_ns + _TRAIN_SLACK) // 2

    def _judge(self) -> None:
        if self.cautious:
            if self._least < self._baseline:
                self.cautious = False  # it was no queue
                self._baseline = _NEVER
        elif self._last_least != _NEVER and self._least != _NEVER:
            threshold = min(max(self._last_least // _DIVISOR, _MIN_THRESHOLD), _MAX_THRESHOLD)
            if self._least >= self._last_least + threshold:
                self.cautious = True
                self._baseline = self._least
                self._rounds = 0
