"""The sending half of a connection: what is outstanding, what the peer takes, what leaves.

A record with what keeps it true: every octet that leaves, first or again, is written and
accounted for here and nowhere else. `Recovery` says what is lost, a `CongestionControl` how much
may be in flight, `RoundTrip` how long to wait. Who decides what leaves is above: `output`,
`acknowledgement`, `retransmission`, `mtu_probes`, `peer_probes`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from netsim.core.time import MILLISECOND
from netsim.stack.tcp import undo
from netsim.stack.tcp.congestion import CongestionControl, named
from netsim.stack.tcp.mtu_search import MtuSearch
from netsim.stack.tcp.recovery import Recovery
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.send_buffer import SendBuffer
from netsim.stack.tcp.sent_queue import SentSegment
from netsim.stack.tcp.seq import HALF, MASK
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import Transmitter
from netsim.stack.timers import Timer
from netsim.wire.tcp import ACK, CWR, FIN, PSH, TcpSegment

_INITIAL_MEMORY: Final = 16_384
"""tcp_wmem"""


class TimerUse(Enum):
    """What the sender's timer waits for while something is outstanding."""

    RETRANSMISSION = "retransmission"
    """RFC 6298"""
    PROBE = "probe"
    """To ask with a tail loss probe (RFC 8985 7)."""
    REORDER = "reorder"
    """Until what is late counts as lost (RFC 8985 6.2)."""


