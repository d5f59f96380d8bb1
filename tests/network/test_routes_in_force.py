"""Paths read from the tables, and what follows from carriers that are lost."""

from __future__ import annotations

from dataclasses import replace

from memory_runs import ping, running
from plans import chain, plan_of

from netsim import NetworkPlan
from netsim.network.convergence import Convergence
from netsim.node.host_node import HostNode
from netsim.site.build import install_routes
from netsim.site.paths import PathFinder
from netsim.stack.icmp_layer import EchoReply
from netsim.topology.plan import RoutePlan
from netsim.virtual.memory_network import MemoryNetwork
from netsim.wire.address import parse_ip

RING = (
    "alice s1",
    "s1 r1",
    "r1 r2 delay=1ms",
    "r2 r3 delay=1ms",
    "r3 r4 delay=1ms",
    "r4 r1 delay=1ms",
    "r2 s2",
    "s2 web",
)


def names(plan: NetworkPlan, finder: PathFinder, source: str, destination: str) -> list[str] | None:
    return finder.path(plan.hosts[source], plan.hosts[destination])


def end_towards(plan: NetworkPlan, node: str, peer: str) -> str:
    return next(each.name for each in plan.node(node).interfaces if each.peer == peer)


def lose(
    network: MemoryNetwork, convergence: Convergence, a: str, b: str, *, up: bool = False
) -> None:
    """Cut a cable, and have the routes follow."""
    interface = end_towards(network.plan, a, b)
    network.set_link(a, interface, up)
    convergence.carrier_changed(a, interface, up)
    for name, routes in convergence.recompute().items():
        node = network.nodes[name]
        assert isinstance(node, HostNode)
        install_routes(node, routes)


def test_a_path_goes_through_switches_and_routers() -> None:
    plan = chain()
    finder = PathFinder(plan)
    assert names(plan, finder, "alice", "web") == ["alice", "s1", "r1", "r2", "s2", "web"]
    assert names(plan, finder, "web", "r1") == ["web", "s2", "r2", "r1"]
    assert names(plan, finder, "alice", "alice") == ["alice"]


def test_the_switches_on_a_path_are_those_behind_the_interface_that_is_taken() -> None:
    # r1 and r2 share a cable as well, which is slower.
    plan = plan_of("alice r1", "r1 s1", "s1 s2", "s2 r2", "r1 r2 delay=9ms", "r2 web")
    assert names(plan, PathFinder(plan), "alice", "web") == ["alice", "r1", "s1", "s2", "r2", "web"]


def test_there_is_no_path_to_nobody_nor_without_a_route() -> None:
    plan = chain()
    finder = PathFinder(plan)
    nobody = parse_ip("192.0.2.1")
    assert finder.owner(plan.hosts["web"]) == "web"
    assert finder.owner(nobody) is None
    assert finder.path(plan.hosts["alice"], nobody) is None
    assert finder.path(nobody, plan.hosts["alice"]) is None
    finder.routes = {**finder.routes, "r1": ()}
    assert names(plan, finder, "alice", "web") is None


def test_a_loop_of_routes_is_no_path() -> None:
    plan = chain()
    finder = PathFinder(plan)
    back = plan.node("alice").routes[0].gateway
    (towards,) = {each.peer_interface for each in plan.node("r1").interfaces if each.peer == "r2"}
    r2 = plan.node("r2")
    r1_address = next(i.address for i in plan.node("r1").interfaces if i.peer == "r2")
    assert r1_address is not None
    assert back
    loop = RoutePlan(plan.hosts["web"], 32, r1_address, towards)
    finder.routes = {**finder.routes, "r2": (*r2.routes, loop)}
    assert names(plan, finder, "alice", "web") is None


def test_a_next_hop_that_is_not_on_the_segment_is_no_path() -> None:
    plan = plan_of(*RING)
    finder = PathFinder(plan)
    r3 = next(i.address for i in plan.node("r3").interfaces if i.peer == "r4")
    assert r3 is not None
    for towards in ("r4", "s1"):
        wrong = RoutePlan(plan.hosts["web"], 32, r3, end_towards(plan, "r1", towards))
        finder.routes = {**finder.routes, "r1": (wrong,)}
        assert names(plan, finder, "alice", "web") is None


