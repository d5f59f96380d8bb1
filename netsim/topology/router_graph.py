"""The routers of a network as a graph: who hears whom over what, and which of that is up."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netsim.topology.plan import InterfacePlan, NetworkPlan, NextHop, NodePlan

# Delay and hops in one integer: hops count in the low bits, where no path carries into the delay.
DELAY_UNIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Reach:
    """A router's interface, as heard from somewhere in its segment."""

    delay_ns: int
    links: tuple[int, ...]
    """Those on the way."""
    router: str
    interface: InterfacePlan


class Segments:
    """Which routers hear each other, whether or not the links are up."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._nodes = {node.name: node for node in plan.nodes}
        self._ends = {
            (node.name, interface.name): interface
            for node in plan.nodes
            for interface in node.interfaces
        }
        self._trunks: dict[str, list[InterfacePlan]] = {}

    def routers_beyond(self, interface: InterfacePlan) -> Iterator[Reach]:
        """Routers that hear what leaves `interface`."""
        for egress, delay, links in self._passed(interface):
            peer = self._nodes[egress.peer]
            if peer.traits.forwards:
                yield Reach(delay, links, peer.name, self._ends[egress.peer, egress.peer_interface])

    def switches_beyond(
        self, interface: InterfacePlan
    ) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """Switches that hear it: name, delay in ns, the links on the way."""
        for egress, delay, links in self._passed(interface):
            if self._nodes[egress.peer].traits.bridges:
                yield egress.peer, delay, links

    def _passed(
        self, interface: InterfacePlan
    ) -> Iterator[tuple[InterfacePlan, int, tuple[int, ...]]]:
        """Every trunk that a frame from `interface` passes, with the delay and the links so far.

        Ends because switches form trees.
        """
        waiting: list[tuple[InterfacePlan, int, tuple[int, ...]]] = [(interface, 0, ())]
        for egress, before, passed in waiting:
            delay = before + egress.egress.delay_ns
            links = (*passed, egress.link)
            yield egress, delay, links
            peer = self._nodes[egress.peer]
            if peer.traits.bridges:
                waiting += [
                    (onward, delay, links)
                    for onward in self.trunks(peer)
                    if onward.link != egress.link
                ]

    def trunks(self, switch: NodePlan) -> list[InterfacePlan]:
        """Interfaces of a switch that lead to other switches or to routers."""
        found = self._trunks.get(switch.name)
        if found is None:
            found = [each for each in switch.interfaces if self._nodes[each.peer].traits.relays]
            self._trunks[switch.name] = found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """From one router to a neighbour. Routers are numbered."""

    source: int
    target: int
    weight: int
    """Delay, then one hop."""
    rank: int
    """Of equal ways of one source that with the smaller rank goes first."""
    hop: NextHop
    links: tuple[int, ...]
    """It is up while they all are."""


class RouterGraph:
    """All routers, and the ways between them that are up."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.routers: Sequence[NodePlan] = [node for node in plan.nodes if node.traits.forwards]
        self.number = {router.name: index for index, router in enumerate(self.routers)}
        self.out: list[list[Way]] = []
        """Of each router the ways that begin there and are up, by rank."""
        self.into: list[list[Way]] = [[] for _ in self.routers]
        """Of each router those that lead to it."""
        self.dead: frozenset[int] = frozenset()
        """Links that are down, those of dead nodes among them."""
        self._over: dict[int, list[Way]] = {}
        """By link: the ways that need it."""
        segments = Segments(plan)
        for index, router in enumerate(self.routers):
            reaches = [
                (reach.router, place, reach, interface.name)
                for place, interface in enumerate(router.interfaces)
                for reach in segments.routers_beyond(interface)
                if reach.router != router.name
            ]
            reaches.sort(key=lambda way: way[:2])
            ways = []
            for rank, (name, _, reach, interface_name) in enumerate(reaches):
                ways.append(
                    Way(
                        index,
                        self.number[name],
                        reach.delay_ns * DELAY_UNIT + 1,
                        rank,
                        (reach.interface.address or b"", interface_name),
                        reach.links,
                    )
                )
            self.out.append(ways)
            for way in ways:
                self.into[way.target].append(way)
                for link in way.links:
                    self._over.setdefault(link, []).append(way)

    def set_dead(self, links: frozenset[int]) -> tuple[list[Way], list[Way]]:
        """Adopt what is down now; returns the ways that are gone and those that are back."""
        before, self.dead = self.dead, links
        touched = self._using(before ^ links)
        gone = [way for way in touched if before.isdisjoint(way.links)]
        gone = [way for way in gone if not links.isdisjoint(way.links)]
        back = [way for way in touched if not before.isdisjoint(way.links)]
        back = [way for way in back if links.isdisjoint(way.links)]
        for way in gone:
            self.out[way.source].remove(way)
            self.into[way.target].remove(way)
        for way in back:
            insort(self.out[way.source], way, key=lambda each: each.rank)
            self.into[way.target].append(way)
        return gone, back

    def _using(self, links: Iterable[int]) -> list[Way]:
        ways = (way for link in sorted(links) for way in self._over.get(link, ()))
        return list(dict.fromkeys(ways))
