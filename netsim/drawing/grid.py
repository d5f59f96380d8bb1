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

_CROSSING: Final = 2.0
_OVER_FIGURE: Final = 12.0
_THROUGH_TRAY: Final = 12.0
_SLANT: Final = 0.9
"""For a line that is neither level nor upright."""
_STEEP: Final = 1.1
"""Cells to the side for each up or down, below which a line meets the leaves at its own end."""
_WIDER: Final = 2.4
_TRAY_UP: Final = 0.4
_TRAY_HEIGHT: Final = 0.8
_FEW: Final = 30
_HOT: Final = 4.0
_WARM: Final = 1.2
_COLD: Final = 0.02
_STRETCH: Final = 1.2
"""Cells between neighbours at the start."""
_WORK: Final = 800_000
"""About how many pairs of lines are looked at in all: under a second."""


class Spot(NamedTuple):
    """A cell of the grid, and the side of its figure on which the tray of leaves hangs."""

    column: int
    row: int
    side: int = DOWN


class _Line(NamedTuple):
    """A straight line between two spots: its edges, where it starts, and how far it leads."""

    left: int
    right: int
    top: int
    bottom: int
    x: int
    y: int
    across: int
    along: int


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
        self._lines = [self._line(number) for number in range(len(self._edges))]

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
        for figure in moved:
            for number in self._own[figure]:
                self._lines[number] = self._line(number)

    def _line(self, number: int) -> _Line:
        a, b = self._edges[number]
        (x, y, _), (to_x, to_y, _) = self.spots[a], self.spots[b]
        left, right = (x, to_x) if x < to_x else (to_x, x)
        top, bottom = (y, to_y) if y < to_y else (to_y, y)
        return _Line(left, right, top, bottom, x, y, to_x - x, to_y - y)

    def cost(self, moved: Iterable[int]) -> float:
        """What of the whole cost can change when these figures move."""
        touched = {number for figure in moved for number in self._own[figure]}
        cost = self._cost_of_outline()
        for number in touched:
            cost += self._cost_of_edge(number) + self._cost_of_crossings(number, touched)
            cost += self._cost_of_passing(number)
        for figure in moved:
            cost += self._cost_of_being_passed(figure, touched)
        return cost

    def _cost_of_outline(self) -> float:
        columns = [spot.column for spot in self.spots]
        tops, bottoms = [], []
        for tray, (_, row, side) in zip(self._trays, self.spots, strict=True):
            tops.append(row - _TRAY_HEIGHT if tray and side == UP else row)
            bottoms.append(row + _TRAY_HEIGHT if tray and side == DOWN else row)
        width, height = max(columns) - min(columns) + 1, max(bottoms) - min(tops) + 1
        cost = 0.12 * (width + height) + 0.2 * abs(width - _WIDER * height)
        for figure, spot in enumerate(self.spots):
            if spot.side == UP and self._trays[figure]:
                cost += _TRAY_UP
        return cost

    def _cost_of_edge(self, number: int) -> float:
        a, b = self._edges[number]
        *_, across, along = self._lines[number]
        cost = math.hypot(across, along)
        if across and along:
            cost += _SLANT
        if abs(across) < _STEEP * abs(along):
            down = 1 if along > 0 else -1
            cost += _THROUGH_TRAY * (self._trays[a] and self.spots[a].side == down)
            cost += _THROUGH_TRAY * (self._trays[b] and self.spots[b].side == -down)
        return cost

    def _cost_of_passing(self, number: int) -> float:
        """For a line that runs over figures, or over the leaves in their trays."""
        line = self._lines[number]
        left, right, above, below = line.left, line.right, line.top - 1, line.bottom + 1
        ends = self._edges[number]
        cost = 0.0
        for figure, (column, row, _) in enumerate(self.spots):
            if left <= column <= right and above <= row <= below and figure not in ends:
                cost += self._cost_of_meeting(line, figure)
        return cost

    def _cost_of_being_passed(self, figure: int, touched: Collection[int]) -> float:
        """For the lines that run over a figure, without those in `touched`."""
        column, row, _ = self.spots[figure]
        cost = 0.0
        for number, line in enumerate(self._lines):
            left, right, top, bottom, *_ = line
            if left <= column <= right and top - 1 <= row <= bottom + 1 and number not in touched:
                cost += self._cost_of_meeting(line, figure)
        return cost

    def _cost_of_meeting(self, line: _Line, figure: int) -> float:
        column, row, side = self.spots[figure]
        if _distance(line, column, row) < 0.45 or (
            self._trays[figure] and _distance(line, column, row + 0.5 * side) < 0.4
        ):
            return _OVER_FIGURE
        return 0.0

    def _cost_of_crossings(self, number: int, touched: Collection[int]) -> float:
        """With all other lines; with those in `touched` counted at one of the two."""
        left, right, top, bottom, x, y, across, along = self._lines[number]
        cost = 0.0
        for other, (o_left, o_right, o_top, o_bottom, o_x, o_y, o_across, o_along) in enumerate(
            self._lines
        ):
            if o_left > right or o_right < left or o_top > bottom or o_bottom < top:
                continue
            if other < number and other in touched:
                continue
            # On which side of each line the other one starts and ends; 0 where they share an end.
            start = across * (o_y - y) - along * (o_x - x)
            end = start + across * o_along - along * o_across
            if start * end >= 0:
                continue
            start = o_across * (y - o_y) - o_along * (x - o_x)
            end = start + o_across * along - o_along * across
            if start * end < 0:
                cost += _CROSSING
        return cost


def _distance(line: _Line, x: float, y: float) -> float:
    """From a point to a line, in cells."""
    across, along = line.across, line.along
    x, y = x - line.x, y - line.y
    part = (x * across + y * along) / (across * across + along * along)
    if part > 1.0:
        part = 1.0
    elif part < 0.0:
        part = 0.0
    return math.hypot(x - part * across, y - part * along)
