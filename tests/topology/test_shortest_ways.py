"""Routes held against networkx: every shortest way is used, and no other."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import networkx
import pytest
from plans import plan_of
from random_networks import random_network
from route_tables import RoutedNetwork, Table

from netsim.site.paths import PathFinder
from netsim.topology.plan import InterfacePlan, NetworkPlan, NodePlan
from netsim.topology.routing import links_down

Hop = tuple[str, str, str]
"""The own interface, the neighbour and the interface there."""


class Oracle:
    """What packets meet on their way, by networkx, over the links that are up."""

    def __init__(self, plan: NetworkPlan, dead: frozenset[int]) -> None:
        self.plan = plan
        self.dead = dead
        self.ends = {(node.name, i.name): i for node in plan.nodes for i in node.interfaces}
        self.cables: networkx.DiGraph[tuple[str, ...]] = networkx.DiGraph()
        """From interface to interface, and through switches."""
        for (name, interface), end in self.ends.items():
            if end.link not in dead:
                far = end.peer, end.peer_interface
                self.cables.add_edge((name, interface), ("", *far), weight=end.egress.delay_ns)
                if plan.node(far[0]).traits.bridges:
                    for onward in plan.node(far[0]).interfaces:
                        if onward.name != far[1]:
                            self.cables.add_edge(("", *far), (far[0], onward.name), weight=0)

    def heard(self, node: str, interface: str) -> dict[tuple[str, str], int]:
        """Interfaces that hear one, with the delay."""
        if (node, interface) not in self.cables:
            return {}
        delays = lengths(self.cables, (node, interface))
        return {(end[1], end[2]): delay for end, delay in delays.items() if len(end) == 3}

    def ways_to(self, target: NodePlan, at: InterfacePlan) -> networkx.MultiDiGraph[str]:
        """How routers hand on what is for a computer, by delay in ns and one for each hop."""
        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
        goal = (target.name, at.name)
        for router in self.plan.nodes:
            if not router.traits.forwards:
                continue
            graph.add_node(router.name)
            own = [i for i in router.interfaces if i.link not in self.dead]
            in_subnet = [i for i in own if subnet_of(i) == subnet_of(at)]
            if in_subnet:
                # Its own subnet is reached directly, whatever that costs.
                delay = self.heard(router.name, in_subnet[0].name).get(goal)
                if delay is not None:
                    graph.add_edge(router.name, target.name, weight=delay << 20)
                continue
            for interface in own:
                for (name, far), delay in self.heard(router.name, interface.name).items():
                    if self.plan.node(name).traits.forwards and name != router.name:
                        weight = (delay << 20) + 1
                        graph.add_edge(
                            router.name, name, (interface.name, name, far), weight=weight
                        )
        return graph


def lengths(graph: networkx.DiGraph[Any], source: Any) -> dict[Any, int]:
    found = networkx.single_source_dijkstra_path_length(graph, source)
    return {node: int(length) for node, length in found.items()}


def subnet_of(interface: InterfacePlan) -> tuple[int, int]:
    bits = 32 - interface.prefix_length
    return int.from_bytes(interface.address or b"", "big") >> bits, bits


def next_hops(plan: NetworkPlan, table: Table, router: str, address: bytes) -> set[Hop]:
    """By longest match; the neighbour is named instead of its address."""
    number = int.from_bytes(address, "big")
    owners = {i.address: (node.name, i.name) for node in plan.nodes for i in node.interfaces}
    matching = [
        prefix
        for prefix in table
        if number >> 32 - prefix[1] == int.from_bytes(prefix[0], "big") >> 32 - prefix[1]
    ]
    best = max(matching, key=lambda prefix: prefix[1], default=None)
    routes = () if best is None else table[best]
    return {(route.interface, *owners[route.gateway]) for route in routes}


def check(plan: NetworkPlan, network: RoutedNetwork, dead: frozenset[int]) -> int:
    """How many routers had something to decide."""
    oracle = Oracle(plan, dead)
    decided = 0
    for target in plan.nodes:
        if target.traits.forwards or not target.traits.has_stack:
            continue
        (at,) = target.interfaces
        if at.link in dead:
            continue
        assert at.address is not None
        ways = oracle.ways_to(target, at)
        if target.name not in ways:
            # Nobody reaches it: its subnet begins at its gateways.
            continue
        distances = lengths(ways.reverse(copy=False), target.name)
        for router, table in network.tables.items():
            if plan.node(router).traits.forwards:
                out: list[Any] = list(ways.out_edges(router, keys=True, data="weight"))
                if any(name == target.name for _, name, _, _ in out):
                    continue
                expected = {
                    key
                    for _, name, key, weight in out
                    if name in distances and distances[name] + weight == distances[router]
                }
                found = next_hops(plan, table, router, at.address)
                if router in distances:
                    assert found == expected, (router, target.name)
                    decided += len(expected)
    return decided


@pytest.mark.parametrize("seed", range(0, 300, 30))
def test_next_hops_are_those_of_all_shortest_paths(seed: int) -> None:
    decided = 0
    for each in range(seed, seed + 30):
        random = Random(each)
        plan = random_network(random)
        network = RoutedNetwork(plan)
        decided += check(plan, network, frozenset())
        for _ in range(3):
            down = {random.randrange(len(plan.links)) for _ in range(random.randint(1, 3))}
            network.change(down)
            decided += check(plan, network, links_down(plan, down, ()))
    assert decided > 1000


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_paths_are_as_long_as_those_of_networkx(seed: int) -> None:
    """From the gateway of one computer to another computer."""
    for each in range(seed, seed + 20):
        plan = random_network(Random(each))
        oracle = Oracle(plan, frozenset())
        finder = PathFinder(plan)
        hosts = [node for node in plan.nodes if node.traits.has_stack and not node.traits.forwards]
        for target in hosts:
            ways = oracle.ways_to(target, target.interfaces[0]).reverse(copy=False)
            distances = lengths(ways, target.name)
            for source in hosts:
                path = finder.path(plan.hosts[source.name], plan.hosts[target.name])
                assert path is not None
                routers = [name for name in path if plan.node(name).traits.forwards]
                if routers:
                    beyond = path[path.index(routers[0]) :]
                    assert cost(plan, beyond) == distances[routers[0]] >> 20, path


def cost(plan: NetworkPlan, path: list[str]) -> int:
    """The sum of delays in ns; of parallel cables that with the smallest."""
    return sum(
        min(i.egress.delay_ns for i in plan.node(here).interfaces if i.peer == onward)
        for here, onward in pairwise(path)
    )


def test_the_last_link_counts() -> None:
    plan = plan_of(
        "a r0 delay=1ms",
        "r0 r1 delay=10ms",
        "r0 r2 delay=11ms",
        "r1 s delay=100ms",
        "r2 s delay=1ms",
        "s b delay=1ms",
    )
    finder = PathFinder(plan)
    assert finder.path(plan.hosts["a"], plan.hosts["b"]) == ["a", "r0", "r2", "s", "b"]
    assert finder.path(plan.hosts["b"], plan.hosts["a"]) == ["b", "s", "r2", "r0", "a"]


def test_computers_at_far_ends_of_a_subnet_have_gateways_of_their_own() -> None:
    """Most hang on s1: the subnet's route leads there, and b has one of its own."""
    plan = plan_of(
        "a r0",
        "r0 r1 delay=1ms",
        "r0 r2 delay=1ms",
        "r1 s1",
        "s1 s2 delay=20ms",
        "s2 r2",
        "s1 c",
        "s1 d",
        "s2 b",
    )
    finder = PathFinder(plan)
    for name, gateway in (("b", "r2"), ("c", "r1"), ("d", "r1")):
        path = finder.path(plan.hosts["a"], plan.hosts[name])
        assert path is not None
        assert path[2] == gateway
    own = [route for route in plan.node("r0").routes if route.prefix_length == 32]
    assert [route.prefix for route in own] == [plan.hosts["b"]]
    # Cut in two, each half is reached through its own gateway.
    trunk = next(i.link for i in plan.node("s1").interfaces if i.peer == "s2")
    finder.set_dead(frozenset([trunk]))
    for name, gateway in (("b", "r2"), ("c", "r1")):
        path = finder.path(plan.hosts["a"], plan.hosts[name])
        assert path is not None
        assert path[2] == gateway
