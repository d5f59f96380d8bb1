"""TIME-WAIT: what remains of a connection for 2 MSL (RFC 9293 3.6.1, RFC 1122 4.2.2.13).

A light object takes the connection's place, since a busy client leaves thousands of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.stack.tcp.seq import MASK, is_older, unwrap
from netsim.stack.tcp.shared import Endpoint, Shared
from netsim.stack.tcp.state import State
from netsim.stack.timers import Timer
from netsim.wire.tcp import FIN, RST, SYN, TcpSegment

if TYPE_CHECKING:
    from netsim.stack.tcp.connection import Connection
    from netsim.stack.tcp.transmitter import Transmitter

_ISN_GAP = 65_537
"""Between an old connection's SND.NXT and the ISN of its successor, as in Linux."""


class TimeWait:
    """Answers what still comes for a connection that is over."""

    __slots__ = ("_nxt", "_shared", "_timer", "_transmitter", "key", "local", "remote")

    def __init__(self, connection: Connection, shared: Shared) -> None:
        self.key = connection.key
        self.local: Endpoint = connection.local
        self.remote: Endpoint = connection.remote
        self._transmitter: Transmitter = connection.transmitter
        self._nxt = connection.sender.nxt
        self._shared = shared
        self._timer = Timer(shared.timers, self._expired)

    def start(self, now: int) -> None:
        """Wait 2 MSL from now on."""
        self._timer.start(now + 2 * self._shared.settings.msl_ns)

    @property
    def ends_at(self) -> int | None:
        """When it will be over, in ns of network time."""
        return self._timer.due

    def end(self) -> None:
        """CLOSED"""
        self._timer.retire()
        self._shared.waiting.pop(self.key, None)

    def successor_iss(self, segment: TcpSegment) -> int | None:
        """If `segment` is a SYN that may open the connection anew (RFC 9293 3.6.1: its number is
        beyond what was seen; RFC 6191: or its timestamp is), the least ISN for our side."""
        if segment.flags & (SYN | RST) != SYN:
            return None
        receiver = self._transmitter.receiver
        newer = unwrap(segment.sequence, receiver.nxt) > receiver.nxt
        if self._transmitter.timestamps and segment.timestamp is not None:
            newer = newer or is_older(receiver.recent, segment.timestamp)
        return self._nxt + _ISN_GAP & MASK if newer else None

    def receive(self, segment: TcpSegment, now: int) -> None:
        """RFC 9293 3.10.7.4, TIME-WAIT"""
        receiver = self._transmitter.receiver
        sequence = unwrap(segment.sequence, receiver.nxt)
        if segment.flags & RST:
            if sequence == receiver.nxt:  # RFC 5961 3.2
                self._shared.counters.resets_in += 1
                self.end()
            return
        end = sequence + len(segment.payload) + (segment.flags & FIN)
        if segment.flags & FIN and end == receiver.nxt:
            self.start(now)  # "the only thing that can arrive in this state"
        if segment.payload or segment.flags & (FIN | SYN) or sequence < receiver.nxt:
            self._transmitter.acknowledge(self._nxt, now)

    def _expired(self, now: int) -> None:
        self.end()


def enter(connection: Connection, now: int) -> None:
    """Both FINs are exchanged and we closed first: the owner is done, the addresses wait."""
    shared = connection.shared
    connection.end(None)
    connection.state = State.TIME_WAIT
    if len(shared.waiting) >= shared.settings.time_wait_limit:
        shared.counters.time_wait_overflows += 1
        next(iter(shared.waiting.values())).end()
    waiting = TimeWait(connection, shared)
    shared.waiting[connection.key] = waiting
    waiting.start(now)
