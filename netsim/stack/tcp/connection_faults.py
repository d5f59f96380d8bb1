"""Connections that go wrong on purpose: reset or cut after some bytes, closed late, refused."""

from __future__ import annotations

import errno
from collections.abc import Callable

from netsim.core.host_faults import ConnectionFault
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.output import output
from netsim.stack.tcp.state import SYNCHRONIZED, State
from netsim.stack.timers import Timer


class ConnectionFaults:
    """The faults of one host's connections, and what they have done already."""

    def __init__(self) -> None:
        self._faults: tuple[ConnectionFault, ...] = ()
        self._done: set[int] = set()
        """Numbers of faults that happen once, to the connections of that moment."""
        self.hits: dict[int, int] = {}
        """By the number of a fault: how many connections it has reset, cut or refused."""

    @property
    def any(self) -> bool:
        """Whether new connections have to be looked at."""
        return bool(self._faults)

    def set(
        self, faults: tuple[ConnectionFault, ...], connections: list[Connection], now: int
    ) -> None:
        """From now on these are in force, for `connections` and for those to come."""
        once = [fault for fault in faults if fault.kind == "reset" and fault.amount is None]
        self._faults = tuple(fault for fault in faults if fault not in once)
        for fault in once:
            if fault.number not in self._done:
                for connection in connections:
                    if fault.concerns(connection.remote[0], connection.local[1]):
                        self.hit(fault)
                        reset(connection, now)
        self._done = {fault.number for fault in once}
        numbers = {fault.number for fault in faults}
        for number in self.hits.keys() - numbers:
            del self.hits[number]
        for connection in connections:
            if connection.state is not State.CLOSED:
                self.adopt(connection)

    def refuses(self, peer: bytes, port: int) -> bool:
        """Whether a SYN is answered with RST; it is counted."""
        for fault in self._faults:
            if fault.kind != "refuse" or not fault.concerns(peer, port):
                continue
            if fault.amount is None or self.hits.get(fault.number, 0) < fault.amount:
                self.hit(fault)
                return True
        return False

    def hit(self, fault: ConnectionFault) -> None:
        """One connection more has suffered it."""
        self.hits[fault.number] = self.hits.get(fault.number, 0) + 1

    def adopt(self, connection: Connection) -> None:
        """Have a connection suffer what is in force for it."""
        peer, port = connection.remote[0], connection.local[1]
        wanted = [
            fault for fault in self._faults if fault.kind != "refuse" and fault.concerns(peer, port)
        ]
        trouble = connection.trouble
        if trouble is None and wanted:
            trouble = connection.trouble = Trouble(connection, self.hit)
        if trouble is not None:
            trouble.suffer(wanted)


class Trouble:
    """What one connection suffers; bytes are counted from when that began."""

    __slots__ = ("_close_delay", "_close_timer", "_connection", "_fin_wanted", "_hit", "_limits")

    def __init__(self, connection: Connection, hit: Callable[[ConnectionFault], None]) -> None:
        self._connection = connection
        self._hit = hit
        self._close_timer = Timer(connection.shared.timers, self._close)
        self._close_delay = 0
        """ns from the owner's close to the FIN."""
        self._fin_wanted = False
        self._limits: dict[int, tuple[ConnectionFault, int]] = {}
        """By number: a fault, and the sequence number at which it ends the connection."""

    def suffer(self, faults: list[ConnectionFault]) -> None:
        """These are in force now."""
        end = self._connection.sender.buffer.end
        before, self._limits = self._limits, {}
        self._close_delay = 0
        for fault in faults:
            amount = fault.amount or 0
            if fault.kind == "slow_close":
                self._close_delay = max(self._close_delay, amount)
            else:
                self._limits[fault.number] = before.get(fault.number, (fault, end + amount))
        if self._fin_wanted and not self._close_delay and not self._is_doomed():
            self._close_timer.stop()
            self._fin_wanted = False
            self._connection.queue_fin()
        self.written()

    def written(self) -> None:
        """The owner has written something: what is beyond the limit never leaves."""
        if not self._limits:
            return
        fault, limit = self._first()
        connection = self._connection
        buffer = connection.sender.buffer
        if buffer.end >= limit and not buffer.fin_queued:
            buffer.truncate(limit)
            if fault.kind == "cut":
                self._hit(fault)
                connection.queue_fin()

    def delays_fin(self) -> bool:
        """The owner has closed: whether the FIN has to wait."""
        self._fin_wanted |= bool(self._close_delay) or self._is_doomed()
        return self._fin_wanted

    def flushed(self, now: int) -> None:
        """The time is known at which the owner has closed."""
        if self._fin_wanted and self._close_delay:
            self._close_timer.start_if_stopped(now + self._close_delay)

    def arrived(self, now: int) -> None:
        """A segment has come: when all before the limit has arrived there, it is reset."""
        if not self._limits:
            return
        fault, limit = self._first()
        if fault.kind == "reset" and self._connection.sender.una >= limit:
            self._hit(fault)
            reset(self._connection, now)

    def _is_doomed(self) -> bool:
        """All that may leave is written, and a RST will be the end."""
        if not self._limits:
            return False
        fault, limit = self._first()
        return fault.kind == "reset" and self._connection.sender.buffer.end >= limit

    def _close(self, now: int) -> None:
        self._fin_wanted = False
        connection = self._connection
        if connection.state is not State.CLOSED:
            connection.queue_fin()
            output(connection.sender, now)

    def _first(self) -> tuple[ConnectionFault, int]:
        return min(self._limits.values(), key=lambda each: each[1])


def reset(connection: Connection, now: int) -> None:
    """End it for both: a RST to the peer, ECONNRESET to the owner."""
    if connection.state in SYNCHRONIZED:
        connection.transmitter.reset(connection.sender.nxt, now)
    connection.end(errno.ECONNRESET)