class Sender:
    """SND.* of one connection, in unwrapped sequence numbers.

    The SYN is `iss`, data begins at `iss + 1`, the FIN comes after the last octet.
    """

    __slots__ = (
        "_most_outstanding",
        "_round_end",
        "_was_filled",
        "_window_ack",
        "_window_sequence",
        "buffer",
        "congestion",
        "congestion_name",
        "counters",
        "cwr_due",
        "established",
        "iss",
        "last_sent_at",
        "max_window",
        "memory_fixed",
        "memory_limit",
        "mss",
        "no_delay",
        "nxt",
        "probes",
        "recovery",
        "retransmissions",
        "retries",
        "round_trip",
        "scale",
        "search",
        "small_end",
        "timer",
        "timer_use",
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
        round_trip: RoundTrip,
    ) -> None:
        self.transmitter = transmitter
        self.timer = timer
        """Runs as `timer_use` says while something is outstanding, else for the window probe
        while something waits (RFC 9293 3.8.6.1): never for both."""
        self.timer_use = TimerUse.RETRANSMISSION
        self.counters = counters
        self.iss = iss
        self.una = iss
        """SND.UNA"""
        self.nxt = iss
        """SND.NXT; never goes back."""
        self.buffer = SendBuffer(iss + 1)
        self.memory_limit = _INITIAL_MEMORY
        """Octets of memory that the buffer takes, as `send_memory` counts them (sk_sndbuf)."""
        self.memory_fixed = False
        """The program has set that (SO_SNDBUF): it does not tune itself."""
        self.established = False
        """The handshake is through: data may leave."""
        self.window_edge = iss + 1
        """SND.UNA + SND.WND: the octet after the last the peer will take."""
        self.max_window = 0
        """The largest window the peer ever offered: half its buffer is guessed from it."""
        self._window_sequence = 0
        """SND.WL1"""
        self._window_ack = 0
        """SND.WL2"""
        self.congestion_name = settings.congestion
        self._was_filled = False
        """What left in this round filled the congestion window."""
        self._most_outstanding = 0
        """Octets in this round, where it was not filled."""
        self._round_end = iss
        """SND.NXT when the round began: it ends when that is acknowledged."""
        self.cwr_due = False
        """The next new data is to say that the window was reduced (RFC 3168 6.1.2)."""
        self.scale = 0
        """Snd.Wind.Shift"""
        self.mss = 536
        """Eff.snd.MSS of RFC 9293 3.7.1: octets of data in a full segment."""
        self.search: MtuSearch | None = None
        """For what the path takes, once large segments have vanished."""
        self.no_delay = settings.no_delay
        self.small_end = iss
        """End of the last segment that was not full."""
        self.round_trip = round_trip
        self.last_sent_at = 0
        self.retries = 0
        """Timeouts since the last progress, or window probes since the peer was heard."""
        self.probes = 0
        """Window probes since the window shut."""
        self.retransmissions = 0

    def establish(self, mss: int, settings: TcpSettings, repeated: int, now: int) -> None:
        """Data may leave now. `mss` counts data only, without any options; `repeated` is how
        often the SYN or SYN-ACK was."""
        self.established = True
        self.mss = mss
        # RFC 6928 2, RFC 5681 3.1: one segment after losses; a single repetition, which may have
        # been needless, does not count (as in Linux).
        segments = 1 if repeated > 1 else settings.initial_window
        self.congestion = named(self.congestion_name)(mss, segments * mss, self.round_trip)
        self.recovery = Recovery(self.transmitter.sack, self.iss)
        self.last_sent_at = now

    def set_congestion_control(self, name: str) -> None:
        """Another algorithm from now on, with the window and threshold that there are."""
        algorithm = named(name)
        self.congestion_name = name
        if self.established:
            before = self.congestion
            self.congestion = algorithm(self.mss, before.window, self.round_trip)
            self.congestion.threshold = before.threshold

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

    def in_flight(self) -> int:
        """Octets believed to be in the network."""
        return self.recovery.in_flight(self.una, self.nxt)

    def flight_size(self) -> int:
        """FlightSize of RFC 5681 3.2 (2): what is outstanding without limited transmit, which
        is what went beyond the congestion window."""
        return min(self.nxt - self.una, self.congestion.window)

    # -- the peer's window

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

    # -- acknowledgements

    def advance(self, ack: int, now: int) -> None:
        """SND.UNA moves on to `ack`."""
        self.una = ack
        self.buffer.release(ack)
        self.retries = 0
        search = self.search
        if search is not None and search.acknowledged(ack, now):
            self.set_mss(search.low)
            if search.low >= search.ceiling:
                self.search = None

    def measure_echo(self, segment: TcpSegment, now: int) -> None:
        """A sample of what was sent again: the timestamp that the peer echoes tells which it
        answers, to the millisecond (RFC 7323 4.1)."""
        if self.transmitter.timestamps and segment.timestamp is not None:
            elapsed = (self.transmitter.clock(now) - segment.timestamp_echo) & MASK
            if segment.timestamp_echo and elapsed < HALF:
                self.round_trip.sample(max(elapsed, 1) * MILLISECOND)

    # -- how much of the congestion window is used

    def note_use(self, in_flight: int) -> None:
        """New data has left, with which that many octets are in flight (tcp_cwnd_validate)."""
        una, nxt = self.una, self.nxt
        filled = in_flight + self.mss > self.congestion.window
        outstanding = nxt - una
        if (
            filled
            or una >= self._round_end
            or (not self._was_filled and outstanding > self._most_outstanding)
        ):
            self._was_filled = filled
            self._most_outstanding = outstanding
            self._round_end = nxt

    @property
    def window_limits(self) -> bool:
        """Whether the window is what holds the sender back, or soon would: slow start goes on to
        twice what was outstanding (Linux: tcp_is_cwnd_limited)."""
        congestion = self.congestion
        window = congestion.window
        return self._was_filled or (
            window < congestion.threshold and window < 2 * self._most_outstanding
        )

    # -- what leaves

    def send_new(self, size: int, now: int, flags: int = ACK) -> None:
        """The next `size` octets leave for the first time, with PSH and the FIN where they end
        the stream. The caller has prepared the transmitter, and sees to the timer."""
        start = self.nxt
        end = start + size
        buffer = self.buffer
        data = buffer.cut(start, end)
        if end == buffer.end:
            flags = ACK | PSH
            if buffer.fin_queued and end < self.window_edge:
                flags = ACK | PSH | FIN if size else ACK | FIN
                end += 1
        if self.cwr_due and size:
            self.cwr_due = False
            flags |= CWR
        self.transmitter.write(start, flags, data, now, self.transmitter.ecn if size else 0)
        self.nxt = end
        recovery = self.recovery
        recovery.queue.append(start, end, now)
        if not recovery.in_order:
            recovery.sent += size
        self.last_sent_at = now

    def send_again(self, segment: SentSegment, now: int) -> None:
        """Repeat a segment that is outstanding."""
        start, stop = segment.start, segment.end
        buffer = self.buffer
        end = buffer.end
        flags = ACK
        if stop >= end:
            flags = ACK | PSH
            if stop > end:
                flags = ACK | PSH | FIN if start < end else ACK | FIN
        self.transmitter.prepare(now)
        self.transmitter.write(start, flags, buffer.cut(start, min(stop, end)), now)
        recovery = self.recovery
        recovery.queue.mark_resent(segment, now)
        recovery.sent += stop - start
        recovery.in_order = False
        undo.resent(recovery, now)
        self.last_sent_at = now
        self.retransmissions += 1
        self.counters.retransmissions += 1
