"""Distances to a goal over a graph whose ways come and go, kept right without computing all anew.

After Ramalingam and Reps, "On the computational complexity of dynamic graph problems" (1996):
only those whose distance may have changed are looked at, nearest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Final

from netsim.topology.router_graph import RouterGraph, Way

UNREACHED: Final = 1 << 200


class Distances:
    """Of every router the distance to the nearest of its goals; weights are positive.

    `goals` have the distances that are given, whatever ways there are: nobody goes on from one.
    One that is `UNREACHED` is so passed by.
    """

    def __init__(self, graph: RouterGraph, goals: Mapping[int, int]) -> None:
        self._graph = graph
        self.goals = goals
        self.to = [UNREACHED] * len(graph.routers)
        """By router; `UNREACHED` where no way leads to a goal."""
        self._ways: list[tuple[Way, ...] | None] = [None] * len(graph.routers)
        """As far as anybody has asked."""
        waiting = []
        for goal, distance in goals.items():
            self.to[goal] = distance
            if distance < UNREACHED:
                waiting.append((distance, goal))
        self._settle(waiting, {})

    def ways(self, router: int) -> tuple[Way, ...]:
        """All that lead from a router to a goal over the shortest distance, by rank."""
        ways = self._ways[router]
        if ways is None:
            to = self.to
            distance = to[router]
            if distance < UNREACHED and router not in self.goals:
                out = self._graph.out[router]
                ways = tuple(way for way in out if to[way.target] + way.weight == distance)
            else:
                ways = ()
            self._ways[router] = ways
        return ways

    def repair(self, gone: Iterable[Way], back: Iterable[Way]) -> set[int]:
        """Follow what the graph has adopted; routers that may go another way than before."""
        to, out = self.to, self._graph.out
        before = self._lost(gone)
        for router in before:
            to[router] = UNREACHED
        waiting = []
        for router in before:
            nearest = min((way.weight + to[way.target] for way in out[router]), default=UNREACHED)
            if nearest < UNREACHED:
                to[router] = nearest
                waiting.append((nearest, router))
        for way in back:
            distance = way.weight + to[way.target]
            if distance < to[way.source] and way.source not in self.goals:
                before.setdefault(way.source, to[way.source])
                to[way.source] = distance
                waiting.append((distance, way.source))
        self._settle(waiting, before)
        moved = {way.source for way in chain(gone, back)}
        for router, distance in before.items():
            if to[router] != distance:
                moved.add(router)
                moved.update(way.source for way in self._graph.into[router])
        for router in moved:
            self._ways[router] = None
        return moved

    def _lost(self, gone: Iterable[Way]) -> dict[int, int]:
        """Routers that have no way of their old distance any more, with that distance."""
        to, graph = self.to, self._graph
        waiting = [
            (to[way.source], way.source)
            for way in gone
            if way.source not in self.goals
            and to[way.target] < UNREACHED
            and to[way.source] == way.weight + to[way.target]
        ]
        heapify(waiting)
        lost: dict[int, int] = {}
        while waiting:
            distance, router = heappop(waiting)
            if router in lost or any(
                way.target not in lost and way.weight + to[way.target] == distance
                for way in graph.out[router]
            ):
                continue
            lost[router] = distance
            for way in graph.into[router]:
                source = way.source
                if source not in self.goals and to[source] == distance + way.weight:
                    heappush(waiting, (to[source], source))
        return lost

    def _settle(self, waiting: list[tuple[int, int]], before: dict[int, int]) -> None:
        """Dijkstra's algorithm from those that wait; `before` gets what is improved."""
        to, into = self.to, self._graph.into
        heapify(waiting)
        while waiting:
            distance, router = heappop(waiting)
            if distance > to[router]:
                continue
            for way in into[router]:
                source = way.source
                onward = distance + way.weight
                if onward < to[source] and source not in self.goals:
                    before.setdefault(source, to[source])
                    to[source] = onward
                    heappush(waiting, (onward, source))
