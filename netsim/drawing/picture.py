"""What a picture of a network shows, whatever it is drawn with.

Nodes are figures, links are lines, and every line is in one subnet. Computers that differ in their
number only (`count: 20`) are one figure, so that a lab does not hide the network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from netsim.topology.kinds import Kind, Traits
from netsim.topology.plan import InterfacePlan, NetworkPlan, NodePlan

Ends: TypeAlias = Mapping[tuple[str, str], InterfacePlan]
"""Interfaces by the names of node and interface."""

_FEWEST: Final = 5
"""Up to four icons are as quick to read as `desk-1 … desk-4`."""
_NUMBERED: Final = re.compile(r"(.*?)([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Figure:
    """One node, or several computers that are alike."""

    members: tuple[NodePlan, ...]

    @property
    def kind(self) -> Kind:
        """The kind of all of them."""
        return self.members[0].kind

    @property
    def traits(self) -> Traits:
        """What their kind does."""
        return self.members[0].traits

    @property
    def name(self) -> str:
        """`alice`, or `lab-1 … lab-20`."""
        if len(self.members) == 1:
            return self.members[0].name
        return f"{self.members[0].name} … {self.members[-1].name}"


@dataclass(frozen=True, slots=True)
class Line:
    """A link, or the links of computers that are alike."""

    a: int
    """Index of a figure in `Picture.figures`, as is `b`."""
    b: int
    links: tuple[int, ...]
    """Indexes into `NetworkPlan.links`."""
    a_end: InterfacePlan
    """The interface at `a` of the first of the links."""
    b_end: InterfacePlan
    subnet: int
    """Index into `Picture.subnets`."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A group of connected switches with all that hangs on them, or links without a switch."""

    prefix: str
    """`10.0.1.0/24`; `10.0.1.0/24 … 10.0.9.0/24` where alike computers have one each; empty where
    no interface has an address."""
    switches: tuple[int, ...]
    """Indexes of figures; empty for a link without a switch."""
    count: int
    """How many subnets it stands for."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Figures and lines in the order of the file."""

    plan: NetworkPlan
    figures: tuple[Figure, ...]
    lines: tuple[Line, ...]
    subnets: tuple[Subnet, ...]

    def neighbours(self) -> list[list[tuple[int, Line]]]:
        """For each figure the figures beside it, each with the line that leads there."""
        found: list[list[tuple[int, Line]]] = [[] for _ in self.figures]
        for line in self.lines:
            found[line.a].append((line.b, line))
            found[line.b].append((line.a, line))
        return found

    def switched_subnet_of_figures(self) -> dict[int, int]:
        """Switches, and the computers whose only link leads to one, each with its subnet."""
        found: dict[int, int] = {}
        for index, beside in enumerate(self.neighbours()):
            if self.figures[index].traits.bridges:
                found[index] = next(
                    number for number, each in enumerate(self.subnets) if index in each.switches
                )
            elif len(beside) == 1 and not self.figures[index].traits.relays:
                ((_, line),) = beside
                if self.subnets[line.subnet].switches:
                    found[index] = line.subnet
        return found

    def caption(self) -> str:
        """`31 nodes, 31 links, 7 subnets`."""
        subnets = sum(subnet.count for subnet in self.subnets if subnet.prefix)
        numbers = (
            (len(self.plan.nodes), "node"),
            (len(self.plan.links), "link"),
            (subnets, "subnet"),
        )
        return ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in numbers)


def picture_of(plan: NetworkPlan) -> Picture:
    """The picture of a plan."""
    ends = {
        (node.name, interface.name): interface
        for node in plan.nodes
        for interface in node.interfaces
    }
    figures = tuple(Figure(run) for run in _alike_runs(plan, ends))
    place = {node.name: index for index, figure in enumerate(figures) for node in figure.members}
    drawn: dict[tuple[int, int, int], list[int]] = {}
    for index, link in enumerate(plan.links):
        a, b = place[link.a[0]], place[link.b[0]]
        alone = len(figures[a].members) == len(figures[b].members) == 1
        # Parallel links between two nodes stay apart; those of a group come together.
        drawn.setdefault((a, b, index if alone else -1), []).append(index)
    segments = _Segments(plan, figures, place, ends)
    lines = []
    for (a, b, _), links in drawn.items():
        first = plan.links[links[0]]
        a_end, b_end = ends[first.a], ends[first.b]
        lines.append(Line(a, b, tuple(links), a_end, b_end, segments.subnet_of(a, b, links)))
    return Picture(plan, figures, tuple(lines), segments.subnets())


