"""Static routes by shortest path, from a plan and what of it is down.

Between routers the weight of a way is its delay, then its hops; of equal ways the one over the
neighbour whose name comes first, then the earlier interface. Every router gets a route to every
subnet that is not its own; a computer gets a default route to the nearest router at its first
interface that has one.

The same class lays out the network, follows what goes down and comes back, and finds the way to
one destination for whoever wants to know only that.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from itertools import chain

from netsim.topology.plan import NetworkPlan, NextHop, Prefix, RouteChange, RoutePlan
from netsim.topology.router_graph import Reach, RouterGraph, Segments, Way
from netsim.topology.shortest_paths import Distances

Table = dict[Prefix, NextHop]
"""Derived routes of one router."""


def compute_routes(plan: NetworkPlan) -> dict[str, tuple[RoutePlan, ...]]:
    """The routes of every computer and router of the intact network, by name.

    Given routes (`RoutePlan.given`) stay and replace derived ones to the same prefix.
    """
    routing = Routing(plan)
    _finish(routing.compute())
    derived = _default_routes(plan)
    for router, table in zip(routing.graph.routers, routing.tables, strict=True):
        derived[router.name] = [RoutePlan(*prefix, *hop) for prefix, hop in table.items()]
    found = {}
    for node in plan.nodes:
        if node.traits.has_stack:
            given = [route for route in node.routes if route.given]
            replaced = {(route.prefix, route.prefix_length) for route in given}
            own = derived.get(node.name, [])
            kept = [each for each in own if (each.prefix, each.prefix_length) not in replaced]
            found[node.name] = (*kept, *given)
    return found


def links_down(plan: NetworkPlan, links: Iterable[int], nodes: Iterable[str]) -> frozenset[int]:
    """The links that are down, when these are and these nodes: those take theirs with them."""
    dead = set(links)
    for name in nodes:
        dead.update(interface.link for interface in plan.node(name).interfaces)
    return frozenset(dead)


class Routing:
    """Derived routes of routers over the links that are up; all are, to begin with.

    `next_hop` finds a single one. `compute` makes `tables` of all of them, which `change` keeps
    right. With `routing: static` what is down changes nothing.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        self.graph = RouterGraph(plan)
        self.tables: list[Table] = []
        """By router."""
        self._is_static = plan.routing == "static"
        self._toward: dict[int, Distances] = {}
        """By goal, of those that anybody has asked for."""
        self._attached: dict[Prefix, list[tuple[int, int]]] = {}
        """Of each subnet its routers, each with the link that it is there over."""
        self._beside: dict[int, list[Prefix]] = {}
        """By link, the subnets of its ends that are routers."""
        self._given: list[set[Prefix]] = []
        """By router: prefixes that a person's route leads to."""
        for index, router in enumerate(self.graph.routers):
            self._given.append({(r.prefix, r.prefix_length) for r in router.routes if r.given})
            for interface in router.interfaces:
                if interface.address is not None:
                    prefix = subnet(interface.address, interface.prefix_length)
                    self._attached.setdefault(prefix, []).append((index, interface.link))
                    self._beside.setdefault(interface.link, []).append(prefix)

    def next_hop(self, router: str, prefix: Prefix) -> NextHop | None:
        """Of a router to a subnet that is not its own; None without a way."""
        return self._hop(self.graph.number[router], self._goals(prefix))

    def set_dead(self, links: frozenset[int]) -> None:
        """Adopt what is down, for `next_hop`."""
        if not self._is_static and links != self.graph.dead:
            self.graph.set_dead(links)
            self._toward.clear()

    def compute(self) -> Generator[None, None, None]:
        """Fill `tables`. It yields between pieces of work, as `change` does."""
        self.tables = [{} for _ in self.graph.routers]
        for prefix in self._attached:
            goals = self._goals(prefix)
            for router, table in enumerate(self.tables):
                hop = self._hop(router, goals)
                if hop is not None:
                    table[prefix] = hop
            yield

    def change(self, dead: frozenset[int]) -> Generator[None, None, dict[str, RouteChange]]:
        """Have `tables` follow what is down now; returns what changes, by router."""
        if self._is_static:
            return {}
        moved = self.graph.dead ^ dead
        gone, back = self.graph.set_dead(dead)
        touched: dict[int, set[int]] = {}
        for goal, distances in self._toward.items():
            touched[goal] = distances.repair(gone, back)
            yield
        reattached = {prefix for link in moved for prefix in self._beside.get(link, ())}
        everybody = range(len(self.tables))
        changed: dict[int, dict[Prefix, NextHop | None]] = {}
        for prefix in self._attached:
            goals = self._goals(prefix)
            routers: Iterable[int] = everybody
            if prefix not in reattached:
                routers = set().union(*(touched[goal] for goal in goals))
            for router in routers:
                hop = self._hop(router, goals)
                if hop != self.tables[router].get(prefix):
                    changed.setdefault(router, {})[prefix] = hop
            yield
        for router, hops in changed.items():
            _adopt(self.tables[router], hops)
        return {
            self.graph.routers[router].name: change
            for router, hops in sorted(changed.items())
            if (change := self._told(router, hops))
        }

    def since_the_plan(self, name: str) -> RouteChange:
        """What a router that has the routes of the plan needs to have those of now."""
        router = self.graph.number[name]
        planned = {
            (route.prefix, route.prefix_length): (route.gateway, route.interface)
            for route in self.graph.routers[router].routes
        }
        table = self.tables[router]
        hops = {
            prefix: table.get(prefix)
            for prefix in dict.fromkeys((*planned, *table))
            if table.get(prefix) != planned.get(prefix)
        }
        return self._told(router, hops)

    def _told(self, router: int, hops: Mapping[Prefix, NextHop | None]) -> RouteChange:
        withdrawn = []
        by_hop: dict[NextHop, list[Prefix]] = {}
        for prefix, hop in hops.items():
            if prefix in self._given[router]:
                continue
            if hop is None:
                withdrawn.append(prefix)
            else:
                by_hop.setdefault(hop, []).append(prefix)
        routes = ((hop, tuple(prefixes)) for hop, prefixes in by_hop.items())
        return RouteChange(tuple(withdrawn), tuple(routes))

    def _goals(self, prefix: Prefix) -> dict[int, Distances]:
        """The routers that stand in a subnet, with everybody's distances to each."""
        goals = {}
        for goal, link in self._attached.get(prefix, ()):
            if link not in self.graph.dead and goal not in goals:
                distances = self._toward.get(goal)
                if distances is None:
                    distances = self._toward[goal] = Distances(self.graph, {goal: 0})
                goals[goal] = distances
        return goals

    def _hop(self, router: int, goals: Mapping[int, Distances]) -> NextHop | None:
        """The best of the ways from a router to the nearest goal."""
        if router in goals or not goals:
            return None
        nearest = min([distances.to[router] for distances in goals.values()])
        best: Way | None = None
        for distances in goals.values():
            if distances.to[router] == nearest:
                way = distances.best_way(router)
                if best is None or (way is not None and way.rank < best.rank):
                    best = way
        return None if best is None else best.hop


def subnet(address: bytes, length: int) -> Prefix:
    """The prefix of an address."""
    bits = len(address) * 8 - length
    return (int.from_bytes(address, "big") >> bits << bits).to_bytes(len(address), "big"), length


def _adopt(table: Table, hops: Mapping[Prefix, NextHop | None]) -> None:
    for prefix, hop in hops.items():
        if hop is None:
            del table[prefix]
        else:
            table[prefix] = hop


def _finish(work: Generator[None, None, None]) -> None:
    for _ in work:
        pass


# Computers ------------------------------------------------------------------------------------


def _default_routes(plan: NetworkPlan) -> dict[str, list[RoutePlan]]:
    """They stay as they are in the intact network: a real computer would not notice either."""
    segments = Segments(plan)
    nodes = {node.name: node for node in plan.nodes}
    beyond: dict[str, Reach | None] = {}  # by switch: all that hang on it have the same nearest
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


def _nearest(reaches: Iterable[Reach]) -> Reach | None:
    return min(reaches, key=lambda reach: (reach.delay_ns, reach.router), default=None)
