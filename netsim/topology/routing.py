"""Routes by shortest path, from a plan and what of it is down.

The weight of a way is its delay, then its hops. A subnet of computers is as far as they are from
its gateways; one of routers only begins at the nearest of them. Ways of equal weight are all used.

One class lays out the network, follows what goes down and comes back, and finds the way to one
destination for whoever wants to know only that.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping

from netsim.topology.destinations import Destination, find_destinations, routers_up
from netsim.topology.plan import NetworkPlan, NextHops, Prefix, RouteChange
from netsim.topology.router_graph import RouterGraph, Way
from netsim.topology.shortest_paths import Distances

Table = dict[Prefix, NextHops]
"""Derived routes of one router."""


def links_down(plan: NetworkPlan, links: Iterable[int], nodes: Iterable[str]) -> frozenset[int]:
    """The links that are down, when these are and these nodes: those take theirs with them."""
    dead = set(links)
    for name in nodes:
        dead.update(interface.link for interface in plan.node(name).interfaces)
    return frozenset(dead)


class Routing:
    """Derived routes of routers over the links that are up; all are, to begin with.

    `next_hops` finds a single one. `compute` makes `tables` of all of them, which `change` keeps
    right. With `routing: static` what is down changes nothing; with `none` there are no routes.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        self.graph = RouterGraph(plan)
        self.tables: list[Table] = []
        """By router."""
        self._is_static = plan.routing != "auto"
        self._has_none = plan.routing == "none"
        self._destinations, self._corners = find_destinations(plan, self.graph)
        self._distances: dict[int | str, Distances] = {}
        """By router or switch, to it, of those that anybody has asked for."""
        self._beside: dict[int, list[Prefix]] = {}
        """By link, the subnets of its ends that are routers."""
        for prefix, destination in self._destinations.items():
            for _, link in destination.attached:
                self._beside.setdefault(link, []).append(prefix)
        self._given = [
            {(route.prefix, route.prefix_length) for route in router.routes if route.given}
            for router in self.graph.routers
        ]
        """By router: prefixes that a person's route leads to."""
        self._hops: dict[tuple[tuple[Way, ...], ...], NextHops] = {}
        """By ways to several goals: one tuple for all who go the same ways."""

    def next_hops(self, router: str, prefix: Prefix) -> NextHops:
        """Of a router to a destination; empty without a way, or where it needs no route."""
        destination = self._destinations.get(prefix)
        if destination is None or self._has_none:
            return ()
        index = self.graph.number[router]
        hops = self._next_hops(index, destination)
        if destination.general is not None:
            general = self._next_hops(index, self._destinations[destination.general])
            return () if hops == general else hops
        return hops

    def set_dead(self, links: frozenset[int]) -> None:
        """Adopt what is down, for `next_hops`."""
        if not self._is_static and links != self.graph.dead:
            self.graph.set_dead(links)
            self._distances.clear()

    def compute(self) -> Generator[None, None, None]:
        """Fill `tables`. It yields between pieces of work, as `change` does."""
        self.tables = [{} for _ in self.graph.routers]
        if self._has_none:
            return
        everybody = range(len(self.tables))
        for destination in self._destinations.values():
            self._renew(destination, everybody, {})
            yield

    def change(self, dead: frozenset[int]) -> Generator[None, None, dict[str, RouteChange]]:
        """Have `tables` follow what is down now; returns what changes, by router."""
        if self._is_static:
            return {}
        moved = self.graph.dead ^ dead
        gone, back = self.graph.set_dead(dead)
        everybody = range(len(self.tables))
        touched: dict[int | str, Collection[int]] = {}
        for goal, distances in self._distances.items():
            goals = self._goals(goal)
            if goals == distances.goals:
                touched[goal] = distances.repair(gone, back)
            else:
                self._distances[goal] = Distances(self.graph, goals)
                touched[goal] = everybody
            yield
        reattached = {prefix for link in moved for prefix in self._beside.get(link, ())}
        changed: dict[int, dict[Prefix, NextHops]] = {}
        for prefix, destination in self._destinations.items():
            routers: Iterable[int] = everybody
            if prefix not in reattached:
                goals_of = [destination]
                if destination.general is not None:
                    goals_of.append(self._destinations[destination.general])
                keys = {key for each in goals_of for key in self._keys(each)}
                routers = set().union(*(touched[key] for key in keys))
            self._renew(destination, routers, changed)
            yield
        return {
            self.graph.routers[router].name: change
            for router, hops in sorted(changed.items())
            if (change := self._told(router, hops))
        }

    def since_the_plan(self, name: str) -> RouteChange:
        """What a router that has the routes of the plan needs to have those of now."""
        router = self.graph.number[name]
        planned: Table = {}
        for route in self.graph.routers[router].routes:
            prefix = route.prefix, route.prefix_length
            planned[prefix] = (*planned.get(prefix, ()), (route.gateway, route.interface))
        table = self.tables[router]
        hops = {
            prefix: table.get(prefix, ())
            for prefix in dict.fromkeys((*planned, *table))
            if table.get(prefix) != planned.get(prefix)
        }
        return self._told(router, hops)

    def _told(self, router: int, hops: Mapping[Prefix, NextHops]) -> RouteChange:
        withdrawn = []
        by_hops: dict[NextHops, list[Prefix]] = {}
        for prefix, own in hops.items():
            if prefix in self._given[router]:
                continue
            if own:
                by_hops.setdefault(own, []).append(prefix)
            else:
                withdrawn.append(prefix)
        routes = ((own, tuple(prefixes)) for own, prefixes in by_hops.items())
        return RouteChange(tuple(withdrawn), tuple(routes))

    def _renew(
        self,
        destination: Destination,
        routers: Iterable[int],
        changed: dict[int, dict[Prefix, NextHops]],
    ) -> None:
        """Put into tables what is right now for these routers; `changed` gets what was not."""
        prefix, general = destination.prefix, destination.general
        attached = routers_up(destination.attached, self.graph.dead)
        distances = [self._to(key) for key in self._keys(destination)]
        for router in routers:
            table = self.tables[router]
            hops = () if router in attached else self._best(router, distances)
            if general is not None and hops == table.get(general, ()):
                hops = ()
            if hops != table.get(prefix, ()):
                changed.setdefault(router, {})[prefix] = hops
                if hops:
                    table[prefix] = hops
                else:
                    del table[prefix]

    def _next_hops(self, router: int, destination: Destination) -> NextHops:
        if router in routers_up(destination.attached, self.graph.dead):
            return ()
        return self._best(router, [self._to(key) for key in self._keys(destination)])

    def _best(self, router: int, distances: list[Distances]) -> NextHops:
        """The ways from a router to the nearest goal."""
        if not distances:
            return ()
        best: tuple[tuple[Way, ...], ...]
        if len(distances) == 1:
            best = (distances[0].ways(router),)
        else:
            nearest = min([each.to[router] for each in distances])
            best = tuple(each.ways(router) for each in distances if each.to[router] == nearest)
        hops = self._hops.get(best)
        if hops is None:
            ways = sorted({way for ways in best for way in ways}, key=lambda way: way.rank)
            hops = self._hops[best] = tuple(way.hop for way in ways)
        return hops

    def _keys(self, destination: Destination) -> Iterable[int | str]:
        """To whom the distances count that decide about a destination."""
        if destination.corner:
            return (destination.corner,)
        return routers_up(destination.attached, self.graph.dead)

    def _to(self, key: int | str) -> Distances:
        distances = self._distances.get(key)
        if distances is None:
            distances = self._distances[key] = Distances(self.graph, self._goals(key))
        return distances

    def _goals(self, key: int | str) -> dict[int, int]:
        if isinstance(key, int):
            return {key: 0}
        return self._corners[key].goals(self.graph.dead)
