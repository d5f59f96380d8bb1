from __future__ import annotations

import ipaddress
import time
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_network
from route_tables import RoutedNetwork, Routes, Table, routes_without

from netsim.topology.destinations import subnet
from netsim.topology.load_topology import load_plan
from netsim.topology.make_plan import make_plan
from netsim.topology.plan import NetworkPlan, RoutePlan
from netsim.topology.routes import compute_routes
from netsim.topology.routing import Routing, links_down

CAMPUS = Path(__file__).parents[2] / "topologies" / "campus.yaml"


def link_between(plan: NetworkPlan, a: str, b: str) -> int:
    return next(index for index, link in enumerate(plan.links) if {link.a[0], link.b[0]} == {a, b})


def path(plan: NetworkPlan, routes: Routes, source: str, target: str) -> list[str]:
    """The routers that a packet passes, following routes and connected subnets."""
    owners = {i.address: node.name for node in plan.nodes for i in node.interfaces if i.address}
    goal = ipaddress.ip_address(plan.hosts[target])
    here = source
    passed: list[str] = []
    for _ in range(100):
        interfaces = plan.node(here).interfaces
        if any(
            goal in ipaddress.ip_network((i.address, i.prefix_length), strict=False)
            for i in interfaces
            if i.address
        ):
            return passed
        matching = [
            route
            for route in routes[here]
            if goal in ipaddress.ip_network((route.prefix, route.prefix_length))
        ]
        here = owners[max(matching, key=lambda route: route.prefix_length).gateway]
        passed.append(here)
    raise AssertionError(f"a loop: {passed}")


STATIC_LAB = """\
name: lab
routing: none
nodes:
  a: {kind: computer}
  r1: {kind: router, routes: [{to: 10.0.3.0/24, via: r2}]}
  r2: {kind: router}
  b: {kind: computer}
links: [[a, r1], [r1, r2], [r2, b]]
"""


def test_without_routing_routers_know_what_they_are_told_and_computers_their_gateway(
    tmp_path: Path,
) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(STATIC_LAB)
    plan = load_plan(file)
    routes = {name: [(each.prefix[2], each.given) for each in own] for name, own in shown(plan)}
    assert routes == {"a": [(0, False)], "r1": [(3, True)], "r2": [], "b": [(0, False)]}
    routing = Routing(plan)
    list(routing.compute())
    assert routing.tables == [{}, {}]
    assert list(routing.change(links_down(plan, [1], []))) == []
    assert routing.next_hops("r2", (bytes((10, 0, 1, 0)), 24)) == ()


def shown(plan: NetworkPlan) -> list[tuple[str, tuple[RoutePlan, ...]]]:
    return [(node.name, node.routes) for node in plan.nodes]


def test_the_campus_ring() -> None:
    plan = load_plan(CAMPUS)
    routes = compute_routes(plan)
    assert routes == {node.name: node.routes for node in plan.nodes if node.kind != "switch"}
    assert path(plan, routes, "alice", "web") == ["r1", "r2"]
    assert path(plan, routes, "web", "alice") == ["r2", "r1"]
    assert path(plan, routes, "alice", "lab-7") == ["r1"]
    assert path(plan, routes, "alice", "bob") == []


def test_alice_to_web_adds_up_to_2_8_ms() -> None:
    plan = load_plan(CAMPUS)
    way = ["alice", "s1", "r1", "r2", "s3", "web"]
    total = sum(
        interface.egress.delay_ns
        for here, onward in pairwise(way)
        for interface in plan.node(here).interfaces
        if interface.peer == onward
    )
    assert total == 2_800_000


def test_the_ring_heals_over_r4_and_r3() -> None:
    plan = load_plan(CAMPUS)
    cut = [link_between(plan, "r1", "r2")]
    routes = routes_without(plan, cut)
    assert path(plan, routes, "alice", "web") == ["r1", "r4", "r3", "r2"]
    assert path(plan, routes, "web", "alice") == ["r2", "r3", "r4", "r1"]
    assert compute_routes(plan) == {name: plan.node(name).routes for name in routes}


def test_a_dead_router_takes_its_links_with_it() -> None:
    plan = load_plan(CAMPUS)
    routes = routes_without(plan, down_nodes=["r4"])
    assert "r4" not in routes
    assert path(plan, routes, "alice", "web") == ["r1", "r2"]
    assert all(
        plan.node("r4").interfaces[0].address != route.gateway
        for own in routes.values()
        for route in own
    )
    routes = routes_without(plan, down_nodes=["r2"])
    server_room = bytes((10, 0, 3, 0))
    assert not any(route.prefix == server_room for route in routes["r1"])


