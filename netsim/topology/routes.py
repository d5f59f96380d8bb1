"""Static routes by shortest path, from a plan and what of it is down.

Between routers the weight of a way is its delay, then its hops; of equal ways the one over the
neighbour whose name comes first, then the earlier interface. Every router gets a route to every
subnet that is not its own; a computer gets a default route to the nearest router at its first
interface that has one.

The same function lays out the network and recomputes it after a change of carrier.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from netsim.topology.plan import InterfacePlan, NetworkPlan, NodePlan, RoutePlan

# Delay and hops in one integer: hops count in the low bits, where no path carries into the delay.
_DELAY_UNIT: Final = 1 << 20
_UNREACHED: Final = 1 << 200


def compute_routes(
    plan: NetworkPlan,
    *,
    down_links: frozenset[int] = frozenset(),
    down_nodes: frozenset[str] = frozenset(),
) -> dict[str, tuple[RoutePlan, ...]]:
    """The routes of every computer and router that is up, by name.

    `down_links` are indexes into `plan.links`; a node that is down takes its links with it. Given
    routes (`RoutePlan.given`) stay and replace derived ones to the same prefix. Computers keep
    the default route of the intact network: a real one would not notice either. With
    `routing: static` nothing is recomputed, only routes over a link without carrier are missing.
    """
    dead = set(down_links)
    for node in plan.nodes:
        if node.name in down_nodes:
            dead.update(interface.link for interface in node.interfaces)
    if plan.routing == "static" and dead:
        return _without_dead(plan, dead, down_nodes)
    derived = _router_routes(plan, dead, down_nodes) | _default_routes(plan)
    return {
        node.name: _with_given(node, derived.get(node.name, []))
        for node in plan.nodes
        if node.traits.has_stack and node.name not in down_nodes
    }


def _with_given(node: NodePlan, derived: list[RoutePlan]) -> tuple[RoutePlan, ...]:
    given = [route for route in node.routes if route.given]
    if not given:
        return tuple(derived)
    replaced = {(route.prefix, route.prefix_length) for route in given}
    kept = [route for route in derived if (route.prefix, route.prefix_length) not in replaced]
    return (*kept, *given)


def _without_dead(
    plan: NetworkPlan, dead: Collection[int], down_nodes: frozenset[str]
) -> dict[str, tuple[RoutePlan, ...]]:
    intact = compute_routes(plan)
    found = {}
    for node in plan.nodes:
        if node.traits.has_stack and node.name not in down_nodes:
            up = {each.name for each in node.interfaces if each.link not in dead}
            routes = intact[node.name]
            found[node.name] = tuple(route for route in routes if route.interface in up)
    return found


# Who hears whom -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reach:
    """A router's interface, as heard from somewhere in its segment."""

    delay_ns: int
    router: str
    interface: InterfacePlan


class _Segments:
    """Which routers hear each other over the links that are up."""

    def __init__(self, plan: NetworkPlan, dead: Collection[int]) -> None:
        self._dead = dead
        self._nodes = {node.name: node for node in plan.nodes}
        self._ends = {
            (node.name, interface.name): interface
            for node in plan.nodes
            for interface in node.interfaces
        }
        self._trunks: dict[str, list[InterfacePlan]] = {}

    def is_up(self, interface: InterfacePlan) -> bool:
        return interface.link not in self._dead

    def routers_beyond(self, interface: InterfacePlan) -> Iterator[_Reach]:
        """Routers that hear what leaves `interface`. Ends because switches form trees."""
        waiting = [(interface, 0)]
        for egress, before in waiting:
            if not self.is_up(egress):
                continue
            delay = before + egress.egress.delay_ns
            peer = self._nodes[egress.peer]
            if peer.traits.forwards:
                yield _Reach(delay, peer.name, self._ends[egress.peer, egress.peer_interface])
            elif peer.traits.bridges:
                waiting += [
                    (onward, delay) for onward in self.trunks(peer) if onward.link != egress.link
                ]

    def trunks(self, switch: NodePlan) -> list[InterfacePlan]:
        """Interfaces of a switch that lead to other switches or to routers."""
        found = self._trunks.get(switch.name)
        if found is None:
            found = [each for each in switch.interfaces if self._nodes[each.peer].traits.relays]
            self._trunks[switch.name] = found
        return found


# Computers ------------------------------------------------------------------------------------


