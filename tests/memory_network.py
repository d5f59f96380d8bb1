"""A network in memory for tests: one site with all nodes, and time that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop
from typing import Protocol

from netsim.core.link_attributes import LinkCondition
from netsim.node.base_node import Node
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.observe.link_account import LinkAccount
from netsim.site.accounting import Accounting
from netsim.site.driver import Agenda
from netsim.site.site import Site
from netsim.stack.host import Host
from netsim.topology.plan import NetworkPlan


class Clock(Protocol):
    """The time in ns, and what is going to happen; a virtual timeline is one."""

    now: int
    agenda: Agenda


@dataclass
class _StoppedClock:
    now: int = 0
    agenda: Agenda = field(default_factory=list)


class MemoryNetwork:
    """Every node of a plan, without programs: a test drives the sockets of the hosts itself."""

    def __init__(
        self, plan: NetworkPlan, clock: Clock | None = None, first_source: int = 0
    ) -> None:
        self.plan = plan
        clock = self.clock = _StoppedClock() if clock is None else clock
        self.site = Site(plan, clock.agenda, lambda: clock.now, first_source=first_source)
        self.accounting = Accounting(plan)
        self._boots: dict[str, int] = {}
        for node in plan.nodes:
            self.site.add(node.name)

    @property
    def now(self) -> int:
        """Network time in ns."""
        return self.clock.now

    @property
    def nodes(self) -> dict[str, Node]:
        """Those that are up."""
        return self.site.nodes

    def port(self, node: str, interface: str) -> Port:
        """One end of a link."""
        return self.site.port(node, interface)

    def host(self, name: str) -> Host:
        """The protocol stack of a computer or router."""
        node = self.nodes[name]
        assert isinstance(node, HostNode), f"{name} is a switch and has no protocol stack"
        return node.host

    # Time

    def flush(self) -> None:
        """Send what was written to sockets since the last call, at the present time."""
        for driver in self.site.drivers.values():
            if driver.node.has_output:
                driver.flush(self.now)

    def run_until(self, end: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen up to and including `end`, or until `stop()` holds."""
        self.flush()
        clock, agenda = self.clock, self.clock.agenda
        while agenda and agenda[0][0] <= end and not stop():
            due, _, _, action, argument, frame = heappop(agenda)
            assert due >= self.now, "nothing is put into the agenda for a time that has passed"
            clock.now = due
            action(due, argument, frame)
        if not stop():
            clock.now = max(clock.now, end)

    def run_for(self, duration: int, stop: Callable[[], bool] = lambda: False) -> None:
        """`run_until` a time that is `duration` ns away."""
        self.run_until(self.now + duration, stop)

    # Cables

    def set_link(self, node: str, interface: str, up: bool) -> None:
        """Pull the cable at that interface, or plug it in: both ends notice now."""
        port = self.port(node, interface)
        self.site.drivers[node].set_carrier(port, up, self.now)
        self.site.drivers[port.peer].set_carrier(self.port(port.peer, port.peer_port), up, self.now)

    def inject(self, node: str, interface: str, frame: bytes) -> None:
        """Put a frame of anybody's onto the cable that ends at that interface, now."""
        end = self.port(node, interface)
        port, driver = self.port(end.peer, end.peer_port), self.site.drivers[end.peer]
        port.transmit(frame, self.now)
        driver.node.sending[port] = None
        driver.settle(self.now)

    # Nodes that go and come

    def remove(self, name: str) -> None:
        """A node is gone, and all that it held."""
        self.accounting.close(name, self.site.remove(name))

    def restore(self, name: str, conditions: Mapping[str, LinkCondition]) -> Node:
        """Build the node anew, its ports in these conditions and connected to what is up."""
        self._boots[name] = self._boots.get(name, 0) + 1
        return self.site.add(name, self._boots[name], conditions)

    # Accounts

    def accounts(self) -> dict[str, LinkAccount]:
        """The accounts of every direction, by `"node/interface"` of its sender."""
        accounts = self.accounting.accounts(self.site.counters())
        return {account.name: account for account in accounts}
