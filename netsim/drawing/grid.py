"""Placing figures on a grid: short straight lines that cross neither each other nor a figure.

Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) from a drawing of least stress. The same
graph gets the same places on every run: the random numbers have a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import product
from random import Random
from typing import Final, NamedTuple, TypeAlias

from netsim.drawing.geometry import Point
from netsim.drawing.stress import spread

Edge: TypeAlias = tuple[int, int]

DOWN: Final = 1
UP: Final = -1

_CROSSING: Final = 4.0
_OVER_FIGURE: Final = 7.0
_THROUGH_TRAY: Final = 6.0
_SLANT: Final = 0.9
"""For a line that is neither level nor upright."""
_TRAY_UP: Final = 0.4
_TRAY_HEIGHT: Final = 0.8
_FEW: Final = 9
_HOT: Final = 4.0
_WARM: Final = 1.2
_COLD: Final = 0.02
_STRETCH: Final = 1.2
"""Cells between neighbours at the start."""
_WORK: Final = 800_000
"""About how many pairs of lines are looked at in all: a second or two."""


class Spot(NamedTuple):
    """A cell of the grid, and the side of its figure on which the tray of leaves hangs."""

    column: int
    row: int
    side: int = DOWN


class Placement(NamedTuple):
    """Spots by figure, and how far from ideal they are."""

    spots: list[Spot]
    cost: float


def place(count: int, edges: Sequence[Edge], trays: Sequence[bool], attempt: int = 0) -> Placement:
    """Spots for `count` figures of a connected graph; `trays` says which have leaves hanging.

    Another `attempt` finds other spots.
    """
    if count == 1:
        return Placement([Spot(0, 0)], 0.0)
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for a, b in sorted({(min(edge), max(edge)) for edge in edges}):
        neighbours[a].append(b)
        neighbours[b].append(a)
    work = _Annealing(neighbours, trays, _snapped(spread(neighbours)), Random(attempt))
    # Few figures are shuffled from scratch, many only tidied.
    work.cool(_HOT if count <= _FEW else _WARM)
    column, row = (min(spot[axis] for spot in work.spots) for axis in (0, 1))
    spots = [Spot(spot.column - column, spot.row - row, spot.side) for spot in work.spots]
    return Placement(spots, work.cost(range(count)))


def _snapped(points: list[Point]) -> list[Spot]:
    """The nearest free cell for each point."""
    spots: list[Spot] = []
    taken: set[tuple[int, int]] = set()
    for x, y in points:
        x, y = x * _STRETCH, y * _STRETCH
        reach = 1
        free: list[tuple[int, int]] = []
        while not free:
            across = range(round(x) - reach, round(x) + reach + 1)
            along = range(round(y) - reach, round(y) + reach + 1)
            free = [cell for cell in product(across, along) if cell not in taken]
            reach += 1
        cell = min(free, key=lambda cell: (math.dist(cell, (x, y)), cell))
        taken.add(cell)
        spots.append(Spot(*cell))
    return spots


class _Annealing:
    def __init__(
        self,
        neighbours: list[list[int]],
        trays: Sequence[bool],
        spots: list[Spot],
        random: Random,
    ) -> None:
        self._edges = [(a, b) for a, beside in enumerate(neighbours) for b in beside if a < b]
        self._trays = trays
        self._own: list[list[int]] = [[] for _ in neighbours]
        """Edges at each figure."""
        for number, edge in enumerate(self._edges):
            for figure in edge:
                self._own[figure].append(number)
        self._random = random
        self.spots = spots
        self._taken = {spot[:2]: figure for figure, spot in enumerate(self.spots)}

    def cool(self, hottest: float) -> None:
        """Move figures about, less and less daringly; keep the best."""
        count, edges = len(self.spots), len(self._edges)
        steps = max(300, min(3_000, _WORK // (1 + (edges + count) * (1 + 2 * edges // count))))
        best, lowest, cost = list(self.spots), 0.0, 0.0
        for step in range(steps):
            heat = hottest * (_COLD / hottest) ** (step / steps)
            moved = self._propose()
            if moved is None:
                continue
            before = self.cost(moved)
            kept = {figure: self.spots[figure] for figure in moved}
            self._put(moved)
            change = self.cost(moved) - before
            if change <= 0 or self._random.random() < math.exp(-change / heat):
                cost += change
                if cost < lowest - 1e-9:
                    best, lowest = list(self.spots), cost
            else:
                self._put(kept)
        self.spots = best

    def _propose(self) -> dict[int, Spot] | None:
        """Figures with their new spots: one moves, or turns its tray, or changes with another."""
        figure = self._random.randrange(len(self.spots))
        spot = self.spots[figure]
        if self._trays[figure] and self._random.random() < 0.15:
            return {figure: spot._replace(side=-spot.side)}
        if self._own[figure] and self._random.random() < 0.6:
            a, b = self._edges[self._random.choice(self._own[figure])]
            near = self.spots[b if a == figure else a]
            reach = 2
        else:
            near, reach = spot, 3
        column = near.column + self._random.randint(-reach, reach)
        row = near.row + self._random.randint(-reach, reach)
        if (column, row) == spot[:2]:
            return None
        moved = {figure: Spot(column, row, spot.side)}
        other = self._taken.get((column, row))
        if other is not None:
            moved[other] = Spot(spot.column, spot.row, self.spots[other].side)
        return moved

    def _put(self, moved: dict[int, Spot]) -> None:
        for figure in moved:
            del self._taken[self.spots[figure][:2]]
        for figure, spot in moved.items():
            self.spots[figure] = spot
            self._taken[spot[:2]] = figure

    def cost(self, moved: Iterable[int]) -> float:
        """What of the whole cost can change when these figures move."""
        touched = {number for figure in moved for number in self._own[figure]}
        cost = self._cost_of_outline()
        for number in touched:
            cost += self._cost_of_edge(number) + self._cost_of_crossings(number, touched)
            cost += self._cost_of_passing(number, range(len(self.spots)))
        for number in range(len(self._edges)):
            if number not in touched:
                cost += self._cost_of_passing(number, moved)
        return cost

    def _cost_of_outline(self) -> float:
        columns = [spot.column for spot in self.spots]
        tops, bottoms = [], []
        for tray, (_, row, side) in zip(self._trays, self.spots, strict=True):
            tops.append(row - _TRAY_HEIGHT if tray and side == UP else row)
            bottoms.append(row + _TRAY_HEIGHT if tray and side == DOWN else row)
        width, height = max(columns) - min(columns) + 1, max(bottoms) - min(tops) + 1
        cost = 0.12 * (width + height) + 0.2 * abs(width - 1.6 * height)
        for figure, spot in enumerate(self.spots):
            if spot.side == UP and self._trays[figure]:
                cost += _TRAY_UP
        return cost

    def _cost_of_edge(self, number: int) -> float:
        a, b = self._edges[number]
        first, second = self.spots[a], self.spots[b]
        across, along = second.column - first.column, second.row - first.row
        cost = math.hypot(across, along)
        if across and along:
            cost += _SLANT
        if along:
            down = 1 if along > 0 else -1
            cost += _THROUGH_TRAY * (self._trays[a] and first.side == down)
            cost += _THROUGH_TRAY * (self._trays[b] and second.side == -down)
        return cost

    def _cost_of_passing(self, number: int, figures: Iterable[int]) -> float:
        """For a line that runs over figures, or over the leaves in their trays."""
        a, b = self._edges[number]
        first, second = self.spots[a], self.spots[b]
        left, right = sorted((first.column, second.column))
        top, bottom = sorted((first.row, second.row))
        cost = 0.0
        for figure in figures:
            column, row, side = self.spots[figure]
            if not (left <= column <= right and top - 1 <= row <= bottom + 1) or figure in (a, b):
                continue
            if _distance(first, second, column, row) < 0.45 or (
                self._trays[figure] and _distance(first, second, column, row + 0.5 * side) < 0.4
            ):
                cost += _OVER_FIGURE
        return cost

    def _cost_of_crossings(self, number: int, touched: Collection[int]) -> float:
        """With all other lines; with those in `touched` counted at one of the two."""
        spots = self.spots
        a, b = self._edges[number]
        p, q = spots[a], spots[b]
        left, right = sorted((p.column, q.column))
        top, bottom = sorted((p.row, q.row))
        cost = 0.0
        for other, (c, d) in enumerate(self._edges):
            r, s = spots[c], spots[d]
            if (
                (r.column > right and s.column > right)
                or (r.column < left and s.column < left)
                or (r.row > bottom and s.row > bottom)
                or (r.row < top and s.row < top)
            ):
                continue
            if a in (c, d) or b in (c, d) or (other < number and other in touched):
                continue
            if _turn(p, q, r) * _turn(p, q, s) < 0 and _turn(r, s, p) * _turn(r, s, q) < 0:
                cost += _CROSSING
        return cost


def _turn(a: Spot, b: Spot, c: Spot) -> int:
    return (b.column - a.column) * (c.row - a.row) - (b.row - a.row) * (c.column - a.column)


def _distance(a: Spot, b: Spot, x: float, y: float) -> float:
    """From a point to the stretch between two spots, in cells."""
    across, along = b.column - a.column, b.row - a.row
    part = ((x - a.column) * across + (y - a.row) * along) / (across**2 + along**2)
    part = min(1.0, max(0.0, part))
    return math.hypot(x - a.column - part * across, y - a.row - part * along)