def _alike_runs(plan: NetworkPlan, ends: Ends) -> list[tuple[NodePlan, ...]]:
    """All nodes in the order of the file, those that are alike together, at the first of them."""
    runs: list[list[NodePlan]] = []
    latest: dict[Hashable, list[NodePlan]] = {}
    for node in plan.nodes:
        likeness = _likeness(node, ends)
        run = latest.get(likeness)
        if likeness is not None and run is not None and _follows(run[-1], node):
            run.append(node)
            continue
        runs.append([node])
        if likeness is not None:
            latest[likeness] = runs[-1]
    drawn: list[tuple[NodePlan, ...]] = []
    for run in runs:
        drawn += [tuple(run)] if len(run) >= _FEWEST else [(node,) for node in run]
    return sorted(drawn, key=lambda nodes: plan.positions[nodes[0].name])


def _likeness(node: NodePlan, ends: Ends) -> Hashable:
    """What a computer must share with another to be drawn with it; None if it stands alone."""
    match = _NUMBERED.fullmatch(node.name)
    is_alone = node.traits.relays or len(node.interfaces) != 1 or node.ports or node.tap
    if match is None or is_alone:
        return None
    (interface,) = node.interfaces
    peer = ends[interface.peer, interface.peer_interface]
    way = (interface.peer, interface.egress, peer.egress)
    return match.group(1), way, repr((node.services, node.run, node.env))


def _follows(before: NodePlan, node: NodePlan) -> bool:
    first, second = (_NUMBERED.fullmatch(each.name) for each in (before, node))
    assert first is not None
    assert second is not None
    return int(second.group(2)) == int(first.group(2)) + 1


class _Segments:
    """Finds the subnet of each line: connected switches are one, every other line is another."""

    def __init__(
        self,
        plan: NetworkPlan,
        figures: tuple[Figure, ...],
        place: dict[str, int],
        ends: Ends,
    ) -> None:
        self._plan = plan
        self._ends = ends
        self._leader = {index: index for index, each in enumerate(figures) if each.traits.bridges}
        for link in plan.links:
            a, b = place[link.a[0]], place[link.b[0]]
            if a in self._leader and b in self._leader:
                first, second = sorted((self._find(a), self._find(b)))
                self._leader[second] = first
        self._number: dict[int, int] = {}
        self._switches: list[list[int]] = []
        self._links: list[list[int]] = []
        for switch in self._leader:
            number = self._number.setdefault(self._find(switch), len(self._switches))
            if number == len(self._switches):
                self._switches.append([])
                self._links.append([])
            self._switches[number].append(switch)

    def subnet_of(self, a: int, b: int, links: list[int]) -> int:
        switch = next((each for each in (a, b) if each in self._leader), None)
        if switch is None:
            self._switches.append([])
            self._links.append(list(links))
            return len(self._switches) - 1
        number = self._number[self._find(switch)]
        self._links[number] += links
        return number

    def subnets(self) -> tuple[Subnet, ...]:
        found = []
        for switches, links in zip(self._switches, self._links, strict=True):
            prefixes = self._prefixes(links)
            prefix = prefixes[0] if prefixes else ""
            if len(prefixes) > 1:
                prefix = f"{prefixes[0]} … {prefixes[-1]}"
            found.append(Subnet(prefix, tuple(switches), len(prefixes)))
        return tuple(found)

    def _prefixes(self, links: list[int]) -> list[str]:
        found: dict[str, None] = {}
        for index in links:
            link = self._plan.links[index]
            for end in (self._ends[link.a], self._ends[link.b]):
                if end.address is not None:
                    network = ipaddress.ip_network((end.address, end.prefix_length), strict=False)
                    found[str(network)] = None
        return list(found)

    def _find(self, switch: int) -> int:
        while self._leader[switch] != switch:
            switch = self._leader[switch]
        return switch
