"""Runs one node in real time: reads its wires, keeps its agenda, sends what it sends.

Every event is handled at its own logical time, however late Python gets round to it: a frame is
due when its link says so, and what the node sends in answer departs at that time. So delays of
scheduling hide inside the delays of links and do not add up. How late the node runs behind is
measured and reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heappop
from typing import Any, Final

from netsim.core.time import MILLISECOND
from netsim.link.link import Departure
from netsim.node.node import Node
from netsim.node.port import Port
from netsim.runtime.driver import Action, Agenda, Driver
from netsim.runtime.process.cut import Books, Cuts
from netsim.runtime.process.lateness import Lateness
from netsim.runtime.process.wire import WireReceiver, WireSender

MAX_LATENESS: Final = 20 * MILLISECOND
"""Frames later than this are restamped, so that overload becomes delay that TCP sees and not a
backlog without end."""

CarrierLost = Callable[[Port, int], None]


class Engine:
    """The node, its agenda, and its ends of the wires.

    `epoch` is the `time.monotonic_ns` at which the network's time was 0; all nodes share it.
    """

    def __init__(self, node: Node, source: int, port_sources: list[int], epoch: int) -> None:
        self.node = node
        self.epoch = epoch
        self.last = 0
        """Network time of the last event handled."""
        self.resynced = 0
        """Events restamped because they were more than `MAX_LATENESS` late."""
        self.lateness = Lateness()
        self.readers: dict[int, Callable[[], None]] = {}
        """What to call when a wire's descriptor is readable."""
        self.on_blocked: Callable[[WireSender], None] = lambda sender: None
        self.on_carrier_lost: CarrierLost = lambda port, now: None
        self.on_cut: Callable[[int, Books], None] = lambda number, books: None
        self._agenda: Agenda = []
        self._driver = Driver(node, self._agenda, self._transmit, source, port_sources)
        self._ends: list[tuple[Port, WireSender]] = []
        self._cuts = Cuts(lambda number, books: self.on_cut(number, books))

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

    # Wires

    def connect(self, receivers: list[WireReceiver], senders: list[WireSender]) -> None:
        """Attach the wires, one of each for every port in order."""
        self._ends = list(zip(self.node.ports, senders, strict=True))
        for port, receiver in zip(self.node.ports, receivers, strict=True):
            self.readers[receiver.descriptor] = self._reader(port, receiver)

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
        self._cuts.begin(number, self._ends)
        self._flush_wires()

    def lost(self) -> list[dict[str, int]]:
        """Of each port in order: frames that its wire could not take, by reason."""
        return [dict(sender.lost) for _, sender in self._ends]

    def _reader(self, port: Port, receiver: WireReceiver) -> Callable[[], None]:
        def read() -> None:
            try:
                messages = receiver.receive()
            except EOFError:
                del self.readers[receiver.descriptor]
                receiver.close()
                self._lose_carrier(port)
                return
            for message in messages:
                if isinstance(message, int):
                    self._cuts.marked(message, port, self._ends)
                else:
                    self._driver.arrive(port, message)

        return read

    def _lose_carrier(self, port: Port) -> None:
        """The neighbour's process is gone: the carrier falls behind its last frame."""
        now = self.program_time()

        def lose(at: int, _: None, __: bytes) -> None:
            if port.in_flight:
                self.at(at + MILLISECOND, lose, None)
                return
            self._driver.set_carrier(port, False, at)
            self._cuts.carrier_lost(self._ends)
            self.on_carrier_lost(port, at)

        self.at(now, lose, None)

    def _transmit(self, port: Port, departures: list[Departure]) -> None:
        self._ends[port.index][1].put(departures)

    def _flush_wires(self) -> None:
        for _, sender in self._ends:
            if sender.dirty and not sender.blocked:
                sender.flush()
                if sender.blocked:
                    self.on_blocked(sender)
