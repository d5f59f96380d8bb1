"""A site hosts nodes: any number of them, on one agenda.

Virtual time is one site, and time that jumps. A process for each node is as many sites of one node.
A cable is local when both of its nodes are here; else it leads to another site, and whoever keeps
the time of this one says how (`lead_away`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from heapq import heapify, heappush
from pathlib import Path
from typing import Any, Final

from netsim.aio.loop import HostLoopMixin
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.node.attached_node import AttachedNode
from netsim.node.base_node import Node
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.observe.hop_events import HopBatch, HopFilter
from netsim.observe.pcapng import CaptureTarget
from netsim.site.accounting import NodeCounters, node_counters
from netsim.site.backend import LinkChange, ToolRun
from netsim.site.build import (
    build_node,
    change_routes,
    direction_source,
    host_jitter,
    node_source,
)
from netsim.site.driver import Action, Agenda, Carry, Driver
from netsim.site.hop_watch import HopWatch
from netsim.site.live_taps import LiveTaps
from netsim.site.node_facts import node_facts
from netsim.site.paths import PathFinder
from netsim.site.programs import Programs
from netsim.site.recorder import Recorder
from netsim.site.watch import Watch
from netsim.tools.context import Context, SwitchContext
from netsim.tools.named_tools import WRONG_KIND, run_tool
from netsim.topology.plan import NetworkPlan, RouteChange

_log = logging.getLogger("netsim.tools")
_LOOKS: Final = 100
"""How often it is looked whether connections have closed."""


class Site:
    """Nodes of one network, by name, and what drives them.

    `agenda` may be shared with others; sources of events here are numbered from `first_source`,
    and `sources_of` says how many numbers that takes. `now` tells network time in ns.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        agenda: Agenda,
        now: Callable[[], int],
        *,
        paths: PathFinder | None = None,
        first_source: int = 0,
    ) -> None:
        self.plan = plan
        self.nodes: dict[str, Node] = {}
        """Those that are up here."""
        self.drivers: dict[str, Driver] = {}
        self.loops: dict[str, HostLoopMixin] = {}
        """Of nodes that run programs; whoever keeps the time makes them."""
        self.programs: dict[str, Programs] = {}
        """What runs on those loops."""
        self.changed: dict[Port, None] = {}
        """Ports whose counters have changed since whoever looks after these emptied it."""
        self.on_carrier_changed: Callable[[str, Port, int], None] = lambda node, port, now: None
        self.paths = PathFinder(plan) if paths is None else paths
        self.watch = Watch()
        self.recorder = Recorder(self.nodes, self.schedule)
        self.live_taps = LiveTaps(self.nodes, self.schedule)
        self._hops = HopWatch()
        self._agenda = agenda
        self._now = now
        self._first_source = first_source
        self._cables: dict[Port, Carry] = {}
        self._scheduled = 0

    # Nodes and their cables

    def add(
        self, name: str, boots: int = 0, conditions: Mapping[str, LinkCondition] | None = None
    ) -> Node:
        """Build a node, connected to its neighbours that are here already.

        It has started `boots` times before. Its cables are as planned, or in `conditions`, by
        interface.
        """
        plan, first = self.plan, self._first_source
        node_plan = plan.node(name)
        node = self.nodes[name] = build_node(plan, name, boots)
        driver = self.drivers[name] = Driver(
            node,
            self._agenda,
            self._cables,
            first + node_source(plan, name),
            [first + direction_source(node_plan, each, plan) for each in node_plan.interfaces],
            self.changed,
            host_jitter(plan, name, boots),
        )
        if conditions is not None:
            self._begin_in(conditions, driver)
        driver.on_carrier_changed = partial(self._carrier_changed, name)
        for port in node.ports:
            if port.peer in self.nodes:
                peer = self.port(port.peer, port.peer_port)
                self._cables[port] = partial(self.drivers[port.peer].arrive, peer)
                self._cables[peer] = partial(driver.arrive, port)
        self.watch.resume(node)
        self.live_taps.resume(node)
        self._hops.resume(node, self._links_of(name))
        if self.watch.is_observing:
            self._observe(name)
        return node

    def lead_away(self, port: Port, carry: Carry) -> None:
        """The cable at a port leads to another site."""
        self._cables[port] = carry

    def remove(self, name: str) -> NodeCounters:
        """A node is gone, and all that it held; its neighbours here lose the carrier at once.

        What it has counted is returned.
        """
        node, driver = self.nodes.pop(name), self.drivers.pop(name)
        self.loops.pop(name, None)
        self.programs.pop(name, None)
        counters = node_counters(node.ports)
        self._forget([driver])
        now = self._now()
        for port in node.ports:
            self._cables.pop(port, None)
            self.changed.pop(port, None)
            if port.peer in self.nodes:
                peer = self.port(port.peer, port.peer_port)
                self._cables.pop(peer, None)
                self.drivers[port.peer].set_carrier(peer, False, now)
        return counters

    def port(self, node: str, interface: str) -> Port:
        """One end of a cable; KeyError when there is none of that name."""
        for port in self.nodes[node].ports:
            if port.name == interface:
                return port
        raise KeyError(f"{node}:{interface}")

    def schedule(self, due: int, action: Action, argument: Any) -> None:
        """Call `action(now, argument, b"")` at `due`, after what the network does at that time."""
        self._scheduled += 1
        source = self._first_source + sources_of(self.plan) - 1
        heappush(self._agenda, (due, source, self._scheduled, action, argument, b""))

    # Links and routes

    def change_links(self, at: int, changes: Iterable[LinkChange]) -> None:
        """At `at` put directions of links into new conditions, of nodes that are here."""
        for link, sender, condition in changes:
            if sender in self.nodes:
                plan = self.plan.links[link]
                port = self.port(*(plan.a if plan.a[0] == sender else plan.b))
                self.drivers[sender].change_at(port, condition, at)

    def install_routes(
        self, at: int, changes: Mapping[str, RouteChange], dead: frozenset[int]
    ) -> None:
        """At `at` change tables of nodes here; `dead` are all links that are down then."""
        self.schedule(at, self._install_routes, (changes, dead))

    # Faults

    def set_faults(self, at: int, faults: Mapping[str, HostFaults]) -> None:
        """At `at` hosts that are here suffer these, and no others."""
        self.schedule(at, self._set_faults, faults)

    def _set_faults(self, now: int, faults: Mapping[str, HostFaults], _: bytes) -> None:
        for name, own in faults.items():
            node = self.nodes.get(name)
            if isinstance(node, HostNode):
                node.host.set_faults(own, now)
                self.drivers[name].flush(now)

    # Watching

    def facts(self, name: str) -> dict[str, Any]:
        """What `inspect` shows of a node."""
        facts = node_facts(self.nodes[name], self._now())
        programs = self.programs.get(name)
        if programs is not None:
            facts |= {"programs": programs.states(), "upstreams": programs.upstreams()}
        return facts

    def counters(self) -> dict[str, NodeCounters]:
        """What every node has counted, where all cables are local."""
        return {name: node_counters(node.ports) for name, node in self.nodes.items()}

    def capture(self, name: str, target: CaptureTarget) -> None:
        """As `Watch.capture`."""
        self.watch.capture(self.nodes[name], target)

    def observe_frames(self) -> None:
        """From now on look at the fate of every frame."""
        if not self.watch.is_observing:
            for name in self.nodes:
                self._observe(name)
            self.watch.is_observing = True

    def begin_hops(self, number: int, chosen: HopFilter) -> None:
        """Note what happens to some frames at all ports, until `end_hops`."""
        nodes = [(node, self._links_of(name)) for name, node in self.nodes.items()]
        self._hops.begin(number, chosen, nodes)

    def end_hops(self, number: int) -> HopBatch:
        """What was noted."""
        return self._hops.end(number)

    # Programs

    async def run_tool(
        self,
        name: str,
        run: ToolRun,
        *,
        drain: Callable[[], Awaitable[None]],
        wall_clock: Callable[[], int],
    ) -> int:
        """Run a tool at a node to its end, on its loop if it has one; its exit code.

        `drain` waits until what was printed is on its way; `wall_clock` gives ns.
        """
        node = self.nodes[name]
        tool, *arguments = run.argv
        if isinstance(node, AttachedNode):
            run.output("stderr", f"{tool}: {_attached(self.plan, name)}\n".encode())
            return WRONG_KIND
        terminal: dict[str, Any] = {
            "node": name,
            "cwd": Path(run.cwd),
            "stdout": partial(run.output, "stdout"),
            "stderr": partial(run.output, "stderr"),
            "drain": drain,
            "interrupted": run.interrupt,
            "wall_clock": wall_clock,
            "json": run.json,
        }
        context: Context | SwitchContext
        if isinstance(node, Switch):
            context = SwitchContext(switch=node, now=self._now, **terminal)
        else:
            assert isinstance(node, HostNode), "every other kind has a protocol stack"
            context = Context(
                loop=self.loops[name],
                host=node.host,
                ports=node.ports,
                name_of=self.paths.owner,
                **terminal,
            )
        try:
            return await run_tool(tool, arguments, context)
        except Exception as error:  # noqa: BLE001  # a mistake in a tool ends nothing else
            _log.exception("%s failed", tool)
            context.print_error(f"{tool}: {error}")
            return 1

    async def until_closed(self, name: str, patience: float) -> None:
        """Wait until peers have what a machine sent as it shut down: its last data and its FINs.

        At most `patience` seconds; a node that has gone meanwhile is not waited for.
        """
        for _ in range(_LOOKS):
            node = self.nodes.get(name)
            if not isinstance(node, HostNode) or not node.host.tcp.is_closing:
                return
            await asyncio.sleep(patience / _LOOKS)

    def close(self) -> None:
        """Nothing happens here any more, and nothing is written."""
        self._forget(self.drivers.values())
        self.nodes.clear()
        self.drivers.clear()
        self.recorder.close()
        self.live_taps.close()
        self.watch.close()

    def _forget(self, drivers: Iterable[Driver]) -> None:
        """What they have in the agenda does not happen."""
        gone = set(map(id, drivers))
        self._agenda[:] = [
            entry for entry in self._agenda if id(getattr(entry[3], "__self__", None)) not in gone
        ]
        heapify(self._agenda)

    def _begin_in(self, conditions: Mapping[str, LinkCondition], driver: Driver) -> None:
        now = self._now()
        for port in driver.node.ports:
            condition = conditions[port.name]
            port.egress.change(condition.attributes, now)
            if condition.held:
                port.egress.hold(now)
            driver.set_carrier(port, condition.up, now)

    def _carrier_changed(self, name: str, port: Port, now: int) -> None:
        self.on_carrier_changed(name, port, now)

    def _install_routes(
        self, now: int, told: tuple[Mapping[str, RouteChange], frozenset[int]], _: bytes
    ) -> None:
        changes, dead = told
        self.paths.set_dead(dead)
        for name, change in changes.items():
            node = self.nodes.get(name)
            if isinstance(node, HostNode):
                change_routes(node, change)

    def _observe(self, name: str) -> None:
        self.watch.observe(self.nodes[name], self._links_of(name))

    def _links_of(self, name: str) -> list[int]:
        return [interface.link for interface in self.plan.node(name).interfaces]


def _attached(plan: NetworkPlan, name: str) -> str:
    tap = plan.node(name).tap
    return f"{name} is attached to tap:{tap}; run it on this machine, where that device is"


def sources_of(plan: NetworkPlan) -> int:
    """How many sources of events a network has: directions of links, nodes, and its sites."""
    return 2 * len(plan.links) + len(plan.nodes) + 1
