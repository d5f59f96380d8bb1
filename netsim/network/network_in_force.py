"""What is in force in a network: conditions of links, faults of hosts, carriers and routes.

It is the same in both times: a backend tells the nodes, which are processes or in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal

from netsim.core.errors import NotRunningError
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND, SECOND
from netsim.network.awaited_call import awaited
from netsim.network.deferred import UnusedOperations
from netsim.network.events import Event
from netsim.network.fault_history import FaultHistory
from netsim.network.link_conditions import LinkConditions
from netsim.network.network_events import NetworkEvents
from netsim.network.outages import Outages
from netsim.network.rerouting import Changes, Rerouting
from netsim.network.timing import TimingWatch, TimingWatches
from netsim.network.traffic_faults import TrafficFaults, TrafficVerbs
from netsim.site.backend import Backend, LinkChange
from netsim.topology.plan import NetworkPlan

State = Literal["new", "starting", "running", "degraded", "stopping", "stopped"]


class NetworkInForce(NetworkEvents, TrafficVerbs):
    """The links, hosts and routing tables of a network, as they are meant to be now."""

    _spoken_name = "network"

    def __init__(self, plan: NetworkPlan, speed: float = 1.0) -> None:
        super().__init__(plan)
        self.speed = speed
        """How much network time passes in a second; below 1 it is slow motion."""
        self.state: State = "new"
        self._started: Backend | None = None
        self.timing_watches = TimingWatches(
            lambda: {} if self._started is None else self._started.late()
        )
        self._outages = Outages(plan)
        self._conditions = LinkConditions(plan, self._outages.nodes)
        self.fault_history = FaultHistory(
            plan,
            self._conditions,
            lambda kind, text: self._announce(Event(self.now(), kind, "", text)),
        )
        self.unused = UnusedOperations()
        self._traffic_faults = TrafficFaults(self)
        self._rerouting = Rerouting(plan, self._outages, self._install_routes, speed)
        self._routes_at = -MILLISECOND
        """When the routes that were told last come into force; ns of network time."""

    def now(self) -> int:
        """Network time in ns."""
        return 0 if self._started is None else self._started.now()

    def watch_timing(self) -> AbstractContextManager[TimingWatch]:
        """Whether the timing of a block can be trusted: `with net.watch_timing() as watch: …`.

        Then `watch.timing` says it.
        """
        return self.timing_watches.watching()

    @property
    def is_running(self) -> bool:
        """Whether it can be changed: it has started, and does not stop yet."""
        return self.state in ("running", "degraded")

    def lead_ns(self, nodes: int) -> int:
        """How far ahead of its time so many nodes have to be told of something."""
        return self._backend.lead_ns(nodes, nodes)

    def condition(self, link: int, node: str) -> LinkCondition:
        """What the direction of a link that leaves `node` is meant to be like."""
        return self._conditions.meant(link, node)

    def planned_condition(self, link: int, node: str) -> LinkCondition:
        """What it is like in the topology."""
        return self._conditions.planned(link, node)

    async def set_conditions(self, changes: list[LinkChange]) -> None:
        """Put directions of links into new conditions, all at one logical time.

        Returns when that time is over at both ends. With carriers that change routes follow.
        """
        await self._put_in_force(self._conditions.change(changes, self.now()))
        self.fault_history.links_changed(dict.fromkeys(link for link, _, _ in changes), self.now())

    async def _put_in_force(self, changes: list[LinkChange]) -> None:
        told = len({node for _, node, _ in changes})
        at = self.now() + self._backend.lead_ns(told, len(changes))
        await self._backend.change_links(at, changes)
        for link in dict.fromkeys(link for link, _, _ in changes):
            up = self._conditions.is_up(link)
            for node, interface in (self.plan.links[link].a, self.plan.links[link].b):
                if node not in self._outages.nodes:
                    self.carrier_changed(node, interface, up, at)

    async def set_host_faults(self, faults: Mapping[str, HostFaults]) -> None:
        """Have hosts suffer these faults, and no others, all from one logical time on."""
        up = {name: own for name, own in faults.items() if name not in self._outages.nodes}
        parts = sum(len(own.packets) + len(own.connections) for own in up.values())
        if up:
            at = self.now() + self._backend.lead_ns(len(up), parts)
            await self._backend.set_faults(at, up)
        self.fault_history.traffic_changed(self._traffic_faults.texts(), self.now())

    async def connections_hit(self, node: str) -> dict[int, int]:
        """How many connections each fault has reset, cut or refused at a node, by its number."""
        facts = await self._backend.facts(node)
        return {int(each): hits for each, hits in facts["counters"]["connection_faults"].items()}

    @awaited
    async def converged(self) -> None:
        """Wait until the routes follow what has changed so far: carriers, and nodes that came up.

        That is `convergence` after the change, and what it takes to tell the routers.
        """
        await self._rerouting.settled.wait()
        wait = self._routes_at + MILLISECOND - self.now()
        if wait > 0 and self.is_running:
            await asyncio.sleep(wait / SECOND / self.speed)

    def carrier_changed(self, node: str, interface: str, up: bool, at: int) -> None:
        if self.is_running and self._outages.carrier_changed(node, interface, up):
            word = "up" if up else "lost"
            self._tell(Event(at, "carrier", node, f"{node}:{interface} carrier {word}"))
            self._rerouting.soon()

    @property
    def _backend(self) -> Backend:
        if self._started is None:
            raise NotRunningError("the network has not been started: `async with Network(…)`")
        return self._started

    def _install_routes(self, changes: Changes, dead: frozenset[int]) -> None:
        at = self.now() + self._backend.lead_ns(
            len(self.plan.nodes), sum(map(len, changes.values()))
        )
        self._routes_at = at
        self._backend.install_routes(at, changes, dead)
        if changes:
            self._publish("routes", "", f"routes of {', '.join(sorted(changes))} have changed")