def _default_routes(plan: NetworkPlan) -> dict[str, list[RoutePlan]]:
    segments = _Segments(plan, ())
    nodes = {node.name: node for node in plan.nodes}
    beyond: dict[str, _Reach | None] = {}  # by switch: all that hang on it have the same nearest
    found = {}
    for node in plan.nodes:
        is_host = node.traits.has_stack and not node.traits.forwards
        for interface in node.interfaces if is_host else ():
            peer = nodes[interface.peer]
            if not peer.traits.bridges:
                nearest = _nearest(segments.routers_beyond(interface))
            elif peer.name in beyond:
                nearest = beyond[peer.name]
            else:
                reaches = (segments.routers_beyond(trunk) for trunk in segments.trunks(peer))
                nearest = beyond[peer.name] = _nearest(chain.from_iterable(reaches))
            if nearest is not None and nearest.interface.address is not None:
                gateway = nearest.interface.address
                found[node.name] = [RoutePlan(bytes(len(gateway)), 0, gateway, interface.name)]
                break
    return found


def _nearest(reaches: Iterable[_Reach]) -> _Reach | None:
    return min(reaches, key=lambda reach: (reach.delay_ns, reach.router), default=None)


# Routers --------------------------------------------------------------------------------------


class _Hops:
    """Every router's ways to its neighbours. Routers are numbered; ways are ranked by name."""

    def __init__(self, routers: Sequence[NodePlan], segments: _Segments) -> None:
        number = {router.name: index for index, router in enumerate(routers)}
        self.ways: list[list[tuple[bytes, str]]] = []
        """Of each router, by rank: (address of the next hop, own interface)."""
        self._into: list[list[tuple[int, int, int]]] = [[] for _ in routers]
        """Of each router: (neighbour that leads to it, weight, the neighbour's rank for it)."""
        for index, router in enumerate(routers):
            reaches = [
                (reach.router, place, reach, interface.name)
                for place, interface in enumerate(router.interfaces)
                for reach in segments.routers_beyond(interface)
                if reach.router != router.name
            ]
            reaches.sort(key=lambda way: way[:2])
            self.ways.append(
                [(reach.interface.address or b"", own) for _, _, reach, own in reaches]
            )
            for rank, (name, _, reach, _) in enumerate(reaches):
                weight = reach.delay_ns * _DELAY_UNIT + 1
                self._into[number[name]].append((index, weight, rank))

    def toward(self, goal: int) -> tuple[list[int], list[int]]:
        """Of each router, its distance to `goal` and the rank of its best way there (Dijkstra)."""
        into = self._into
        distance = [_UNREACHED] * len(into)
        rank = [0] * len(into)
        distance[goal] = 0
        waiting = [(0, goal)]
        while waiting:
            here, router = heapq.heappop(waiting)
            if here > distance[router]:
                continue
            for neighbour, weight, its_rank in into[router]:
                there = here + weight
                if there < distance[neighbour]:
                    distance[neighbour] = there
                    rank[neighbour] = its_rank
                    heapq.heappush(waiting, (there, neighbour))
                elif there == distance[neighbour] and its_rank < rank[neighbour]:
                    rank[neighbour] = its_rank
        return distance, rank


def _router_routes(
    plan: NetworkPlan, dead: Collection[int], down_nodes: frozenset[str]
) -> dict[str, list[RoutePlan]]:
    segments = _Segments(plan, dead)
    routers = [node for node in plan.nodes if node.traits.forwards and node.name not in down_nodes]
    hops = _Hops(routers, segments)
    attached: dict[tuple[bytes, int], list[int]] = {}
    for index, router in enumerate(routers):
        for interface in router.interfaces:
            if interface.address is not None and segments.is_up(interface):
                at = attached.setdefault(_subnet(interface.address, interface.prefix_length), [])
                if index not in at:
                    at.append(index)
    toward: dict[int, tuple[list[int], list[int]]] = {}
    routes: list[list[RoutePlan]] = [[] for _ in routers]
    for (prefix, length), goals in attached.items():
        for goal in goals:
            if goal not in toward:
                toward[goal] = hops.toward(goal)
        tables = [toward[goal] for goal in goals]
        for index, ways in enumerate(hops.ways):
            if index in goals:
                continue
            if len(tables) == 1:
                distance, rank = tables[0][0][index], tables[0][1][index]
            else:
                distance, rank = min((table[0][index], table[1][index]) for table in tables)
            if distance < _UNREACHED:
                routes[index].append(RoutePlan(prefix, length, *ways[rank]))
    return {router.name: found for router, found in zip(routers, routes, strict=True)}


def _subnet(address: bytes, length: int) -> tuple[bytes, int]:
    bits = len(address) * 8 - length
    return (int.from_bytes(address, "big") >> bits << bits).to_bytes(len(address), "big"), length
