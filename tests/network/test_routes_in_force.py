"""Paths that follow from the plan and what is down, and what is told of carriers that are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from memory_network import MemoryNetwork
from memory_runs import ping, running
from plans import chain, plan_of
from route_tables import RoutedNetwork

import netsim
from netsim import NetworkPlan
from netsim.network.outages import Outages
from netsim.network.rerouting import Changes, Rerouting
from netsim.node.host_node import HostNode
from netsim.site.build import change_routes
from netsim.site.paths import PathFinder
from netsim.stack.icmp_layer import EchoReply
from netsim.topology.plan import RoutePlan
from netsim.topology.routing import links_down
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


def address_towards(plan: NetworkPlan, node: str, peer: str) -> bytes:
    address = next(each.address for each in plan.node(node).interfaces if each.peer == peer)
    assert address is not None
    return address


def link_between(plan: NetworkPlan, a: str, b: str) -> int:
    return next(each.link for each in plan.node(a).interfaces if each.peer == b)


def with_given(plan: NetworkPlan, name: str, gateway: bytes, interface: str) -> NetworkPlan:
    """`name` sends what is for web that way, whatever anybody has checked."""
    node = plan.node(name)
    route = RoutePlan(plan.hosts["web"], 32, gateway, interface, given=True)
    other = replace(node, routes=(*node.routes, route))
    return replace(plan, nodes=tuple(other if each is node else each for each in plan.nodes))


class Cables:
    """Cuts cables, and has routes and paths follow."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.finder = PathFinder(network.plan)
        self._network = network
        self._routed = RoutedNetwork(network.plan)

    def set(self, a: str, b: str, up: bool) -> None:
        plan = self._network.plan
        self._network.set_link(a, end_towards(plan, a, b), up)
        dead = set() if up else {link_between(plan, a, b)}
        for name, change in self._routed.change(dead).items():
            node = self._network.nodes[name]
            assert isinstance(node, HostNode)
            change_routes(node, change)
        self.finder.set_dead(frozenset(dead))


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
    finder.set_dead(frozenset([link_between(plan, "r1", "r2")]))
    assert names(plan, finder, "alice", "web") is None
    finder.set_dead(frozenset())
    assert names(plan, finder, "alice", "web") is not None


def test_a_loop_of_routes_is_no_path() -> None:
    plan = chain()
    back = address_towards(plan, "r1", "r2")
    plan = with_given(plan, "r2", back, end_towards(plan, "r2", "r1"))
    assert names(plan, PathFinder(plan), "alice", "web") is None


def test_a_next_hop_that_is_not_on_the_segment_is_no_path() -> None:
    plan = plan_of(*RING)
    r3 = address_towards(plan, "r3", "r4")
    for towards in ("r4", "s1"):
        wrong = with_given(plan, "r1", r3, end_towards(plan, "r1", towards))
        assert names(wrong, PathFinder(wrong), "alice", "web") is None


def test_the_most_specific_route_decides_while_its_cable_is_there() -> None:
    plan = plan_of(*(link.replace("r1 delay=1ms", "r1 delay=9ms") for link in RING))
    short = ["alice", "s1", "r1", "r2", "s2", "web"]
    assert names(plan, PathFinder(plan), "alice", "web") == short
    r4 = address_towards(plan, "r4", "r1")
    plan = with_given(plan, "r1", r4, end_towards(plan, "r1", "r4"))
    finder = PathFinder(plan)
    assert names(plan, finder, "alice", "web") == [
        "alice",
        "s1",
        "r1",
        "r4",
        "r3",
        "r2",
        "s2",
        "web",
    ]
    finder.set_dead(frozenset([link_between(plan, "r1", "r4")]))
    assert names(plan, finder, "alice", "web") == short


def test_with_static_routing_a_path_ends_where_a_cable_is_cut() -> None:
    plan = replace(plan_of(*RING), routing="static")
    finder = PathFinder(plan)
    assert names(plan, finder, "alice", "web") is not None
    finder.set_dead(frozenset([link_between(plan, "r1", "r2")]))
    assert names(plan, finder, "alice", "web") is None


def test_packets_go_the_way_that_the_tables_say_before_and_after_a_cut() -> None:
    plan = plan_of(*RING)
    with running(plan) as network:
        cables = Cables(network)
        for up, hops in ((True, 2), (False, 4), (True, 2)):
            if network.now:
                cables.set("r1", "r2", up)
            path = names(plan, cables.finder, "alice", "web")
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
    with running(plan) as network:
        cables = Cables(network)
        assert ping(network, "alice", "web") is not None
        cables.set("r1", "s2", False)
        assert names(plan, cables.finder, "alice", "web") == ["alice", "r1", "r2", "s2", "web"]
        request = network.host("alice").icmp.open_echo(1)
        request.send(plan.hosts["web"], 1, b"", network.now)
        network.run_for(10**9)
        assert network.host("web").drops == {}
        forwarded = network.host("r2").forwarded
        assert forwarded >= 1
        cables.set("r1", "s2", True)
        answered = ping(network, "alice", "web")
        assert answered is not None
        assert isinstance(answered[0], EchoReply)