def test_the_most_specific_route_decides() -> None:
    plan = plan_of(*(link.replace("r1 delay=1ms", "r1 delay=9ms") for link in RING))
    finder = PathFinder(plan)
    assert names(plan, finder, "alice", "web") == ["alice", "s1", "r1", "r2", "s2", "web"]
    r4 = next(i.address for i in plan.node("r4").interfaces if i.peer == "r1")
    assert r4 is not None
    detour = RoutePlan(plan.hosts["web"], 32, r4, end_towards(plan, "r1", "r4"))
    finder.routes = {**finder.routes, "r1": (*plan.node("r1").routes, detour)}
    found = names(plan, finder, "alice", "web")
    assert found == ["alice", "s1", "r1", "r4", "r3", "r2", "s2", "web"]


def test_packets_go_the_way_that_the_tables_say_before_and_after_a_cut() -> None:
    plan = plan_of(*RING)
    convergence = Convergence(plan)
    finder = PathFinder(plan)
    with running(plan) as network:
        for up, hops in ((True, 2), (False, 4), (True, 2)):
            if network.now:
                lose(network, convergence, "r1", "r2", up=up)
                finder.routes = convergence.routes
            path = names(plan, finder, "alice", "web")
            assert path is not None
            assert sum(name[0] == "r" for name in path) == hops
            answered = ping(network, "alice", "web")
            assert answered is not None
            reply, _ = answered
            assert isinstance(reply, EchoReply)
            assert reply.ttl == 64 - hops


def test_a_subnet_with_two_routers_is_reached_through_the_other_when_one_cable_is_cut() -> None:
    # r1 has an address in the subnet of s2, and reaches it the long way round.
    plan = plan_of("alice r1", "r1 s2", "r2 s2", "r1 r2", "s2 web")
    convergence = Convergence(plan)
    finder = PathFinder(plan)
    with running(plan) as network:
        assert ping(network, "alice", "web") is not None
        lose(network, convergence, "r1", "s2")
        finder.routes = convergence.routes
        assert names(plan, finder, "alice", "web") == ["alice", "r1", "r2", "s2", "web"]
        request = network.host("alice").icmp.open_echo(1)
        request.send(plan.hosts["web"], 1, b"", network.now)
        network.run_for(10**9)
        assert network.host("web").drops == {}
        forwarded = network.host("r2").ip.forwarded
        assert forwarded >= 1
        lose(network, convergence, "r1", "s2", up=True)
        answered = ping(network, "alice", "web")
        assert answered is not None
        assert isinstance(answered[0], EchoReply)


def test_only_routes_that_change_are_told() -> None:
    plan = plan_of(*RING)
    convergence = Convergence(plan)
    assert convergence.recompute() == {}
    end = end_towards(plan, "r3", "r4")
    assert convergence.carrier_changed("r3", end, False)
    assert not convergence.carrier_changed("r3", end, False), "it is no news"
    (link,) = convergence.down_links
    assert ("r3", end) in (plan.links[link].a, plan.links[link].b)
    changed = convergence.recompute()
    assert changed
    assert "alice" not in changed
    assert convergence.recompute() == {}
    convergence.carrier_changed("r3", end, True)
    assert convergence.recompute().keys() == changed.keys()
    assert convergence.routes == {node.name: node.routes for node in plan.nodes}


def test_a_dead_node_is_routed_around_and_not_told() -> None:
    plan = plan_of(*RING)
    convergence = Convergence(plan)
    convergence.down_nodes.add("r3")
    changed = convergence.recompute()
    assert "r3" not in changed
    assert "r2" in changed


def test_static_routing_withdraws_and_computes_nothing() -> None:
    plan = replace(plan_of(*RING), routing="static")
    convergence = Convergence(plan)
    convergence.carrier_changed("r1", end_towards(plan, "r1", "r2"), False)
    changed = convergence.recompute()
    for name, routes in changed.items():
        assert set(routes) < set(plan.node(name).routes)
