"""A whole network in one memory and one thread: the same nodes, and time that jumps.

Programs do not run here yet; a test drives the hosts' sockets itself, between calls of
`run_until`.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop

from netsim.link.link import Departure
from netsim.node.host_node import HostNode
from netsim.node.node import Node
from netsim.node.port import Port
from netsim.observe.accounting import LinkAccount
from netsim.runtime.build import build_node, direction_source, node_source
from netsim.runtime.driver import Agenda, Driver
from netsim.stack.host import Host
from netsim.topology.plan import NetworkPlan


class MemoryNetwork:
    """Runs every node of a plan. `now` is network time in ns and starts at 0."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self.now = 0
        self.nodes: dict[str, Node] = {}
        self._agenda: Agenda = []
        self._drivers: dict[str, Driver] = {}
        self._far_end: dict[Port, tuple[Driver, Port]] = {}
        for node_plan in plan.nodes:
            node = build_node(plan, node_plan.name)
            self.nodes[node.name] = node
            self._drivers[node.name] = Driver(
                node,
                self._agenda,
                self._carry,
                node_source(plan, node.name),
                [direction_source(node_plan, each, plan) for each in node_plan.interfaces],
            )
        for link in plan.links:
            a, b = self.port(*link.a), self.port(*link.b)
            self._far_end[a] = self._drivers[link.b[0]], b
            self._far_end[b] = self._drivers[link.a[0]], a

    def port(self, node: str, interface: str) -> Port:
        """One end of a link; KeyError when there is none of that name."""
        for port in self.nodes[node].ports:
            if port.name == interface:
                return port
        raise KeyError(f"{node}:{interface}")

    def host(self, name: str) -> Host:
        """The protocol stack of a computer or router."""
        node = self.nodes[name]
        if not isinstance(node, HostNode):
            raise TypeError(f"{name} is a switch and has no protocol stack")
        return node.host

    def flush(self) -> None:
        """Send what was written to sockets since the last call, at the present time."""
        for driver in self._drivers.values():
            if driver.node.has_output:
                driver.flush(self.now)

    def run_until(self, end: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen up to and including `end`, or until `stop()` holds."""
        self.flush()
        agenda = self._agenda
        while agenda and agenda[0][0] <= end and not stop():
            due, _, _, action, argument, frame = heappop(agenda)
            assert due >= self.now, "nothing is put into the agenda for a time that has passed"
            self.now = due
            action(due, argument, frame)
        if not stop():
            self.now = max(self.now, end)

    def run_for(self, duration: int, stop: Callable[[], bool] = lambda: False) -> None:
        """`run_until` a time that is `duration` ns away."""
        self.run_until(self.now + duration, stop)

    def set_link(self, node: str, interface: str, up: bool) -> None:
        """Pull the cable at that interface, or plug it in: both ends notice now.

        What is in flight is lost with the carrier.
        """
        port = self.port(node, interface)
        self._drivers[node].set_carrier(port, up, self.now)
        far_driver, far_port = self._far_end[port]
        far_driver.set_carrier(far_port, up, self.now)

    def inject(self, node: str, interface: str, frame: bytes) -> None:
        """Put a frame of anybody's onto the cable that ends at that interface, now."""
        driver, port = self._far_end[self.port(node, interface)]
        port.transmit(frame, self.now)
        driver.node.sending[port] = None
        driver.settle(self.now)

    def accounts(self) -> dict[str, LinkAccount]:
        """The books of every direction, by `"node/interface"` of its sender."""
        books = {}
        for port, (_, far_port) in self._far_end.items():
            name = f"{far_port.peer}/{port.name}"
            counters = port.egress.counters
            books[name] = LinkAccount(
                name,
                sent=counters.sent,
                duplicated=counters.duplicated,
                delivered=far_port.delivered,
                dropped=merge(counters.dropped, far_port.ingress_dropped),
                in_flight=port.egress.queued() + far_port.in_flight,
            )
        return books

    def _carry(self, port: Port, departures: list[Departure]) -> None:
        driver, far_port = self._far_end[port]
        driver.arrive(far_port, departures)


def merge(*counts: dict[str, int]) -> dict[str, int]:
    """Counters by reason, added up."""
    total: dict[str, int] = {}
    for each in counts:
        for reason, count in each.items():
            total[reason] = total.get(reason, 0) + count
    return total
