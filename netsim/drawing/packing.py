"""Columns and rows of the grid as close together as boxes and labels allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from netsim.drawing.grid import Spot
from netsim.drawing.picture import Line, Picture
from netsim.drawing.tray import LINE_HEIGHT, label_of, label_width

_GAP: Final = 26.0
_END_SPACE: Final = 30.0
"""For the address at an end of a line."""


class Extent(NamedTuple):
    """How far something reaches from its middle."""

    left: float
    right: float
    up: float
    down: float


class _Element(NamedTuple):
    """What takes room at a spot of the grid: a figure, or a line that passes."""

    figure: int
    """-1 for a line."""
    spot: Spot
    extent: Extent


class Packing:
    """Moves columns and rows together."""

    def __init__(
        self,
        picture: Picture,
        spots: dict[int, Spot],
        extents: dict[int, Extent],
        lines: list[Line],
    ) -> None:
        self._picture = picture
        self._spots = spots
        self._lines = lines
        self._elements = [_Element(figure, spots[figure], extents[figure]) for figure in spots]
        self._between = {frozenset((line.a, line.b)): line for line in lines}
        self._across: dict[int, float] = {}

    def columns(self) -> dict[int, float]:
        """The x of every column that is used."""
        columns = sorted({element.spot.column for element in self._elements})
        self._across = {columns[0]: 0.0}
        rows: dict[int, list[_Element]] = {}
        for element in [*self._elements, *self._upright_lines()]:
            rows.setdefault(element.spot.row, []).append(element)
        pairs = [
            (one, other)
            for row in rows.values()
            for one in row
            for other in row
            if one.spot.column < other.spot.column
        ]
        room = self._room_for_labels()
        for before, column in pairwise(columns):
            least = self._across[before] + max(60.0, room.get(before, 0) + room.get(column, 0))
            for one, other in pairs:
                if other.spot.column == column:
                    apart = one.extent.right + other.extent.left + self._gap(one, other, level=True)
                    least = max(least, self._across[one.spot.column] + apart)
            self._across[column] = least
        return self._across

    def rows(self) -> dict[int, float]:
        """The y of every row that is used; after `columns`."""
        rows = sorted({element.spot.row for element in self._elements})
        along = {rows[0]: 0.0}
        elements = [*self._elements, *self._level_lines()]
        for before, row in pairwise(rows):
            least = along[before] + 40.0
            for other in elements:
                if other.spot.row != row:
                    continue
                for one in elements:
                    if one.spot.row < row and self._must_clear(one, other):
                        apart = one.extent.down + other.extent.up
                        apart += self._gap(one, other, level=False)
                        least = max(least, along[one.spot.row] + apart)
            along[row] = least
        return along

    def _must_clear(self, one: _Element, other: _Element) -> bool:
        if frozenset((one.figure, other.figure)) in self._between:
            return True
        first, second = self._across[one.spot.column], self._across[other.spot.column]
        return (
            first - one.extent.left < second + other.extent.right + _GAP
            and second - other.extent.left < first + one.extent.right + _GAP
        )

    def _gap(self, one: _Element, other: _Element, *, level: bool) -> float:
        """Between two boxes; where a line joins them, as much as what is written at it takes."""
        line = self._between.get(frozenset((one.figure, other.figure)))
        if line is None:
            return _GAP
        label = label_of(self._picture, line)
        size = label_width(label) + 14 if level else len(label) * LINE_HEIGHT + 8
        if level:
            return size + 2 * _END_SPACE
        # A slanting line may cross another, and then their labels stand above each other.
        return 2 * size + _END_SPACE if self._slants(line) else size + 1.3 * _END_SPACE

    def _slants(self, line: Line) -> bool:
        return self._spots[line.a].column != self._spots[line.b].column

    def _room_for_labels(self) -> dict[int, float]:
        """Half the width of what is written at the upright lines of each column."""
        room: dict[int, float] = {}
        for line in self._lines:
            a, b = self._spots[line.a], self._spots[line.b]
            if a.column == b.column:
                half = label_width(label_of(self._picture, line)) / 2 + 14
                room[a.column] = max(room.get(a.column, 0.0), half)
        return room

    def _upright_lines(self) -> Iterator[_Element]:
        """Where they pass a row between their ends."""
        for line in self._lines:
            a, b = self._spots[line.a], self._spots[line.b]
            if a.column == b.column:
                for row in _between(a.row, b.row):
                    yield _Element(-1, Spot(a.column, row), Extent(12, 12, 0, 0))

    def _level_lines(self) -> Iterator[_Element]:
        """As wide as they are."""
        for line in self._lines:
            a, b = self._spots[line.a], self._spots[line.b]
            if a.row == b.row:
                ends = sorted((a.column, b.column))
                width = self._across[ends[1]] - self._across[ends[0]]
                height = len(label_of(self._picture, line)) * LINE_HEIGHT / 2 + 6
                yield _Element(-1, Spot(ends[0], a.row), Extent(0, width, height, height))


def _between(one: int, other: int) -> Iterable[int]:
    return range(min(one, other) + 1, max(one, other))