def test_only_routes_that_change_are_told() -> None:
    plan = plan_of(*RING)
    network = RoutedNetwork(plan)
    assert network.change() == {}
    cut = [link_between(plan, "r3", "r4")]
    changed = network.change(cut)
    assert changed
    assert "alice" not in changed
    assert network.change(cut) == {}
    assert network.change().keys() == changed.keys()
    assert {name: set(routes) for name, routes in network.routes.items()} == {
        node.name: set(node.routes) for node in plan.nodes if node.kind != "switch"
    }


def test_who_is_down_is_known_by_node_and_by_carrier() -> None:
    plan = plan_of(*RING)
    outages = Outages(plan)
    end = end_towards(plan, "r3", "r4")
    assert outages.carrier_changed("r3", end, False)
    assert not outages.carrier_changed("r3", end, False), "it is no news"
    assert outages.dead_links() == {link_between(plan, "r3", "r4")}
    outages.nodes.add("r3")
    assert outages.dead_links() == {link_between(plan, "r3", peer) for peer in ("r2", "r4")}
    outages.node_plugged_in("r3")
    for interface in plan.node("r3").interfaces:
        assert outages.carrier_changed("r3", interface.name, True)
    assert outages.dead_links() == frozenset()


# What is told, and when -----------------------------------------------------------------------


def told(
    plan: NetworkPlan, *changes_of_state: Callable[[Outages, Rerouting], None]
) -> list[tuple[Changes, frozenset[int]]]:
    """What is installed within a second of virtual time after each change, if anything is."""
    installed: list[tuple[Changes, frozenset[int]]] = []

    async def run() -> list[tuple[Changes, frozenset[int]]]:
        found = []
        outages = Outages(plan)
        rerouting = Rerouting(
            plan, outages, lambda changes, dead: installed.append((changes, dead)), 1.0
        )
        for change in changes_of_state:
            change(outages, rerouting)
            rerouting.soon()
            await asyncio.sleep(1)
            found.append(installed.pop() if installed else ({}, frozenset()))
            assert not installed
        rerouting.end()
        return found

    return netsim.run(run())


def test_a_dead_node_is_routed_around_and_not_told_until_it_is_back() -> None:
    plan = plan_of(*RING)

    def die(outages: Outages, _: Rerouting) -> None:
        outages.nodes.add("r1")

    def cut(outages: Outages, _: Rerouting) -> None:
        outages.carrier_changed("r2", end_towards(plan, "r2", "r3"), False)

    def start(outages: Outages, rerouting: Rerouting) -> None:
        outages.node_plugged_in("r1")
        rerouting.node_started("r1")
        for interface in plan.node("r1").interfaces:
            outages.carrier_changed("r1", interface.name, True)

    def nothing(outages: Outages, _: Rerouting) -> None:
        assert outages.dead_links() == {link_between(plan, "r2", "r3")}

    dead, cut_off, back, same = told(plan, die, cut, start, nothing)
    assert "r1" not in dead[0]
    assert "r3" in dead[0]
    assert dead[1] == links_down(plan, (), ["r1"])
    assert "r1" not in cut_off[0]
    # It has the routes of the plan, and hears what has changed since.
    expected = RoutedNetwork(plan)
    assert expected.change([link_between(plan, "r2", "r3")])["r1"] == back[0]["r1"]
    assert back[1] == {link_between(plan, "r2", "r3")}
    assert same == ({}, frozenset())


def test_a_node_that_was_away_for_a_moment_is_told_what_is_down() -> None:
    plan = plan_of(*RING)

    def restart(_: Outages, rerouting: Rerouting) -> None:
        rerouting.node_started("alice")

    def cut(outages: Outages, _: Rerouting) -> None:
        outages.carrier_changed("r1", end_towards(plan, "r1", "r2"), False)

    (_, dead), again = told(plan, cut, restart)
    assert dead == {link_between(plan, "r1", "r2")}
    assert again == ({}, dead)


def test_with_static_routing_only_what_is_down_is_told() -> None:
    plan = replace(plan_of(*RING), routing="static")

    def cut(outages: Outages, _: Rerouting) -> None:
        outages.carrier_changed("r1", end_towards(plan, "r1", "r2"), False)

    assert told(plan, cut) == [({}, frozenset([link_between(plan, "r1", "r2")]))]
