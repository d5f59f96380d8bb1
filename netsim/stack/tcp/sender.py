"""The sending half of a connection: what is outstanding, what the peer takes, what leaves.

A record with what keeps it true: every octet that leaves, first or again, is written and
accounted for here and nowhere else. `Recovery` says what is lost, a `CongestionControl` how much
may be in flight, `RoundTrip` how long to wait. Who decides what leaves is above: `output`,
`acknowledgement`, `retransmission`, `mtu_probes`, `peer_probes`.
"""

from __future__ import annotations

from collections import deque

from netsim.stack.tcp.congestion import CongestionControl, named
from netsim.stack.tcp.mtu_search import MtuSearch
from netsim.stack.tcp.recovery import Recovery
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.send_buffer import SendBuffer
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import Transmitter
from netsim.stack.timers import Timer
from netsim.wire.tcp import ACK, FIN, PSH


class Sender:
    """SND.* of one connection, in unwrapped sequence numbers.

    The SYN is `iss`, data begins at `iss + 1`, the FIN comes after the last octet.
    """

    __slots__ = (
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
        "small_end",
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
        """The handshake is through: data may leave."""
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
        """Eff.snd.MSS of RFC 9293 3.7.1: octets of data in a full segment."""
        self.search: MtuSearch | None = None
        """For what the path takes, once large segments have vanished."""
        self.no_delay = settings.no_delay
        self.small_end = iss
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
        """Data may leave now. `mss` counts data only, without any options."""
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

    # -- what leaves

    def send_new(self, size: int, now: int, flags: int = ACK) -> None:
        """The next `size` octets leave for the first time, with PSH and the FIN where they end
        the stream. The caller has prepared the transmitter, and calls `sent_new` at the end."""
        start = self.nxt
        end = start + size
        buffer = self.buffer
        data = buffer.cut(start, end)
        if end == buffer.end:
            flags = ACK | PSH
            if buffer.fin_queued and end < self.window_edge:
                flags = ACK | PSH | FIN if size else ACK | FIN
                end += 1
        self.transmitter.write(start, flags, data, now)
        self.nxt = end
        self.flights.append((end, now))

    def sent_new(self, first: int, now: int) -> None:
        """New data has left, from `first` on: start the timer (RFC 6298 (5.1)); one that ran
        with nothing outstanding was for a window probe."""
        self.last_sent_at = now
        due = now + self.round_trip.timeout
        if first == self.una:
            self.timer.start(due)
        else:
            self.timer.start_if_stopped(due)

    def send_again(self, start: int, stop: int, now: int) -> int:
        """Repeat the octets from `start` to `stop`; returns where the segment ended."""
        buffer = self.buffer
        end = buffer.end
        flags = ACK
        if stop >= end:
            flags = ACK | PSH
            if self.nxt > end:
                flags = ACK | PSH | FIN if start < end else ACK | FIN
                stop = end + 1
        self.transmitter.prepare(now)
        self.transmitter.write(start, flags, buffer.cut(start, stop), now)
        self.resent_below = max(self.resent_below, stop)
        self.resent_at = self.last_sent_at = now
        self.retransmissions += 1
        self.counters.retransmissions += 1
        self.timer.start_if_stopped(now + self.round_trip.timeout)
        return stop
