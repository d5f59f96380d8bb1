"""Runs a site in real time: reads its wires, keeps its agenda, sends what its nodes send.

Every event is handled at its own logical time, however late Python gets round to it: a frame is
due when its link says so, and what a node sends in answer departs at that time. So delays of
scheduling hide inside the delays of links and do not add up. How late the site runs behind is
measured and reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from heapq import heappop
from typing import Final

from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND
from netsim.node.attached_node import AttachedNode
from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.realtime.cable_end import CableEnd
from netsim.realtime.cut import Counters, Cuts
from netsim.realtime.lateness import Lateness
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.shared_counters import SharedCounters
from netsim.realtime.tap_device import TapDevice
from netsim.realtime.wire import WireReceiver, WireSender
from netsim.site.driver import Agenda, Driver
from netsim.site.paths import PathFinder
from netsim.site.site import Site
from netsim.topology.plan import NetworkPlan

_log = logging.getLogger("netsim.tap")

MAX_LATENESS: Final = 20 * MILLISECOND
"""Frames later than this are restamped, so that overload becomes delay that TCP sees and not a
backlog without end."""


class Engine:
    """A site, its agenda, and its ends of the wires to other sites.

    All sites share the `clock`. `counters` outlive this process.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        clock: NetworkClock,
        *,
        paths: PathFinder | None = None,
        counters: SharedCounters | None = None,
    ) -> None:
        self.clock = clock
        self.epoch = clock.epoch
        self.is_slow = clock.speed != 1
        """Else network time is `time.monotonic_ns` less the epoch: no call of `wall` for that."""
        self.wall = clock.reader()
        """Network time by the clock, in ns."""
        self.alarm = clock.alarm()
        """The `time.monotonic_ns` of a network time."""
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
        self.on_cut: Callable[[int, Counters], None] = lambda number, counters: None
        self.mute: set[Driver] = set()
        """Of nodes whose programs stand still."""
        self.agenda: Agenda = []
        """What happens to the site, earliest first."""
        self.site = Site(plan, self.agenda, self.program_time, paths=paths)
        self.site.watch.never_waits = True
        self.changed = self.site.changed
        """Ports whose counters `run` has to write."""
        self._ends: dict[Port, CableEnd] = {}
        self._to_flush: list[WireSender] = []
        self._counters = counters
        self._cuts = Cuts(
            self._ends.values(),
            lambda end: end.port.peer in self.site.nodes,
            lambda number, counters: self.on_cut(number, counters),
        )

    # Time

    def program_time(self) -> int:
        """Network time of what a program does now: never before an event already handled."""
        self.last = max(self.wall(), self.last)
        return self.last

    def next_due(self) -> int | None:
        """Network time of the earliest entry of the agenda."""
        return self.agenda[0][0] if self.agenda else None

    # Nodes and cables

    def add(
        self, name: str, boots: int = 0, conditions: Mapping[str, LinkCondition] | None = None
    ) -> Node:
        """As `Site.add`. Cables to nodes that are not here wait for wires (`connect`)."""
        node = self.site.add(name, boots, conditions)
        for port in node.ports:
            end = self._ends[port] = CableEnd(name, port, len(self._ends))
            if port.peer not in self.site.nodes:
                self.site.lead_away(port, end.carry)
        return node

    def connect(self, port: Port, receiving: int, sending: int) -> None:
        """Attach new wires to a port, by the descriptors of their ends here."""
        end = self._ends[port]
        receiver = WireReceiver(receiving)
        end.connect(receiver, WireSender(sending, self._to_flush))
        self.site.lead_away(port, end.carry)
        self.readers[receiving] = lambda: self._read(end, receiver)
        self.on_connected(receiving)

    def attach(self, node: AttachedNode, device: TapDevice) -> None:
        """The place of `node` is taken by whoever holds the device: its frames enter here."""

        def take() -> None:
            try:
                for frame in device.frames():
                    node.take(frame)
            except OSError as error:
                # Somebody has deleted it. Its descriptor would be readable for ever.
                _log.warning("the TAP device is gone: %s", error.strerror)
                del self.readers[device.descriptor]
                self.on_disconnected(device.descriptor)
            self.run()  # what is due comes first
            self.site.drivers[node.name].flush(self.program_time())
            self.flush_wires()

        node.give = device.write
        node.on_carrier = device.set_carrier
        device.set_carrier(all(port.up for port in node.ports))
        self.readers[device.descriptor] = take
        self.on_connected(device.descriptor)

    def hang_up(self, port: Port) -> None:
        """The neighbour's process is gone, whether or not the end of its wires has been seen.

        What its programs have forked may hold them open.
        """
        end = self._ends[port]
        while end.receiver is not None and self._read(end, end.receiver):
            pass
        if end.receiver is not None:
            self._disconnect(end)

    def close(self) -> None:
        """Give the wires back."""
        for end in self._ends.values():
            end.disconnect()

    # Work

    def set_mute(self, name: str, mute: bool) -> None:
        """Whether what programs of a node write stays there."""
        driver = self.site.drivers[name]
        (self.mute.add if mute else self.mute.discard)(driver)

    def transmit_now(self, name: str) -> None:
        """Send what was written at `last`, the time that its writer was just told."""
        driver = self.site.drivers[name]
        if driver not in self.mute:
            driver.flush(self.last)
            self.flush_wires()

    def run(self) -> None:
        """Handle everything that is due by now."""
        agenda = self.agenda
        wall = self.wall()
        if not agenda or agenda[0][0] > wall:
            if self.changed:
                self._write_counters()
            return
        late = wall - agenda[0][0]
        self.lateness.add(late)
        earliest = wall - MAX_LATENESS
        last = self.last
        frames = timers = 0
        while agenda and (due := agenda[0][0]) <= wall:
            _, _, _, action, argument, frame = heappop(agenda)
            if due < earliest:
                if frame:
                    frames += 1
                else:
                    timers += 1
                due = earliest
            if due > last:
                self.last = last = due
            action(last, argument, frame)
        if frames or timers:
            self.resynced += frames + timers
            if self._counters is not None:
                self._counters.late.handled(wall, frames, timers, late)
        self.flush_wires()

    def cut(self, number: int) -> None:
        """Take this site's part of a consistent cut through the network."""
        for end in self._ends.values():
            if end.sender is not None:
                end.sender.mark(number)
                # The marker is a message, which the counters know of before it is written.
                self.changed[end.port] = None
        self._write_counters()
        self._cuts.begin(number)
        for end in self._ends.values():
            if end.sender is not None and end.sender.blocked:
                self.on_blocked(end.sender)

    def lost(self, name: str) -> list[dict[str, int]]:
        """Of each port of a node in order: frames that its wire could not take, by reason."""
        return [dict(self._ends[port].lost) for port in self.site.nodes[name].ports]

    def _read(self, end: CableEnd, receiver: WireReceiver) -> bool:
        """Take what has arrived; False when that was nothing."""
        try:
            messages = receiver.receive()
        except EOFError:
            self._disconnect(end)
            return False
        driver = self.site.drivers[end.node]
        for message in messages:
            end.messages_read += 1
            self.changed[end.port] = None
            if isinstance(message, int):
                self._cuts.marked(message, end)
            else:
                driver.arrive(end.port, message)
        return bool(messages)

    def _disconnect(self, end: CableEnd) -> None:
        """The neighbour's process is gone."""
        assert end.receiver is not None, "what is disconnected was connected"
        assert end.sender is not None, "and both ways"
        del self.readers[end.receiver.descriptor]
        self.on_disconnected(end.receiver.descriptor)
        self.on_disconnected(end.sender.descriptor)
        end.disconnect()
        self.site.lead_away(end.port, end.carry)
        self.changed[end.port] = None
        self.site.drivers[end.node].schedule(self.program_time(), self._lose_carrier, end)
        self._cuts.look()

    def _lose_carrier(self, now: int, end: CableEnd, _: bytes) -> None:
        if end.port.up:
            self.site.drivers[end.node].set_carrier(end.port, False, now)

    def flush_wires(self) -> None:
        """Write what the nodes have sent."""
        self._write_counters()
        waiting = self._to_flush
        for sender in waiting:
            sender.is_waiting = False
            if not (sender.blocked or sender.broken):
                sender.flush()
                if sender.blocked:
                    self.on_blocked(sender)
        waiting.clear()

    def _write_counters(self) -> None:
        """Done before anything is written to a wire: what neighbours see is in the counters."""
        changed, counters = self.changed, self._counters
        for port in changed:
            end = self._ends[port]
            if end.sender is not None:
                end.sender.pack()
            if counters is not None:
                counters.write(end)
        changed.clear()
