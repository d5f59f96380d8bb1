"""The receiving half of a connection: data in order and the window; `delayed_ack` beside it.

RFC 9293 3.8.6 (window, silly window avoidance), RFC 7323 (scaling, TS.Recent), RFC 2018 and 2883
(what to report as SACK and D-SACK).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.chunks import append
from netsim.stack.tcp.delayed_ack import QUICK, DelayedAck
from netsim.stack.tcp.out_of_order import Reassembly
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.seq import HALF, MASK, is_older
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.timers import Timer

MAX_WINDOW_FIELD: Final = 0xFFFF
MAX_WINDOW_SCALE: Final = 14
"""RFC 7323 2.3"""

_RECENT_LIFE: Final = 24 * 24 * 3600 * SECOND
"""RFC 7323 5.5: after 24 days of silence TS.Recent says nothing any more."""


def window_scale_for(buffer: int) -> int:
    """The smallest shift with which the window field can say `buffer` octets."""
    scale = 0
    while scale < MAX_WINDOW_SCALE and MAX_WINDOW_FIELD << scale < buffer:
        scale += 1
    return scale


class Receiver:
    """RCV.* of one connection, in unwrapped sequence numbers."""

    __slots__ = (
        "_adjust_at",
        "_copied",
        "_heard_round_trip",
        "_limit",
        "_most",
        "_read_before",
        "_round_trip",
        "_timestamp_offset",
        "ack_now",
        "acks",
        "chunks",
        "duplicate",
        "echo",
        "edge",
        "fin_at",
        "fixed",
        "irs",
        "last_ack_sent",
        "mss",
        "nxt",
        "readable",
        "reassembly",
        "recent",
        "recent_at",
        "scale",
    )

    def __init__(
        self,
        settings: TcpSettings,
        ack_timer: Timer,
        round_trip: RoundTrip,
        timestamp_offset: int = 0,
    ) -> None:
        self._most = settings.receive_buffer
        self._limit = min(self._most, settings.initial_receive_buffer)
        """What the buffer takes now."""
        self.fixed = False
        """The program has set the size (SO_RCVBUF): it does not tune itself."""
        self._round_trip = round_trip
        self._timestamp_offset = timestamp_offset
        self.echo = 0
        """The last of our timestamps that came back with data."""
        self._heard_round_trip = 0
        """In ns, by these timestamps; 0 before the first. Who only receives measures no other after
        the handshake, and queues grow."""
        self._adjust_at = 0
        self._copied = 0
        """Octets read since the buffer was looked at last."""
        self._read_before = 0
        """The most that was read in a round trip."""
        self.acks = DelayedAck(settings, ack_timer, round_trip)
        self.irs = 0
        """Initial receive sequence number."""
        self.nxt = 0
        """RCV.NXT"""
        self.edge = 0
        """The octet after the highest we ever offered to take. Windows are offered in units of
        2^scale, so a later, rounded offer may lie a little to the left; what was offered once
        is honoured (RFC 7323 2.4)."""
        self.scale = 0
        """Rcv.Wind.Shift"""
        self.mss = 0
        """What a segment of the peer's may hold."""
        self.chunks: deque[bytes] = deque()
        """Data in order, not read yet."""
        self.readable = 0
        """Octets in `chunks`."""
        self.reassembly = Reassembly()
        self.fin_at: int | None = None
        """Sequence number of the peer's FIN, known perhaps before what precedes it."""
        self.duplicate: tuple[int, int] | None = None
        """What came twice, to be reported once as D-SACK."""
        self.recent = 0
        """TS.Recent"""
        self.recent_at = 0
        """When it was taken, in ns."""
        self.last_ack_sent = 0
        self.ack_now = False
        """An acknowledgement has to leave before we return to the runtime."""

    def synchronize(self, irs: int, scale: int) -> None:
        """The peer's SYN came; `scale` is what both agreed on for our window."""
        self.scale = scale
        self._most = min(self._most, MAX_WINDOW_FIELD << scale)
        self._limit = min(self._limit, self._most)
        self.irs = irs
        self.nxt = self.last_ack_sent = irs + 1
        self.edge = self.nxt + self.unscaled_offer()

    def unscaled_offer(self) -> int:
        """The window field of a SYN, which is never scaled (RFC 7323 2.2)."""
        return min(self._limit, MAX_WINDOW_FIELD)

    @property
    def fin_received(self) -> bool:
        """The peer's FIN and everything before it are here."""
        return self.fin_at is not None and self.nxt > self.fin_at

    # -- the size of the buffer

    @property
    def limit(self) -> int:
        """Octets that the buffer takes now."""
        return self._limit

    def fix(self, limit: int) -> None:
        """The program wants it to take `limit` octets, as far as the scale agreed on says."""
        self.fixed = True
        self._limit = min(max(limit, 1), MAX_WINDOW_FIELD << self.scale)

    def _adjust(self, now: int) -> None:
        """Once a round trip: a program that reads faster than before may soon read twice as much,
        and a little more, in the next (Linux: tcp_rcv_space_adjust)."""
        copied, before = self._copied, self._read_before or 10 * self.mss
        self._copied = 0
        self._adjust_at = now + (self._heard_round_trip or self._round_trip.smoothed)
        if copied <= before or self.fixed:
            return
        wanted = 2 * copied + 16 * self.mss
        wanted += 2 * wanted * (copied - before) // before
        self._read_before = copied
        self._limit = max(self._limit, min(wanted, self._most))

    def echoed(self, echo: int, size: int, now: int) -> None:
        """A segment with `size` octets of data echoes a later timestamp of ours than those before
        it: what it answers left a round trip ago, or longer where the peer had nothing to send.
        So a shorter one counts at once (Linux: tcp_rcv_rtt_measure_ts)."""
        self.echo = echo
        elapsed = (now // MILLISECOND + self._timestamp_offset - echo) & MASK
        if size < self.acks.mss or not 0 < elapsed < HALF:
            return
        elapsed *= MILLISECOND
        known = self._heard_round_trip
        if known and elapsed > known:
            elapsed = known + (elapsed - known) // 8
        self._heard_round_trip = elapsed
        self._adjust_at = min(self._adjust_at, now + elapsed)

    # -- arrivals

    def take(self, payload: bytes, pushed: bool, now: int) -> None:
        """Data that continues the stream; `pushed` is its PSH flag."""
        size = len(payload)
        if now >= self._adjust_at and self._round_trip.smoothed:
            self._adjust(now)
        if self.acks.data_arrived(size, pushed, self.edge - self.nxt, now):
            self.ack_now = True
        append(self.chunks, payload)
        self.readable += size
        self.nxt += size

    def take_out_of_order(self, sequence: int, payload: bytes, now: int) -> bool | None:
        """Data that begins anywhere in or before the window; whether any of it was new, or
        None if it could not be kept. Always answered at once (RFC 5681 4.2)."""
        self.ack_now = True
        end = sequence + len(payload)
        if end > self.edge:
            payload = payload[: self.edge - end]
            end = self.edge
        if sequence < self.nxt:
            surplus = self.nxt - sequence
            self.duplicate = (sequence, min(end, self.nxt))
            if surplus >= len(payload):
                self.came_again()
                return False
            payload = payload[surplus:]
            sequence = self.nxt
        if not payload:
            return False
        known = self.reassembly.first_overlap(sequence, end)
        if known is not None and self.duplicate is None:
            self.duplicate = known
        if sequence > self.nxt:
            return self.reassembly.add(sequence, payload)
        self.take(payload, True, now)
        self.ack_now = True
        if self.reassembly.octets:
            for chunk in self.reassembly.take(self.nxt):
                append(self.chunks, chunk)
                self.readable += len(chunk)
                self.nxt += len(chunk)
        return True

    def finish(self, may_answer: bool, now: int) -> bool:
        """Whether the peer's FIN is next; steps over it. Our program, which `may_answer` with an
        end of its own, gets some time for that before the acknowledgement leaves."""
        if self.fin_at != self.nxt:
            return False
        self.nxt += 1
        self.edge = max(self.edge, self.nxt)
        if not may_answer or self.acks.fin_arrived(now):
            self.ack_now = True
        return True

    def came_again(self) -> None:
        """The peer has sent what we have: it lacks our acknowledgement."""
        self.ack_now = True
        self.acks.tell_quickly(QUICK, self.edge - self.nxt)

    def timestamp_is_old(self, timestamp: int, now: int) -> bool:
        """PAWS, R1 of RFC 7323 5.3."""
        return is_older(timestamp, self.recent) and now - self.recent_at <= _RECENT_LIFE

    def note_timestamp(self, sequence: int, timestamp: int, now: int) -> None:
        """RFC 7323 4.3 (2): echo the timestamp of the segment an ACK will be about."""
        if sequence <= self.last_ack_sent and not is_older(timestamp, self.recent):
            self.recent = timestamp
            self.recent_at = now

    # -- the owner reads

    def read(self, limit: int = -1) -> bytes:
        """Take up to `limit` octets in order; all there are when negative."""
        chunks = self.chunks
        if 0 <= limit < self.readable:
            self._copied += limit
            return self._read_some(limit)
        self._copied += self.readable
        data = chunks.popleft() if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.readable = 0
        return data

    def peek(self, limit: int) -> bytes:
        """What `read` would give, and still will."""
        taken: list[bytes] = []
        for chunk in self.chunks:
            if limit <= 0:
                break
            taken.append(chunk[:limit])
            limit -= len(chunk)
        return b"".join(taken)

    def _read_some(self, limit: int) -> bytes:
        chunks = self.chunks
        taken: list[bytes] = []
        wanted = limit
        while wanted:
            chunk = chunks.popleft()
            if len(chunk) > wanted:
                chunks.appendleft(chunk[wanted:])
                chunk = chunk[:wanted]
            taken.append(chunk)
            wanted -= len(chunk)
        self.readable -= limit
        return taken[0] if len(taken) == 1 else b"".join(taken)

    # -- acknowledgements

    def offer(self) -> int:
        """The window field of a segment about to leave with ACK = RCV.NXT, which is noted."""
        nxt = self.nxt
        window = self._limit - self.readable
        held = self.edge - nxt
        # RFC 9293 3.8.6.2.2: the edge moves on by a segment or half the buffer, or not at all.
        if window - held < min(self._limit // 2, self.acks.mss):
            window = held
        field = window >> self.scale
        if field > MAX_WINDOW_FIELD:
            field = MAX_WINDOW_FIELD
        edge = nxt + (field << self.scale)
        if edge > self.edge:
            self.edge = edge
        self.last_ack_sent = nxt
        if self.ack_now or self.acks.unacknowledged:
            self.acks.sent(self.ack_now)
            self.ack_now = False
        return field

    def owes_word_of_reading(self) -> bool:
        """Whether the peer should hear at once that the program has read: when all that came is
        read and nobody will answer it, or the window at least doubles; every segment read would
        cost an ACK otherwise (Linux: tcp_cleanup_rbuf)."""
        if not self.readable and self.acks.unacknowledged and self.acks.will_not_be_answered():
            return True
        held = self.edge - self.nxt
        window = self._limit - self.readable
        return window >= 2 * held and window - held >= min(self._limit // 2, self.acks.mss)

    def sack_blocks(self, limit: int) -> list[tuple[int, int]]:
        """For an ACK with room for `limit` blocks; a D-SACK is reported first, and once."""
        blocks: list[tuple[int, int]] = []
        if self.duplicate is not None:
            blocks.append(self.duplicate)
            self.duplicate = None
        return blocks + self.reassembly.blocks(limit - len(blocks))
