"""Which segments are lost, by when they left: RACK (RFC 8985 6.2).

What left a while before something that has arrived, and has not arrived itself, is lost. That
finds lost repetitions, too, which no count of duplicate acknowledgements does.
"""

from __future__ import annotations

from typing import Final

from netsim.stack.tcp.scoreboard import DUPLICATE_THRESHOLD
from netsim.stack.tcp.sent_queue import SentQueue, SentSegment

_PERSIST: Final = 16
"""Recoveries that a widened reordering window outlives (RFC 8985 6.2 step 4)."""


class Rack:
    """RACK.* of one connection. Times in ns."""

    __slots__ = (
        "_dsack_round_end",
        "_end",
        "_multiplier",
        "_persist",
        "_sent_at",
        "fack",
        "reordered",
        "rtt",
    )

    def __init__(self, initial: int) -> None:
        self._sent_at = -1
        """RACK.xmit_ts"""
        self._end = initial
        """RACK.end_seq"""
        self.rtt = 0
        """Of the segment that left last of those that have arrived."""
        self.fack = initial
        """RACK.fack: the highest octet that has arrived, exclusive."""
        self.reordered = False
        """RACK.reordering_seen"""
        self._multiplier = 1
        self._persist = 0
        self._dsack_round_end = initial

    def delivered(self, segment: SentSegment, least_rtt: int, now: int) -> None:
        """`segment` was acknowledged or SACKed just now: steps 2 and 3."""
        if segment.end > self.fack:
            self.fack = segment.end
        elif segment.end < self.fack and not segment.resent_once:
            self.reordered = True
        rtt = now - segment.sent_at
        if segment.resent_once and rtt < least_rtt:
            return  # it was the first that arrived, not its repetition
        self.rtt = rtt
        if (segment.sent_at, segment.end) > (self._sent_at, self._end):
            self._sent_at, self._end = segment.sent_at, segment.end

    def duplicate_reported(self, una: int, nxt: int) -> None:
        """A D-SACK: something was sent again in vain, so wait longer; once a round trip."""
        if una >= self._dsack_round_end:
            self._dsack_round_end = nxt
            self._multiplier += 1
            self._persist = _PERSIST

    def recovered(self) -> None:
        """A recovery has ended."""
        self._persist -= 1
        if self._persist <= 0:
            self._multiplier = 1

    def window(self, queue: SentQueue, recovering: bool, least_rtt: int, smoothed: int) -> int:
        """RACK.reo_wnd, step 4: how much later than others a segment may come, in ns."""
        if not self.reordered and (recovering or queue.sacked_segments >= DUPLICATE_THRESHOLD):
            return 0
        return min(self._multiplier * (least_rtt // 4), smoothed)

    def detect(self, queue: SentQueue, window: int, now: int) -> tuple[bool, int]:
        """Step 5: mark what is lost. Whether there was anything, and in how many ns to look
        again, 0 if there is nothing to wait for."""
        if self._sent_at < 0:
            return False, 0
        latest = (self._sent_at, self._end)
        lost, wait = [], 0
        for segment in queue.by_time().values():
            if (segment.sent_at, segment.end) >= latest:
                break
            remaining = segment.sent_at + self.rtt + window - now
            if remaining <= 0:
                lost.append(segment)
            else:
                wait = max(wait, remaining)
        for segment in lost:
            queue.mark_lost(segment)
        return bool(lost), wait

    def is_overdue(self, segment: SentSegment, window: int, now: int) -> bool:
        """Whether it left long enough ago to be lost with what the timer has given up."""
        return segment.sent_at + self.rtt + window <= now
