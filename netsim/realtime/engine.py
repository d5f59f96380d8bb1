"""Runs one node in real time: reads its wires, keeps its agenda, sends what it sends.

Every event is handled at its own logical time, however late Python gets round to it: a frame is
due when its link says so, and what the node sends in answer departs at that time. So delays of
scheduling hide inside the delays of links and do not add up. How late the node runs behind is
measured and reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from heapq import heappop
from typing import Any, Final

from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND
from netsim.link.simplex_link import Departure
from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.realtime.cable_end import CableEnd
from netsim.realtime.cut import Cuts
from netsim.realtime.lateness import Lateness
from netsim.realtime.shared_counters import SharedBooks
from netsim.realtime.wire import WireReceiver, WireSender
from netsim.site.accounting import Books
from netsim.site.driver import Action, Agenda, Driver

MAX_LATENESS: Final = 20 * MILLISECOND
"""Frames later than this are restamped, so that overload becomes delay that TCP sees and not a
backlog without end."""

CarrierChanged = Callable[[Port, int], None]


class Engine:
    """The node, its agenda, and its ends of the wires.

    `epoch` is the `time.monotonic_ns` at which the network's time was 0; all nodes share it.
    `books` outlive this process.
    """

    def __init__(
        self,
        node: Node,
        source: int,
        port_sources: list[int],
        epoch: int,
        books: SharedBooks | None = None,
    ) -> None:
        self.node = node
        self.epoch = epoch
        self.last = 0
        """Network time of the last event handled."""
        self.resynced = 0
        """Events restamped because they were more than `MAX_LATENESS` late."""
        self.lateness = Lateness()
        self.readers: dict[int, Callable[[], object]] = {}
        """What to call when a wire's descriptor is readable."""
        self.on_blocked: Callable[[WireSender], None] = lambda sender: None
        self.on_connected: Callable[[int], None] = lambda descriptor: None
        """Is told of descriptors that `readers` has got."""
        self.on_disconnected: Callable[[int], None] = lambda descriptor: None
        """Is told of descriptors, of wires in either direction, that are about to be closed."""
        self.on_carrier_changed: CarrierChanged = lambda port, now: None
        self.on_cut: Callable[[int, Books], None] = lambda number, books: None
        self._agenda: Agenda = []
        self._driver = Driver(node, self._agenda, self._transmit, source, port_sources)
        self._ends = [CableEnd(port) for port in node.ports]
        self._carriers = [port.up for port in node.ports]
        """As reported last."""
        self._books = books
        self._has_read = False
        """Frames have come off a wire since the books were written."""
        self._cuts = Cuts(self._ends, lambda number, books: self.on_cut(number, books))

    # Time

    def wall(self) -> int:
        """Network time by the clock, in ns."""
        return time.monotonic_ns() - self.epoch

    def program_time(self) -> int:
        """Network time of what a program does now: never before an event already handled."""
        self.last = max(self.wall(), self.last)
        return self.last

    def next_due(self) -> int | None:
        """Network time of the earliest entry of the agenda."""
        return self._agenda[0][0] if self._agenda else None

    # Cables

    def connect(self, index: int, receiving: int, sending: int) -> None:
        """Attach new wires to a port, by the descriptors of their ends here."""
        end = self._ends[index]
        receiver = WireReceiver(receiving)
        end.connect(receiver, WireSender(sending))
        self.readers[receiving] = lambda: self._read(end, receiver)
        self.on_connected(receiving)

    def hang_up(self, index: int) -> None:
        """The neighbour's process is gone, whether or not the end of its wires has been seen.

        What its programs have forked may hold them open.
        """
        end = self._ends[index]
        while end.receiver is not None and self._read(end, end.receiver):
            pass
        if end.receiver is not None:
            self._disconnect(end)

    def change(self, index: int, condition: LinkCondition, at: int) -> None:
        """From `at` on the direction that leaves a port is in `condition`."""
        port = self.node.ports[index]
        self._driver.change_at(port, condition, at)
        self.at(at, self._changed, port)

    def begin_in(self, conditions: Mapping[str, LinkCondition]) -> None:
        """Put ports into conditions in which they begin, by interface."""
        now = self.program_time()
        for port in self.node.ports:
            condition = conditions[port.name]
            port.egress.change(condition.attributes, now)
            if condition.held:
                port.egress.hold(now)
            self._driver.set_carrier(port, condition.up, now)
            self._carriers[port.index] = condition.up

    # Work

    def flush(self) -> None:
        """Send what programs have written since the last tick.

        What is due comes first, each at its own time: only programs act at the clock's.
        """
        self.run()
        if self.node.has_output:
            self._driver.flush(self.program_time())
            self._flush_wires()

    def transmit_now(self) -> None:
        """Send what was written at `last`, the time that its writer was just told."""
        self._driver.flush(self.last)
        self._flush_wires()

    def run(self) -> None:
        """Handle everything that is due by now."""
        agenda = self._agenda
        wall = self.wall()
        if not agenda or agenda[0][0] > wall:
            if self._has_read:
                self._write_books()
            return
        self.lateness.add(wall - agenda[0][0])
        earliest = wall - MAX_LATENESS
        last = self.last
        while agenda and (due := agenda[0][0]) <= wall:
            _, _, _, action, argument, frame = heappop(agenda)
            if due < earliest:
                self.resynced += 1
                due = earliest
            if due > last:
                self.last = last = due
            action(last, argument, frame)
        self._flush_wires()

    def at(self, when: int, action: Action, argument: Any) -> None:
        """Put an event of the node's own into the agenda."""
        self._driver.schedule(when, action, argument)

    def cut(self, number: int) -> None:
        """Take this node's part of a consistent cut through the network."""
        for end in self._ends:
            if end.sender is not None:
                end.sender.mark(number)
        self._write_books()
        self._cuts.begin(number)
        for end in self._ends:
            if end.sender is not None and end.sender.blocked:
                self.on_blocked(end.sender)

    def lost(self) -> list[dict[str, int]]:
        """Of each port in order: frames that its wire could not take, by reason."""
        return [dict(end.lost) for end in self._ends]

    def _read(self, end: CableEnd, receiver: WireReceiver) -> bool:
        """Take what has arrived; False when that was nothing."""
        try:
            messages = receiver.receive()
        except EOFError:
            self._disconnect(end)
            return False
        for message in messages:
            end.messages_read += 1
            if isinstance(message, int):
                self._cuts.marked(message, end)
            else:
                self._driver.arrive(end.port, message)
        self._has_read = bool(messages) or self._has_read
        return bool(messages)

    def _disconnect(self, end: CableEnd) -> None:
        """The neighbour's process is gone."""
        assert end.receiver is not None, "what is disconnected was connected"
        assert end.sender is not None, "and both ways"
        del self.readers[end.receiver.descriptor]
        self.on_disconnected(end.receiver.descriptor)
        self.on_disconnected(end.sender.descriptor)
        end.disconnect()
        self.at(self.program_time(), self._lose_carrier, end)
        self._cuts.look()

    def _lose_carrier(self, now: int, end: CableEnd, _: bytes) -> None:
        if end.port.up:
            self._driver.set_carrier(end.port, False, now)
            self._changed(now, end.port, b"")

    def _changed(self, now: int, port: Port, _: bytes) -> None:
        """The condition of a port's cable has changed."""
        self._write_books(of_all=True)
        if port.up != self._carriers[port.index]:
            self._carriers[port.index] = port.up
            self.on_carrier_changed(port, now)

    def _transmit(self, port: Port, departures: list[Departure]) -> None:
        self._ends[port.index].put(departures)

    def _flush_wires(self) -> None:
        self._write_books()
        for end in self._ends:
            sender = end.sender
            if sender is not None and sender.dirty and not sender.blocked:
                sender.flush()
                if sender.blocked:
                    self.on_blocked(sender)

    def _write_books(self, *, of_all: bool = False) -> None:
        """Done before anything is written to a wire: what neighbours see is in the books."""
        self._has_read = False
        books = self._books
        if books is None:
            return
        for end in self._ends:
            if end.sender is not None:
                end.sender.pack()
            progress = end.progress
            if progress != end.committed or of_all:
                end.committed = progress
                books.write(end)