def test_a_dead_switch_leaves_no_way_to_its_subnet() -> None:
    plan = load_plan(CAMPUS)
    routes = routes_without(plan, down_nodes=["s3"])
    assert not any(route.prefix == bytes((10, 0, 3, 0)) for route in routes["r1"])
    assert any(route.prefix == bytes((10, 0, 5, 0)) for route in routes["r1"])


def test_computers_keep_their_default_route() -> None:
    plan = load_plan(CAMPUS)
    routes = routes_without(plan, down_nodes=["r1"])
    assert routes["alice"] == plan.node("alice").routes
    (default,) = routes["alice"]
    assert (default.prefix, default.prefix_length) == (bytes(4), 0)
    assert default.gateway == plan.node("r1").interfaces[0].address


def plan_of(text: str, folder: Path) -> NetworkPlan:
    file = folder / "topology.yaml"
    file.write_text(text)
    return load_plan(file)


DIAMOND = """\
name: diamond
{head}
nodes:
  a: {{kind: computer}}
  b: {{kind: computer}}
  r: {{kind: router}}
  y: {{kind: router}}
  x: {{kind: router}}
  t: {{kind: router}}
links:
  - [a, r]
  - [b, t]
  - {{endpoints: [r, y], delay: {ry}}}
  - {{endpoints: [y, t], delay: 2ms}}
  - {{endpoints: [r, x], delay: 2ms}}
  - {{endpoints: [x, t], delay: 2ms}}
"""


def test_equal_ways_are_decided_by_name_and_unequal_ones_by_delay(tmp_path: Path) -> None:
    plan = plan_of(DIAMOND.format(head="", ry="2ms"), tmp_path)
    assert path(plan, compute_routes(plan), "a", "b") == ["r", "x", "t"]
    plan = plan_of(DIAMOND.format(head="", ry="1999us"), tmp_path)
    assert path(plan, compute_routes(plan), "a", "b") == ["r", "y", "t"]


def test_of_equal_delays_the_fewer_hops(tmp_path: Path) -> None:
    text = DIAMOND.format(head="", ry="2ms") + "  - {endpoints: [r, t], delay: 4ms}\n"
    plan = plan_of(text, tmp_path)
    assert path(plan, compute_routes(plan), "a", "b") == ["r", "t"]


def test_each_direction_follows_its_own_delay(tmp_path: Path) -> None:
    text = DIAMOND.format(head="", ry="1ms, egress: {y: {delay: 9ms}}")
    plan = plan_of(text, tmp_path)
    routes = compute_routes(plan)
    assert path(plan, routes, "a", "b") == ["r", "y", "t"]
    assert path(plan, routes, "b", "a") == ["t", "x", "r"]


def test_static_routing_changes_no_table(tmp_path: Path) -> None:
    plan = plan_of(DIAMOND.format(head="routing: static", ry="2ms"), tmp_path)
    assert RoutedNetwork(plan).change([link_between(plan, "r", "x")], ["t"]) == {}


def test_given_routes_replace_derived_ones_and_stay(tmp_path: Path) -> None:
    text = DIAMOND.format(head="", ry="2ms").replace(
        "  r: {kind: router}",
        "  r: {kind: router, gateway: y, routes: [{to: 10.0.2.0/24, via: y}]}",
    )
    plan = plan_of(text, tmp_path)
    routes = routes_without(plan, [link_between(plan, "x", "t")])
    for own in (plan.node("r").routes, routes["r"]):
        to_b = [route for route in own if route.prefix == bytes((10, 0, 2, 0))]
        assert [(route.interface, route.given) for route in to_b] == [("eth1", True)]
        assert [route.given for route in own if route.prefix_length == 0] == [True]


def test_the_first_interface_decides_a_computers_default(tmp_path: Path) -> None:
    head = "name: x\nnodes:\n  c: {kind: computer%s}\n  p: {kind: router}\n  q: {kind: router}\n"
    links = "links:\n  - [c, q]\n  - [c, p]\n  - [p, q]\n"
    plan = plan_of(head % "" + links, tmp_path)
    assert [route.interface for route in plan.node("c").routes] == ["eth0"]
    assert plan.node("c").routes[0].gateway == plan.node("q").interfaces[0].address
    plan = plan_of(head % ", gateway: p" + links, tmp_path)
    (default,) = plan.node("c").routes
    assert (default.interface, default.given) == ("eth1", True)


