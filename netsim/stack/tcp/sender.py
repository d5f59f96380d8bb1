"""The sending half of a connection: what is outstanding, what may leave, what is acknowledged.

RFC 9293 3.8.6.1 and 3.8.6.2.1 (window, probes, silly window avoidance), RFC 5681, RFC 6298 (5).
`Recovery` says what is lost, a `CongestionControl` how much may be in flight, `RoundTrip` how
long to wait; here they meet the buffer.
"""

from __future__ import annotations

from collections import deque

from netsim.core.time import MILLISECOND
from netsim.stack.tcp.congestion import CongestionControl, named
from netsim.stack.tcp.counters import TcpCounters
from netsim.stack.tcp.recovery import Phase, Recovery
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.seq import HALF, MASK, unwrap
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.transmitter import Transmitter
from netsim.stack.timers import Timer
from netsim.wire.tcp import ACK, FIN, PSH, TcpSegment


class Sender:
    """SND.* of one connection, in unwrapped sequence numbers.

    The SYN is `iss`, text begins at `iss + 1`, the FIN comes after the last octet.
    """

    __slots__ = (
        "_base",
        "_buffer",
        "_counters",
        "_fin_queued",
        "_flights",
        "_last_sent_at",
        "_probes",
        "_resent_at",
        "_resent_below",
        "_small_end",
        "_timer",
        "_transmitter",
        "_window_ack",
        "_window_sequence",
        "congestion",
        "established",
        "iss",
        "max_window",
        "mss",
        "no_delay",
        "nxt",
        "recovery",
        "retransmissions",
        "retries",
        "round_trip",
        "scale",
        "una",
        "window_edge",
    )

    congestion: CongestionControl
    recovery: Recovery

    def __init__(
        self,
        iss: int,
        transmitter: Transmitter,
        timer: Timer,
        settings: TcpSettings,
        counters: TcpCounters,
    ) -> None:
        self._transmitter = transmitter
        self._timer = timer
        """Runs for the retransmission while something is outstanding (RFC 6298), else for the
        window probe while something waits (RFC 9293 3.8.6.1): never for both."""
        self._counters = counters
        self.iss = iss
        self.una = iss
        """SND.UNA"""
        self.nxt = iss
        """SND.NXT; never goes back."""
        self._buffer = bytearray()
        """Text from `_base` on: not acknowledged or not sent."""
        self._base = iss + 1
        self._fin_queued = False
        self.established = False
        """The handshake is through: text may leave."""
        self.window_edge = iss + 1
        """SND.UNA + SND.WND: the octet after the last the peer will take."""
        self.max_window = 0
        """The largest window the peer ever offered: half its buffer is guessed from it."""
        self._window_sequence = 0
        """SND.WL1"""
        self._window_ack = 0
        """SND.WL2"""
        self.scale = 0
        """Snd.Wind.Shift"""
        self.mss = 536
        """Eff.snd.MSS of RFC 9293 3.7.1: octets of text in a full segment."""
        self.no_delay = settings.no_delay
        self._small_end = iss
        """End of the last segment that was not full."""
        self.round_trip = RoundTrip(settings)
        self._flights: deque[tuple[int, int]] = deque()
        """(end, when it left) of each outstanding segment as it was first sent."""
        self._resent_below = iss
        """An acknowledgement of anything below is ambiguous (Karn's algorithm)."""
        self._resent_at = 0
        self._last_sent_at = 0
        self.retries = 0
        """Timeouts since the last progress, or window probes since the peer was heard."""
        self._probes = 0
        """Window probes since the window shut."""
        self.retransmissions = 0

    def establish(self, mss: int, settings: TcpSettings, syn_was_lost: bool, now: int) -> None:
        """Text may leave now. `mss` counts text only, without any options."""
        self.established = True
        self.mss = mss
        # RFC 6928 2, RFC 5681 3.1: one segment if the SYN or SYN-ACK was lost.
        segments = 1 if syn_was_lost else settings.initial_window
        self.congestion = named(settings.congestion)(mss, segments * mss)
        self.recovery = Recovery(self._transmitter.sack, self.iss)
        self._last_sent_at = now

    # -- the owner's side

    @property
    def end(self) -> int:
        """Sequence number after the last octet written; the FIN's, once it is queued."""
        return self._base + len(self._buffer)

    @property
    def buffered(self) -> int:
        """Octets written and not acknowledged."""
        return len(self._buffer)

    @property
    def unsent(self) -> int:
        """Octets written and never sent."""
        return max(self.end - max(self.nxt, self._base), 0)

    @property
    def fin_queued(self) -> bool:
        """Nothing can be written any more."""
        return self._fin_queued

    @property
    def fin_acknowledged(self) -> bool:
        """The peer has our FIN and everything before it."""
        return self._fin_queued and self.una > self.end

    def append(self, data: bytes) -> None:
        """Text to send, behind what waits."""
        self._buffer += data

    def queue_fin(self) -> None:
        """A FIN to send, behind the text."""
        self._fin_queued = True

    # -- acknowledgements

    def set_window(self, sequence: int, ack: int, window: int) -> None:
        """Take the window of a segment (`window` unscaled yet), unless it is an older one's
        (RFC 9293 3.10.7.4, fifth: SND.WL1 and SND.WL2)."""
        if sequence > self._window_sequence or (
            sequence == self._window_sequence and ack >= self._window_ack
        ):
            self._window_sequence = sequence
            self._window_ack = ack
            window <<= self.scale
            self.window_edge = ack + window
            if window > self.max_window:
                self.max_window = window

    def start_window(self, sequence: int, ack: int, window: int) -> None:
        """The first window, from the handshake; `window` in octets."""
        self._window_sequence = sequence
        self._window_ack = ack
        self.window_edge = ack + window
        self.max_window = window

    def acknowledge(self, ack: int, sequence: int, segment: TcpSegment, now: int) -> bool:
        """Process the ACK and window of `segment`, with SND.UNA <= `ack` <= SND.NXT, both
        numbers unwrapped; whether anything was newly acknowledged."""
        edge = self.window_edge
        self.set_window(sequence, ack, segment.window)
        una, nxt = self.una, self.nxt
        recovery = self.recovery
        news = False
        if segment.sack_blocks and self._transmitter.sack:
            blocks = [(unwrap(a, ack), unwrap(b, ack)) for a, b in segment.sack_blocks]
            news = recovery.note_sacked(blocks, ack, nxt)
        if ack > una:
            self._advance(ack, segment, now)
            return True
        if una == nxt:
            self.retries = 0
            if self.window_edge > nxt:
                self._probes = 0
            return False
        if not self._transmitter.sack:
            # RFC 5681 2: what a duplicate acknowledgement is, without SACK
            news = edge == self.window_edge and not segment.payload and not segment.flags & FIN
        if news and recovery.duplicate(una, nxt, self.mss):
            self._counters.fast_recoveries += 1
            self.congestion.loss_detected(nxt - una, now)
            self._send_lost(True, now)
        return False

    def _advance(self, ack: int, segment: TcpSegment, now: int) -> None:
        una, nxt = self.una, self.nxt
        octets = ack - una
        self._measure(ack, segment, now)
        self.una = ack
        released = min(ack - self._base, len(self._buffer))  # the FIN is not in the buffer
        del self._buffer[:released]
        self._base += released
        self.retries = 0
        recovery = self.recovery
        if recovery.in_order:
            self.congestion.acknowledged(octets, nxt - una, now)
        elif recovery.advanced(ack, nxt, octets, self.mss):
            self.congestion.recovered(now)
        elif recovery.phase is not Phase.FAST:
            self.congestion.acknowledged(octets, nxt - una, now)
        elif not self._transmitter.sack:
            self._send_lost(True, now)  # a partial acknowledgement, RFC 6582 3.2 (3)
        if ack < nxt:
            self._timer.start(now + self.round_trip.timeout)  # RFC 6298 (5.3)
        else:
            self._timer.stop()  # (5.2)

    def _measure(self, ack: int, segment: TcpSegment, now: int) -> None:
        """One sample for each acknowledgement, from when the oldest segment it covers left, so
        that it includes what a delayed acknowledgement adds. Where that is ambiguous the
        timestamp the peer echoes tells, to the millisecond (RFC 7323 4.1), if it is that of
        what was sent again last: an older one may have been answered before, in vain."""
        flights = self._flights
        sent_at = -1
        while flights and flights[0][0] <= ack:
            when = flights.popleft()[1]
            if sent_at < 0:
                sent_at = when
        if self.una >= self._resent_below:
            if sent_at >= 0:
                self.round_trip.sample(now - sent_at)
        elif self._transmitter.timestamps and segment.timestamp is not None:
            elapsed = (self._transmitter.clock(now) - segment.timestamp_echo) & MASK
            if elapsed < HALF and elapsed * MILLISECOND <= now - self._resent_at + MILLISECOND:
                self.round_trip.sample(max(elapsed, 1) * MILLISECOND)

    # -- sending

    def output(self, now: int) -> None:
        """Send what window, congestion and Nagle allow; arm the timer for what remains."""
        if not self.established:
            return
        if not self.recovery.in_order and self.recovery.phase is not Phase.OPEN:
            self._send_lost(False, now)
        nxt = self.nxt
        if nxt < self.end + self._fin_queued:
            self._send_new(now)
        if nxt == self.nxt and self.recovery.phase is Phase.FAST:
            self._rescue(now)

    def _send_new(self, now: int) -> None:
        una, nxt, mss, buffer, base = self.una, self.nxt, self.mss, self._buffer, self._base
        transmitter = self._transmitter
        congestion = self.congestion
        if una == nxt and now - self._last_sent_at > self.round_trip.timeout:
            congestion.restart_after_idle(now)
        end = base + len(buffer)
        room = congestion.window - self.recovery.in_flight(una, nxt)
        limit = min(end, self.window_edge, nxt + room)
        first = nxt
        while nxt < end:
            size = limit - nxt
            if size >= mss:
                size = mss
            elif not self._may_send_part(nxt, size, end):
                break
            else:
                self._small_end = nxt + size
            if nxt == first:
                transmitter.prepare(now)
            text = buffer[nxt - base : nxt - base + size]
            sequence = nxt
            nxt += size
            flags = ACK
            if nxt == end:
                flags = ACK | PSH
                if self._fin_queued and nxt < self.window_edge:
                    flags = ACK | PSH | FIN
                    nxt += 1
            transmitter.write(sequence, flags, text, now)
            self._flights.append((nxt, now))
        if nxt == end and self._fin_queued and nxt < self.window_edge:
            transmitter.prepare(now)
            transmitter.write(nxt, ACK | FIN, b"", now)
            nxt += 1
            self._flights.append((nxt, now))
        if nxt > first:
            self.nxt = nxt
            self._last_sent_at = now
            if first == una:
                self._timer.start(now + self.round_trip.timeout)
            else:
                self._timer.start_if_stopped(now + self.round_trip.timeout)  # RFC 6298 (5.1)
        elif una == nxt:
            self._timer.start_if_stopped(now + self.round_trip.timeout)

    def _may_send_part(self, nxt: int, size: int, end: int) -> bool:
        """Whether a segment of `size` octets, less than a full one, may leave: silly window
        avoidance of RFC 9293 3.8.6.2.1 with Nagle's algorithm."""
        if size <= 0:
            return False
        if nxt + size == end:
            # (2) and (3). Nagle holds a part back while another part, rather than anything at
            # all, is outstanding (Minshall's form, as in Linux): the tail of a long answer
            # does not have to wait for a delayed acknowledgement.
            return self.no_delay or self._fin_queued or self._small_end <= self.una
        return nxt + size == self.window_edge and 2 * size >= self.max_window

    def _send_lost(self, first_at_once: bool, now: int) -> None:
        """Send again what is lost, as far as the window allows; the first segment in any case
        where the RFCs ask for it (RFC 5681 3.2 (3), RFC 6675 5 (4.3))."""
        recovery = self.recovery
        while (lost := recovery.next_lost(self.una, self.mss)) is not None:
            start, stop = lost
            if not first_at_once:
                in_flight = recovery.in_flight(self.una, self.nxt)
                if in_flight + stop - start > self.congestion.window:
                    return
            first_at_once = False
            recovery.sent_again(self._send_again(start, stop, now))

    def _rescue(self, now: int) -> None:
        in_flight = self.recovery.in_flight(self.una, self.nxt)
        if in_flight + self.mss <= self.congestion.window:
            tail = self.recovery.rescue(self.una, self.nxt, self.mss)
            if tail is not None:
                self._send_again(*tail, now)

    def _send_again(self, start: int, stop: int, now: int) -> int:
        """Repeat the octets from `start` to `stop`; returns where the segment ended."""
        end = self.end
        flags = ACK
        if stop >= end:
            flags = ACK | PSH
            if self.nxt > end:
                flags = ACK | PSH | FIN if start < end else ACK | FIN
                stop = end + 1
        self._transmitter.prepare(now)
        text = self._buffer[start - self._base : stop - self._base]
        self._transmitter.write(start, flags, text, now)
        self._resent_below = max(self._resent_below, stop)
        self._resent_at = now
        self._last_sent_at = now
        self.retransmissions += 1
        self._counters.retransmissions += 1
        self._timer.start_if_stopped(now + self.round_trip.timeout)
        return stop

    # -- time-outs

    def retransmission_timeout(self, now: int) -> None:
        """RFC 6298 (5.4) to (5.6), RFC 5681 3.1; something is outstanding."""
        una, nxt = self.una, self.nxt
        self._counters.timeouts += 1
        self.retries += 1
        first = self.recovery.timed_out(una, nxt)
        self.congestion.timed_out(nxt - una, first, now)
        self.round_trip.back_off()
        self._send_lost(True, now)
        self._timer.start(now + self.round_trip.timeout)

    def probe_window(self, now: int) -> None:
        """Nothing is outstanding and what waits may not leave: override silly window avoidance
        (RFC 9293 3.8.6.2.1 (4)), or ask whether the window is still shut (3.8.6.1)."""
        if self.nxt >= self.end + self._fin_queued:
            return
        room = self.window_edge - self.nxt
        if room > 0:
            size = min(room, self.mss, self.end - self.nxt)
            if size:
                self._transmitter.prepare(now)
                offset = self.nxt - self._base
                text = self._buffer[offset : offset + size]
                self._transmitter.write(self.nxt, ACK | PSH, text, now)
                self.nxt += size
                self._flights.append((self.nxt, now))
                self._last_sent_at = now
                self._timer.start(now + self.round_trip.timeout)
                return
        # As Linux and BSD do, the probe carries no new octet but an old sequence number, which
        # every TCP answers with its window; so nothing has to be taken back if it is shut.
        self._counters.zero_window_probes += 1
        self.send_probe(now)
        self._probes += 1
        self.retries += 1
        self._timer.start(now + self.round_trip.backed_off(self._probes))

    def send_probe(self, now: int) -> None:
        """A segment that asks for an acknowledgement: SEG.SEQ = SND.NXT - 1, no text."""
        self._transmitter.prepare(now)
        self._transmitter.write(self.nxt - 1, ACK, b"", now)

    def lower_mss(self, mss: int, now: int) -> None:
        """The path takes only `mss` octets of text in a segment: cut smaller what is
        outstanding and send it again, without taking it for congestion (RFC 1191 6.4)."""
        self.mss = mss
        self.congestion.set_segment_size(mss)
        if self.una < self.nxt:
            self.recovery.too_large(self.una, self.nxt)
            self._send_lost(True, now)
