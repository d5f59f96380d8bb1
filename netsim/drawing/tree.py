"""A network as a tree of text: from the router in the middle outwards, loops shown as `→ r4`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netsim.drawing import captions
from netsim.drawing.picture import Line, Picture
from netsim.topology.kinds import Kind, Traits


class Row(NamedTuple):
    """One line of the tree, by columns."""

    branch: str
    """`│   ├── `."""
    name: str
    kind: Kind | None
    """None for a link that closes a loop."""
    link: str
    """What the link from the row above it does, and its subnet where it changes."""
    facts: str
    """Addresses, services and ports."""


def tree_rows(picture: Picture) -> list[Row]:
    """All nodes, each beneath the one through which it is reached from the middle."""
    return list(_Tree(picture).rows())


def middle(picture: Picture) -> int:
    """The figure from which the others are nearest: a router, if there is one."""
    neighbours = picture.neighbours()
    ranks = [_rank(figure.traits) for figure in picture.figures]
    best = min(ranks)
    candidates = [index for index, rank in enumerate(ranks) if rank == best]
    # Of hundreds of routers any well connected one will do.
    candidates.sort(key=lambda index: -len(neighbours[index]))

    def eccentricity(start: int) -> tuple[int, int]:
        reached = _reach(start, neighbours)
        return max(reached.values()), -len(neighbours[start])

    return min(candidates[:64], key=eccentricity)


def _rank(traits: Traits) -> int:
    return 0 if traits.forwards else 1 if traits.bridges else 2


def _reach(start: int, neighbours: list[list[tuple[int, Line]]]) -> dict[int, int]:
    """Hops to every figure."""
    hops = {start: 0}
    for figure in (waiting := [start]):
        for beside, _ in neighbours[figure]:
            if beside not in hops:
                hops[beside] = hops[figure] + 1
                waiting.append(beside)
    return hops


class _Tree:
    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._neighbours = picture.neighbours()
        self._root = middle(picture)
        # Breadth first, so that the tree is as flat as it can be.
        self._line_above: dict[int, Line | None] = {self._root: None}
        for figure in (waiting := [self._root]):
            for beside, line in self._neighbours[figure]:
                if beside not in self._line_above:
                    self._line_above[beside] = line
                    waiting.append(beside)
        in_tree = {line.links for line in self._line_above.values() if line}
        self._loops = {line.links for line in picture.lines} - in_tree
        self._subnet_of_switch = {
            switch: index
            for index, subnet in enumerate(picture.subnets)
            for switch in subnet.switches
        }

    def rows(self) -> Iterator[Row]:
        waiting = [(self._root, "", "")]
        while waiting:
            figure, branch, indent = waiting.pop()
            yield self._row(figure, branch)
            loops, below = self._lines_below(figure)
            left = len(loops) + len(below)
            for beside, line in loops:
                left -= 1
                name = f"→ {self._picture.figures[beside].name}"
                link = self._link(line, self._subnet_of_switch.get(figure))
                yield Row(indent + _branch(left), name, None, link, "")
            nested = []
            for beside in below:
                left -= 1
                onward = indent + ("│   " if left else "    ")
                nested.append((beside, indent + _branch(left), onward))
            waiting += reversed(nested)

    def _lines_below(self, figure: int) -> tuple[list[tuple[int, Line]], list[int]]:
        """Where loops close, each told once, and the figures beneath this one."""
        loops, below = [], []
        for beside, line in self._neighbours[figure]:
            if line is self._line_above[beside]:
                below.append(beside)
            elif line.links in self._loops:
                self._loops.discard(line.links)
                loops.append((beside, line))
        return loops, below

    def _row(self, figure: int, branch: str) -> Row:
        drawn = self._picture.figures[figure]
        facts = captions.addresses_by_interface(drawn)
        facts += captions.services(drawn) + captions.ports(drawn)
        line = self._line_above[figure]
        if line is not None:
            above = line.a if line.b == figure else line.b
            link = self._link(line, self._subnet_of_switch.get(above))
        elif figure in self._subnet_of_switch:
            link = self._picture.subnets[self._subnet_of_switch[figure]].prefix
        else:
            link = ""
        return Row(branch, drawn.name, drawn.kind, link, "  ".join(facts))

    def _link(self, line: Line, known_subnet: int | None) -> str:
        words = captions.line_words(self._picture, line)
        if line.subnet != known_subnet:
            words.insert(0, self._picture.subnets[line.subnet].prefix)
        return "; ".join(word for word in words if word)


def _branch(left: int) -> str:
    return "├── " if left else "└── "
