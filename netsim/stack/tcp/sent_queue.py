"""What was sent and is not acknowledged: the retransmission queue, segment by segment.

For each segment it is known when it left last, whether it was sent again, and whether it counts
as SACKed or lost; RFC 6675's pipe and RFC 8985's per-segment state come from here. In unwrapped
sequence numbers; ranges exclude their right edge. While nothing is out of the ordinary, a segment
costs one object that is put in at one end and taken out at the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque

from netsim.stack.tcp.scoreboard import Scoreboard


class SentSegment:
    """One segment of the retransmission queue."""

    __slots__ = ("end", "lost", "resent", "resent_once", "sacked", "sent_at", "start")

    def __init__(self, start: int, end: int, sent_at: int) -> None:
        self.start = start
        self.end = end
        self.sent_at = sent_at
        """When it left last, in ns."""
        self.sacked = False
        self.lost = False
        """It counts as lost: what left first, and its repetition too unless `resent`."""
        self.resent = False
        """Its repetition is believed to be in the network."""
        self.resent_once = False
        """It was ever sent again: what acknowledges it is ambiguous (Karn's algorithm)."""


class SentQueue:
    """The segments between SND.UNA and SND.NXT, in order."""

    __slots__ = (
        "_by_time",
        "_search_from",
        "board",
        "lost",
        "pending",
        "resent",
        "resent_ever",
        "sacked_segments",
        "segments",
        "virtually_sacked",
    )

    def __init__(self) -> None:
        self.segments: deque[SentSegment] = deque()
        self.board = Scoreboard()
        self.sacked_segments = 0
        self.virtually_sacked = 0
        """Without SACK: octets for which duplicate acknowledgements stand (RFC 6582)."""
        self.lost = 0
        """Octets that count as lost."""
        self.resent = 0
        """Octets whose repetition is believed to be in the network."""
        self.pending = 0
        """Octets that count as lost and were not sent again since."""
        self.resent_ever = 0
        """Segments in the queue that were ever sent again."""
        self._search_from = 0
        """No pending segment begins below this."""
        self._by_time: OrderedDict[int, SentSegment] | None = None

    @property
    def missing(self) -> int:
        """Octets outstanding that are not in the network: SND.NXT - SND.UNA less this is "pipe"
        of RFC 6675 4."""
        return self.board.octets + self.virtually_sacked + self.lost - self.resent

    @property
    def is_plain(self) -> bool:
        """Whether nothing is SACKed, lost or sent again."""
        return not (self.board or self.virtually_sacked or self.lost or self.resent_ever)

    def append(self, start: int, end: int, now: int) -> None:
        """A segment has left for the first time."""
        segment = SentSegment(start, end, now)
        self.segments.append(segment)
        if self._by_time is not None:
            self._by_time[start] = segment

    # -- arrivals

    def release(self, ack: int) -> list[SentSegment]:
        """Everything below `ack` has arrived; the segments that were acknowledged whole by it,
        in order. What is left of one begins at `ack`."""
        done: list[SentSegment] = []
        segments = self.segments
        while segments and segments[0].end <= ack:
            segment = segments.popleft()
            self._forget(segment)
            done.append(segment)
        if segments and segments[0].start < ack:
            self.split(0, ack)
            self._forget(segments.popleft())
        self.board.advance(ack)
        return done

    def sack(self, start: int, end: int) -> list[SentSegment]:
        """The peer has [start, end); the segments for which that is news."""
        found: list[SentSegment] = []
        position = start
        while (hole := self.board.hole(position, end)) is not None:
            self._sack_hole(*hole, found)
            position = hole[1]
        self.board.add(start, end)
        return found

    def _sack_hole(self, start: int, end: int, found: list[SentSegment]) -> None:
        segments = self.segments
        index = bisect_right(segments, start, key=_start_of) - 1
        if segments[index].start < start:
            self.split(index, start)
            index += 1
        while index < len(segments) and segments[index].start < end:
            segment = segments[index]
            if segment.end > end:
                self.split(index, end)
            self._mark(segment, lost=False, resent=False)
            segment.sacked = True
            self.sacked_segments += 1
            self._landed(segment)
            found.append(segment)
            index += 1

    def split(self, index: int, at: int) -> None:
        """Cut a segment in two."""
        segment = self.segments[index]
        rest = SentSegment(at, segment.end, segment.sent_at)
        rest.sacked, rest.lost = segment.sacked, segment.lost
        rest.resent, rest.resent_once = segment.resent, segment.resent_once
        segment.end = at
        self.segments.insert(index + 1, rest)
        self.sacked_segments += rest.sacked
        self.resent_ever += rest.resent_once
        self._by_time = None

    def _forget(self, segment: SentSegment) -> None:
        self._mark(segment, lost=False, resent=False)
        self.sacked_segments -= segment.sacked
        self.resent_ever -= segment.resent_once
        self._landed(segment)

    # -- losses

    def by_time(self) -> OrderedDict[int, SentSegment]:
        """Segments believed to be in the network by their start, the one that left first first."""
        if self._by_time is None:
            flying = [
                each for each in self.segments if not each.sacked and (each.resent or not each.lost)
            ]
            flying.sort(key=_sent_at_of)
            self._by_time = OrderedDict((each.start, each) for each in flying)
        return self._by_time

    def forget_times(self) -> None:
        """Nothing is out of order any more: `by_time` is not needed for now."""
        self._by_time = None

    def mark_lost(self, segment: SentSegment) -> None:
        """It does not arrive any more, neither the first nor its repetition."""
        self._mark(segment, lost=True, resent=False)
        self._landed(segment)
        self._search_from = min(self._search_from, segment.start)

    def mark_resent(self, segment: SentSegment, now: int) -> None:
        """It has left again."""
        self._mark(segment, lost=segment.lost, resent=True)
        self.resent_ever += not segment.resent_once
        segment.resent_once = True
        segment.sent_at = now
        if self._by_time is not None:
            self._by_time[segment.start] = segment
            self._by_time.move_to_end(segment.start)

    def unmark_lost(self) -> None:
        """What counted as lost was late: it is in the network, or has arrived."""
        for segment in self.segments:
            self._mark(segment, lost=False, resent=segment.resent)
        self._by_time = None

    def renege(self) -> None:
        """The peer may have dropped what it SACKed (RFC 2018 8)."""
        for segment in self.segments:
            segment.sacked = False
        self.sacked_segments = self.virtually_sacked = 0
        self.board.clear()
        self._by_time = None

    def next_lost(self, mss: int, data_end: int) -> SentSegment | None:
        """What is to be sent again next, at most a full segment: NextSeg() (1) of RFC 6675 4. A
        FIN, at `data_end`, takes no room in a segment."""
        if not self.pending:
            return None
        segments = self.segments
        index = max(bisect_right(segments, self._search_from, key=_start_of) - 1, 0)
        while True:
            segment = segments[index]
            if segment.lost and not segment.resent:
                self._search_from = segment.start
                if min(segment.end, data_end) - segment.start > mss:
                    self.split(index, segment.start + mss)
                else:
                    self._join(index, segment.start + mss, data_end)
                return segment
            index += 1

    def _join(self, index: int, limit: int, data_end: int) -> None:
        """Small segments that were sent apart are sent again together (RFC 9293 3.8.1), as far
        as they are lost."""
        segments = self.segments
        segment = segments[index]
        while index + 1 < len(segments):
            following = segments[index + 1]
            if min(following.end, data_end) > limit or not following.lost or following.resent:
                return
            del segments[index + 1]
            self.resent_ever += segment.resent_once or following.resent_once
            self.resent_ever -= segment.resent_once + following.resent_once
            segment.resent_once = segment.resent_once or following.resent_once
            segment.end = following.end

    def _mark(self, segment: SentSegment, *, lost: bool, resent: bool) -> None:
        if segment.lost is lost and segment.resent is resent:
            return
        size = segment.end - segment.start
        self.lost += (lost - segment.lost) * size
        self.resent += (resent - segment.resent) * size
        self.pending += ((lost and not resent) - (segment.lost and not segment.resent)) * size
        segment.lost, segment.resent = lost, resent

    def _landed(self, segment: SentSegment) -> None:
        if self._by_time is not None:
            self._by_time.pop(segment.start, None)


def _start_of(segment: SentSegment) -> int:
    return segment.start


def _sent_at_of(segment: SentSegment) -> int:
    return segment.sent_at
