from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from netsim import (
    AlreadyRunningError,
    Fault,
    LinkView,
    NetworkPlan,
    StartError,
    UnknownNameError,
    make_plan,
)
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition, condition_words
from netsim.core.time import SECOND
from netsim.network.deferred import UnusedOperations
from netsim.network.faults import LinkFaults
from netsim.network.inspection import Inspection
from netsim.network.link_conditions import LinkConditions
from netsim.network.link_view import find_link
from netsim.network.outages import Outages
from netsim.network.partitions import Partitions
from netsim.network.traffic_faults import TrafficFaults, TrafficVerbs
from netsim.site.backend import Backend, LinkChange


def two_computers() -> NetworkPlan:
    """alice and web with two links between them."""
    import networkx  # which most tests need not wait for

    graph: networkx.MultiGraph[str] = networkx.MultiGraph(name="campus")
    graph.add_edge("alice", "web", delay="2ms", egress={"web": {"loss": "1%"}})
    graph.add_edge("alice", "web", bandwidth="1mbit", queue="64KiB")
    for node in graph:
        graph.nodes[node]["kind"] = "computer"
    return make_plan(graph)


class FakeLinks(TrafficVerbs):
    """Links whose conditions are only written down, and nodes that are up or down."""

    is_running = True
    speed = 1.0

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self.unused = UnusedOperations()
        self.is_stuck = asyncio.Event()
        """While it is set, no change comes to its end."""
        self.changes: list[list[LinkChange]] = []
        self.changed = asyncio.Event()
        """Set with each change of links, and with each node that has started."""
        self.asked_to_start = asyncio.Event()
        self.pids: dict[str, int | None] = {node.name: 10 for node in plan.nodes}
        self._down_nodes: set[str] = set()
        self._conditions = LinkConditions(plan, self._down_nodes)
        self._faults = LinkFaults(self)
        self._partitions = Partitions(self._faults)
        self._traffic_faults = TrafficFaults(self)
        self.host_faults: dict[str, HostFaults] = {}
        self.programs: dict[str, str] = {}
        self.released = asyncio.Event()

    # What faults need

    def condition(self, link: int, node: str) -> LinkCondition:
        return self._conditions.meant(link, node)

    def planned_condition(self, link: int, node: str) -> LinkCondition:
        return self._conditions.planned(link, node)

    async def connections_hit(self, node: str) -> dict[int, int]:
        return {}

    def noticed(self, node: str, text: str) -> None:
        pass

    async def set_conditions(self, changes: list[LinkChange]) -> None:
        self.changes.append(changes)
        self._conditions.change(changes, now=0)
        self.changed.set()
        if self.is_stuck.is_set():
            await self.released.wait()

    # Operations

    def links(self) -> list[dict[str, Any]]:
        outages = Outages(self.plan)
        backend = cast("Backend", None)  # links are known without asking a node
        return Inspection(self.plan, backend, self._conditions, outages, 7 * SECOND).links()

    def link(self, a: str, b: str) -> LinkView:
        return LinkView(self._faults, find_link(self.plan, a, b))

    def conditions_of(self, link: int) -> list[dict[str, Any]]:
        a, b = self.plan.links[link].a[0], self.plan.links[link].b[0]
        return [
            {"from": node, "to": peer} | condition_words(self.condition(link, node))
            for node, peer in ((a, b), (b, a))
        ]

    def down_links(self) -> list[int]:
        return [
            index
            for index, link in enumerate(self.plan.links)
            if not self.condition(index, link.a[0]).up
        ]

    def partition(self, first: Sequence[str], second: Sequence[str]) -> Fault:
        return self._partitions.between(first, second)

    async def repair(self) -> None:
        await self._partitions.repair()
        await self._traffic_faults.repair()

    async def set_host_faults(self, faults: Mapping[str, HostFaults]) -> None:
        self.host_faults |= faults

    async def kill_program(self, node: str) -> None:
        self.programs[node] = "killed"

    async def pause(self, node: str) -> None:
        self.programs[node] = "paused"

    async def resume(self, node: str) -> None:
        self.programs[node] = "running"

    def describe(self, node: str) -> dict[str, Any]:
        if node not in self.pids:
            raise UnknownNameError(f"campus has no node {node!r}; write `alice`")
        pid = self.pids[node]
        return {"kind": "computer", "pid": pid, "state": "dead" if pid is None else "running"}

    async def crash(self, node: str) -> None:
        self.pids[node] = None
        self._down_nodes.add(node)

    async def stop_node(self, node: str) -> None:
        await self.crash(node)

    async def start_node(self, node: str) -> None:
        if self.pids[node] is not None:
            raise AlreadyRunningError(f"{node} is up already")
        self.asked_to_start.set()
        if self.is_stuck.is_set():
            await self.released.wait()
            if node == "web":
                raise StartError(f"{node}: port 80 is served twice")
        self.pids[node] = 11
        self.changed.set()
        self._down_nodes.discard(node)

    async def restart_node(self, node: str) -> None:
        await self.crash(node)
        await self.start_node(node)
