"""Placing figures that form one line, or a ring: in rows, as people draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from netsim.drawing.grid import DOWN, UP, Edge, Spot

_FEWEST: Final = 4
"""Figures; fewer are well placed on the grid."""
_SPACIOUS: Final = 5.0
"""How many figures stand beside each other for one above another: on a slide of 16:9, as a figure
with what hangs on it is twice as high as it is wide."""


def in_rows(count: int, edges: Sequence[Edge]) -> list[Spot] | None:
    """Spots for `count` figures of a connected graph; None where it is neither line nor ring.

    A long line is folded, and a ring has two rows. At a fold, what hangs on the upper figure
    stands above it.
    """
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    ends = [figure for figure in range(count) if len(neighbours[figure]) == 1]
    if count < _FEWEST or len(ends) > 2 or max(map(len, neighbours)) > 2:
        return None
    order = _walk(ends[0] if ends else 0, neighbours)
    spots = _folded(count) if ends else _circle(count)
    return [spot for _, spot in sorted(zip(order, spots, strict=True))]


def _walk(start: int, neighbours: list[set[int]]) -> list[int]:
    """From one to the next; a ring is left in the direction of the file."""
    order = [start]
    while onward := sorted(neighbours[order[-1]].difference(order[-2:], order[:1])):
        order.append(onward[0])
    return order


def _folded(count: int) -> list[Spot]:
    rows = max(1, round(math.sqrt(count / _SPACIOUS)))
    width = math.ceil(count / rows)
    spots = []
    for place in range(count):
        row, column = divmod(place, width)
        turns = column == width - 1 and place != count - 1
        spots.append(
            Spot(column if row % 2 == 0 else width - 1 - column, row, UP if turns else DOWN)
        )
    return spots


def _circle(count: int) -> list[Spot]:
    """Clockwise; the lower row, which may have one figure less, is as wide as the upper."""
    above = (count + 1) // 2
    below = count - above
    right = 2 * (above - 1)
    spots = [Spot(2 * place, 0, UP) for place in range(above)]
    spots += [Spot(right - round(place * right / (below - 1)), 1, DOWN) for place in range(below)]
    return spots