def test_the_nearest_router_at_a_switch_is_the_default(tmp_path: Path) -> None:
    text = (
        "name: x\nnodes:\n  c: {kind: computer}\n  s: {kind: switch}\n  t: {kind: switch}\n"
        "  p: {kind: router}\n  q: {kind: router}\n"
        "links:\n  - [c, s]\n  - [s, t]\n  - {endpoints: [t, p], delay: 1ms}\n"
        "  - {endpoints: [s, q], delay: 2ms}\n"
    )
    plan = plan_of(text, tmp_path)
    assert plan.node("c").routes[0].gateway == plan.node("p").interfaces[0].address


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), delays=st.lists(st.integers(1, 5), min_size=24, max_size=24))
def test_paths_are_as_short_as_networkx_finds_them(seed: int, delays: list[int]) -> None:
    """An independent oracle, on random graphs of routers with a computer at each."""
    graph = networkx.gnm_random_graph(8, 14, seed=seed)
    networkx.add_path(graph, range(8))
    for (a, b), delay in zip(list(graph.edges), delays, strict=False):
        graph.edges[a, b].update(delay=f"{delay}ms", ms=delay)
    for router in range(8):
        graph.nodes[router]["kind"] = "router"
        graph.add_edge(router, f"c{router}", delay="1ms", ms=1)
    plan = make_plan(graph)
    routes = compute_routes(plan)
    lengths = dict(networkx.all_pairs_dijkstra_path_length(graph, weight="ms"))
    for source in range(8):
        for target in range(8):
            if source != target:
                passed = [int(name) for name in path(plan, routes, f"c{source}", f"c{target}")]
                taken = sum(graph.edges[a, b]["ms"] for a, b in pairwise(passed))
                assert (passed[0], passed[-1]) == (source, target)
                assert taken == lengths[source][target]


@pytest.mark.parametrize("seed", range(0, 300, 30))
def test_tables_that_follow_changes_are_those_computed_from_nothing(seed: int) -> None:
    for each in range(seed, seed + 30):
        random = Random(each)
        plan = random_network(random)
        network = RoutedNetwork(plan)
        down_links: set[int] = set()
        down_nodes: set[str] = set()
        for _ in range(6):
            for _ in range(random.randint(1, 3)):
                down_links ^= {random.randrange(len(plan.links))}
            if random.random() < 0.4:
                down_nodes ^= {random.choice(plan.nodes).name}
            network.change(down_links, down_nodes)
            dead = links_down(plan, down_links, down_nodes)
            fresh = Routing(plan)
            fresh.set_dead(dead)
            for node in plan.nodes:
                if node.kind == "router":
                    table = network.tables[node.name]
                    assert table == asked_for(plan, fresh, node.name), (each, dead)


def asked_for(plan: NetworkPlan, routing: Routing, name: str) -> Table:
    """The table, a prefix at a time, as a path is found."""
    prefixes = {
        subnet(interface.address, length): None
        for node in plan.nodes
        for interface in node.interfaces
        if interface.address is not None
        for length in (interface.prefix_length, 32)
    }
    return {
        prefix: tuple(RoutePlan(*prefix, *hop) for hop in hops)
        for prefix in prefixes
        if (hops := routing.next_hops(name, prefix))
    }


@pytest.mark.parametrize("routers", [50])
def test_500_nodes_are_routed_quickly(routers: int) -> None:
    graph: networkx.Graph[Any] = networkx.circulant_graph(routers, [1, 7])
    for router in range(routers):
        graph.nodes[router]["kind"] = "router"
        graph.add_node(f"s{router}", kind="switch")
        graph.add_edge(router, f"s{router}")
        for computer in range(8):
            graph.add_edge(f"s{router}", f"c{router}-{computer}")
    plan = make_plan(graph)
    assert len(plan.nodes) == 500
    best = min(_seconds(plan) for _ in range(3))
    assert best < 0.3


def _seconds(plan: NetworkPlan) -> float:
    start = time.perf_counter()
    compute_routes(plan)
    return time.perf_counter() - start


@pytest.mark.parametrize("gateway", ["", "gateway: ", "gateway: null", 'gateway: ""'])
def test_a_gateway_that_is_left_out_or_empty_follows_from_the_links(
    gateway: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.yaml"
    nodes = f"{{a: {{kind: computer, {gateway}}}, r: {{kind: router}}}}"
    file.write_text(f"name: x\nnodes: {nodes}\nlinks: [[a, r]]\n")
    plan = load_plan(file)
    (route,) = plan.node("a").routes
    assert (route.prefix_length, route.gateway) == (0, plan.hosts["r"])
