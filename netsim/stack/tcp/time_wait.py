"""TIME-WAIT: what remains of a connection for 2 MSL (RFC 9293 3.6.1, RFC 1122 4.2.2.13).

A light object takes the connection's place, since a busy client leaves thousands of them.
"""

from __future__ import annotations

from netsim.stack.tcp.endpoints import Endpoint
from netsim.stack.tcp.seq import MASK, is_older, unwrap
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import Transmitter
from netsim.stack.timers import Timer, Timers
from netsim.wire.tcp import FIN, RST, SYN, TcpSegment

_ISN_GAP = 65_537
"""Between an old connection's SND.NXT and the ISN of its successor, as in Linux."""


class TimeWaitTable:
    """The connections of one host that are in TIME-WAIT, oldest first."""

    __slots__ = ("counters", "entries", "settings", "timers")

    def __init__(self, timers: Timers, settings: TcpSettings, counters: TcpCounters) -> None:
        self.timers = timers
        self.settings = settings
        self.counters = counters
        self.entries: dict[bytes, TimeWait] = {}
        """By `endpoints.key_of`."""

    def add(
        self,
        key: bytes,
        local: Endpoint,
        remote: Endpoint,
        transmitter: Transmitter,
        nxt: int,
        now: int,
    ) -> None:
        """Wait in place of a connection whose SND.NXT was `nxt`."""
        if len(self.entries) >= self.settings.time_wait_limit:
            self.counters.time_wait_overflows += 1
            next(iter(self.entries.values())).end()
        waiting = TimeWait(self, key, local, remote, transmitter, nxt)
        self.entries[key] = waiting
        waiting.start(now)


class TimeWait:
    """Answers what still comes for a connection that is over."""

    __slots__ = ("_nxt", "_table", "_timer", "_transmitter", "key", "local", "remote")

    def __init__(
        self,
        table: TimeWaitTable,
        key: bytes,
        local: Endpoint,
        remote: Endpoint,
        transmitter: Transmitter,
        nxt: int,
    ) -> None:
        self.key = key
        self.local = local
        self.remote = remote
        self._transmitter = transmitter
        self._nxt = nxt
        self._table = table
        self._timer = Timer(table.timers, self._expired)

    def start(self, now: int) -> None:
        """Wait 2 MSL from now on."""
        self._timer.start(now + 2 * self._table.settings.msl_ns)

    @property
    def ends_at(self) -> int | None:
        """When it will be over, in ns of network time."""
        return self._timer.due

    def end(self) -> None:
        """CLOSED"""
        self._timer.retire()
        self._table.entries.pop(self.key, None)

    def successor_iss(self, segment: TcpSegment) -> int | None:
        """If `segment` is a SYN that may open the connection anew, the least ISN for our side:
        with timestamps (RFC 6191 2) if its is later, or the same and its number beyond what was
        seen; without, if its number is (RFC 9293 3.6.1)."""
        if segment.flags & (SYN | RST) != SYN:
            return None
        receiver = self._transmitter.receiver
        newer = unwrap(segment.sequence, receiver.nxt) > receiver.nxt
        if self._transmitter.timestamps and segment.timestamp is not None:
            if is_older(segment.timestamp, receiver.recent):
                return None
            newer = newer or segment.timestamp != receiver.recent
        return self._nxt + _ISN_GAP & MASK if newer else None

    def receive(self, segment: TcpSegment, now: int) -> None:
        """RFC 9293 3.10.7.4, TIME-WAIT"""
        receiver = self._transmitter.receiver
        sequence = unwrap(segment.sequence, receiver.nxt)
        if segment.flags & RST:
            if sequence == receiver.nxt:  # RFC 5961 3.2
                self._table.counters.resets_in += 1
                self.end()
            return
        end = sequence + len(segment.payload) + (segment.flags & FIN)
        if segment.flags & FIN and end == receiver.nxt:
            self.start(now)  # "the only thing that can arrive in this state"
        if segment.payload or segment.flags & (FIN | SYN) or sequence < receiver.nxt:
            self._transmitter.acknowledge(self._nxt, now)

    def _expired(self, now: int) -> None:
        self.end()
