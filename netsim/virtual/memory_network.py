"""A whole network in one memory and one thread: the nodes, their cables, and one agenda.

No programs run here: `VirtualBackend` puts them on top, and a test may drive the hosts' sockets
itself between calls of `run_until`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heapify, heappop

from netsim.core.link_attributes import LinkCondition
from netsim.link.simplex_link import Departure
from netsim.node.base_node import Node
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.observe.link_account import LinkAccount
from netsim.site.accounting import Books, Ledger
from netsim.site.build import build_node, direction_source, node_source
from netsim.site.driver import Driver
from netsim.site.port_counters import node_books
from netsim.stack.host import Host
from netsim.topology.plan import NetworkPlan
from netsim.virtual.timeline import Schedule


class MemoryNetwork:
    """Every node of a plan.

    `schedule` may be shared with others whose events have sources below `first_source`.
    """

    def __init__(
        self, plan: NetworkPlan, schedule: Schedule | None = None, first_source: int = 0
    ) -> None:
        self.plan = plan
        self.schedule = Schedule() if schedule is None else schedule
        self.nodes: dict[str, Node] = {}
        """Those that are up."""
        self.drivers: dict[str, Driver] = {}
        self.ledger = Ledger(plan)
        self._agenda = self.schedule.agenda
        self._first_source = first_source
        self._lives: dict[str, int] = {}
        self._far_end: dict[Port, tuple[Driver, Port]] = {}
        for node_plan in plan.nodes:
            self._build(node_plan.name)
        for link in plan.links:
            self._connect(link.a, link.b)

    @property
    def now(self) -> int:
        """Network time in ns."""
        return self.schedule.now

    # Names

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

    # Time

    def flush(self) -> None:
        """Send what was written to sockets since the last call, at the present time."""
        for driver in self.drivers.values():
            if driver.node.has_output:
                driver.flush(self.now)

    def run_until(self, end: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen up to and including `end`, or until `stop()` holds."""
        self.flush()
        agenda = self._agenda
        while agenda and agenda[0][0] <= end and not stop():
            due, _, _, action, argument, frame = heappop(agenda)
            assert due >= self.now, "nothing is put into the agenda for a time that has passed"
            self.schedule.now = due
            action(due, argument, frame)
        if not stop():
            self.schedule.now = max(self.now, end)

    def run_for(self, duration: int, stop: Callable[[], bool] = lambda: False) -> None:
        """`run_until` a time that is `duration` ns away."""
        self.run_until(self.now + duration, stop)

    # Cables

    def set_link(self, node: str, interface: str, up: bool) -> None:
        """Pull the cable at that interface, or plug it in: both ends notice now.

        What is in flight is lost with the carrier.
        """
        port = self.port(node, interface)
        self.drivers[node].set_carrier(port, up, self.now)
        far_driver, far_port = self._far_end[port]
        far_driver.set_carrier(far_port, up, self.now)

    def inject(self, node: str, interface: str, frame: bytes) -> None:
        """Put a frame of anybody's onto the cable that ends at that interface, now."""
        driver, port = self._far_end[self.port(node, interface)]
        port.transmit(frame, self.now)
        driver.node.sending[port] = None
        driver.settle(self.now)

    # Nodes that go and come

    def remove(self, name: str) -> None:
        """A node is gone, and all that it held; its neighbours lose the carrier at once."""
        node, driver = self.nodes.pop(name), self.drivers.pop(name)
        self.ledger.close(name, node_books(node))
        self.forget(driver)
        for port in node.ports:
            far = self._far_end.pop(port, None)
            if far is not None:
                far_driver, far_port = far
                del self._far_end[far_port]
                far_driver.set_carrier(far_port, False, self.now)

    def restore(self, name: str, conditions: Mapping[str, LinkCondition]) -> Node:
        """Build the node anew, its ports in these conditions and connected to what is up."""
        self._lives[name] = self._lives.get(name, 0) + 1
        node = self._build(name)
        for port in node.ports:
            condition = conditions[port.name]
            port.egress.change(condition.attributes, self.now)
            if condition.held:
                port.egress.hold(self.now)
            self.drivers[name].set_carrier(port, condition.up, self.now)
        for link in self.plan.links:
            ends = {link.a[0], link.b[0]}
            if name in ends and ends <= self.nodes.keys():
                self._connect(link.a, link.b)
        return node

    def lives(self, name: str) -> int:
        """How often the node was built anew."""
        return self._lives.get(name, 0)

    def forget(self, owner: object) -> None:
        """Take from the agenda what calls a method of `owner`."""
        self._agenda[:] = [
            entry for entry in self._agenda if getattr(entry[3], "__self__", None) is not owner
        ]
        heapify(self._agenda)

    # Books

    def books(self) -> dict[str, Books]:
        """Of every node that is up."""
        return {name: node_books(node) for name, node in self.nodes.items()}

    def accounts(self) -> dict[str, LinkAccount]:
        """The accounts of every direction, by `"node/interface"` of its sender."""
        return {account.name: account for account in self.ledger.accounts(self.books())}

    def _build(self, name: str) -> Node:
        plan = self.plan
        node_plan = plan.node(name)
        node = self.nodes[name] = build_node(plan, name, self._lives.get(name, 0))
        first = self._first_source
        self.drivers[name] = Driver(
            node,
            self._agenda,
            self._carry,
            first + node_source(plan, name),
            [first + direction_source(node_plan, each, plan) for each in node_plan.interfaces],
        )
        return node

    def _connect(self, a: tuple[str, str], b: tuple[str, str]) -> None:
        port_a, port_b = self.port(*a), self.port(*b)
        self._far_end[port_a] = self.drivers[b[0]], port_b
        self._far_end[port_b] = self.drivers[a[0]], port_a

    def _carry(self, port: Port, departures: list[Departure]) -> None:
        driver, far_port = self._far_end[port]
        driver.arrive(far_port, departures)
