"""The sending half of a connection: what is outstanding, what may leave, what is acknowledged.

RFC 9293 3.8.6.2.1 (silly window avoidance, Nagle), RFC 5681, RFC 6298 (5). `Recovery` says what
is lost, a `CongestionControl` how much may be in flight, `RoundTrip` how long to wait; here they
meet the buffer. What is sent again is in `retransmission`, how a shut window is asked in `probes`.
"""

from __future__ import annotations

from collections import deque

from netsim.core.time import MILLISECOND
from netsim.stack.tcp import mtu_search, retransmission
from netsim.stack.tcp.congestion import CongestionControl, named
from netsim.stack.tcp.recovery import Phase, Recovery
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.send_buffer import SendBuffer
from netsim.stack.tcp.seq import HALF, MASK, unwrap
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import Transmitter
from netsim.stack.timers import Timer
from netsim.wire.tcp import ACK, FIN, PSH, TcpSegment


class Sender:
    """SND.* of one connection, in unwrapped sequence numbers.

    The SYN is `iss`, text begins at `iss + 1`, the FIN comes after the last octet.
    """

    __slots__ = (
        "_small_end",
        "_window_ack",
        "_window_sequence",
        "buffer",
        "congestion",
        "counters",
        "established",
        "flights",
        "iss",
        "last_sent_at",
        "max_window",
        "mss",
        "no_delay",
        "nxt",
        "probes",
        "recovery",
        "resent_at",
        "resent_below",
        "retransmissions",
        "retries",
        "round_trip",
        "scale",
        "search",
        "timer",
        "transmitter",
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
        self.transmitter = transmitter
        self.timer = timer
        """Runs for the retransmission while something is outstanding (RFC 6298), else for the
        window probe while something waits (RFC 9293 3.8.6.1): never for both."""
        self.counters = counters
        self.iss = iss
        self.una = iss
        """SND.UNA"""
        self.nxt = iss
        """SND.NXT; never goes back."""
        self.buffer = SendBuffer(iss + 1)
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
        self.search: mtu_search.MtuSearch | None = None
        """For what the path takes, once large segments have vanished."""
        self.no_delay = settings.no_delay
        self._small_end = iss
        """End of the last segment that was not full."""
        self.round_trip = RoundTrip(settings)
        self.flights: deque[tuple[int, int]] = deque()
        """(end, when it left) of each outstanding segment as it was first sent."""
        self.resent_below = iss
        """An acknowledgement of anything below is ambiguous (Karn's algorithm)."""
        self.resent_at = 0
        self.last_sent_at = 0
        self.retries = 0
        """Timeouts since the last progress, or window probes since the peer was heard."""
        self.probes = 0
        """Window probes since the window shut."""
        self.retransmissions = 0

    def establish(self, mss: int, settings: TcpSettings, syn_was_lost: bool, now: int) -> None:
        """Text may leave now. `mss` counts text only, without any options."""
        self.established = True
        self.mss = mss
        # RFC 6928 2, RFC 5681 3.1: one segment if the SYN or SYN-ACK was lost.
        segments = 1 if syn_was_lost else settings.initial_window
        self.congestion = named(settings.congestion)(mss, segments * mss)
        self.recovery = Recovery(self.transmitter.sack, self.iss)
        self.last_sent_at = now

    def set_mss(self, mss: int) -> None:
        """Full segments have another size from now on."""
        self.mss = mss
        self.congestion.set_segment_size(mss)

    @property
    def unsent(self) -> int:
        """Octets written and never sent."""
        return max(self.buffer.end - self.nxt, 0)

    @property
    def fin_acknowledged(self) -> bool:
        """The peer has our FIN and everything before it."""
        return self.buffer.fin_queued and self.una > self.buffer.end

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
        if segment.sack_blocks and self.transmitter.sack:
            blocks = [(unwrap(a, ack), unwrap(b, ack)) for a, b in segment.sack_blocks]
            news = recovery.note_sacked(blocks, ack, nxt)
        if ack > una:
            self._advance(ack, segment, now)
            return True
        if una == nxt:
            self.retries = 0
            if self.window_edge > nxt:
                self.probes = 0
            return False
        if not self.transmitter.sack:
            # RFC 5681 2: what a duplicate acknowledgement is, without SACK
            news = edge == self.window_edge and not segment.payload and not segment.flags & FIN
        if news and recovery.duplicate(una, nxt, self.mss):
            self.counters.fast_recoveries += 1
            if self.search is not None and self.search.lost(una, now):
                # RFC 4821 7.4: a probe that is lost says nothing about congestion.
                self.congestion.threshold = self.congestion.window
            else:
                self.congestion.loss_detected(nxt - una, now)
            retransmission.send_lost(self, True, now)
        return False

    def _advance(self, ack: int, segment: TcpSegment, now: int) -> None:
        una, nxt = self.una, self.nxt
        octets = ack - una
        self._measure(ack, segment, now)
        self.una = ack
        self.buffer.release(ack)
        self.retries = 0
        if self.search is not None and self.search.acknowledged(ack, now):
            self._path_takes(self.search)
        recovery = self.recovery
        if recovery.in_order:
            self.congestion.acknowledged(octets, nxt - una, now)
        elif recovery.advanced(ack, nxt, octets, self.mss):
            self.congestion.recovered(now)
        elif recovery.phase is not Phase.FAST:
            self.congestion.acknowledged(octets, nxt - una, now)
        elif not self.transmitter.sack:
            retransmission.send_lost(self, True, now)  # a partial acknowledgement, RFC 6582 3.2 (3)
        if ack < nxt:
            self.timer.start(now + self.round_trip.timeout)  # RFC 6298 (5.3)
        else:
            self.timer.stop()  # (5.2)

    def _path_takes(self, search: mtu_search.MtuSearch) -> None:
        self.set_mss(search.low)
        if search.low >= search.ceiling:
            self.search = None

    def _measure(self, ack: int, segment: TcpSegment, now: int) -> None:
        """One sample for each acknowledgement, from when the oldest segment it covers left, so
        that it includes what a delayed acknowledgement adds. Where that is ambiguous the
        timestamp the peer echoes tells, to the millisecond (RFC 7323 4.1), if it is that of
        what was sent again last: an older one may have been answered before, in vain."""
        flights = self.flights
        sent_at = -1
        while flights and flights[0][0] <= ack:
            when = flights.popleft()[1]
            if sent_at < 0:
                sent_at = when
        if self.una >= self.resent_below:
            if sent_at >= 0:
                self.round_trip.sample(now - sent_at)
        elif self.transmitter.timestamps and segment.timestamp is not None:
            elapsed = (self.transmitter.clock(now) - segment.timestamp_echo) & MASK
            if elapsed < HALF and elapsed * MILLISECOND <= now - self.resent_at + MILLISECOND:
                self.round_trip.sample(max(elapsed, 1) * MILLISECOND)

    # -- sending

    def output(self, now: int) -> None:
        """Send what window, congestion and Nagle allow; arm the timer for what remains."""
        if not self.established:
            return
        if not self.recovery.in_order and self.recovery.phase is not Phase.OPEN:
            retransmission.send_lost(self, False, now)
        if self.search is not None and mtu_search.send_probe(self, self.search, now):
            return
        nxt = self.nxt
        if nxt < self.buffer.end + self.buffer.fin_queued:
            self._send_new(now)
        if nxt == self.nxt and self.recovery.phase is Phase.FAST:
            retransmission.rescue_tail(self, now)

    def _send_new(self, now: int) -> None:
        una, nxt, mss, buffer = self.una, self.nxt, self.mss, self.buffer
        transmitter = self.transmitter
        congestion = self.congestion
        if una == nxt and now - self.last_sent_at > self.round_trip.timeout:
            congestion.restart_after_idle(now)
        end = buffer.end
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
            text = buffer.cut(nxt, nxt + size)
            sequence = nxt
            nxt += size
            flags = ACK
            if nxt == end:
                flags = ACK | PSH
                if buffer.fin_queued and nxt < self.window_edge:
                    flags = ACK | PSH | FIN
                    nxt += 1
            transmitter.write(sequence, flags, text, now)
            self.flights.append((nxt, now))
        if nxt == end and buffer.fin_queued and nxt < self.window_edge:
            transmitter.prepare(now)
            transmitter.write(nxt, ACK | FIN, b"", now)
            nxt += 1
            self.flights.append((nxt, now))
        if nxt > first:
            self.nxt = nxt
            self.last_sent_at = now
            if first == una:
                self.timer.start(now + self.round_trip.timeout)
            else:
                self.timer.start_if_stopped(now + self.round_trip.timeout)  # RFC 6298 (5.1)
        elif una == nxt:
            self.timer.start_if_stopped(now + self.round_trip.timeout)

    def _may_send_part(self, nxt: int, size: int, end: int) -> bool:
        """Whether a segment of `size` octets, less than a full one, may leave: silly window
        avoidance of RFC 9293 3.8.6.2.1 with Nagle's algorithm."""
        if size <= 0:
            return False
        if nxt + size == end:
            # (2) and (3). Nagle holds a part back while another part, rather than anything at
            # all, is outstanding (Minshall's form, as in Linux): the tail of a long answer
            # does not have to wait for a delayed acknowledgement.
            return self.no_delay or self.buffer.fin_queued or self._small_end <= self.una
        return nxt + size == self.window_edge and 2 * size >= self.max_window
