"""Placing a fabric in layers by role: leaves at the bottom, spines above them, and so on.

Where every line leads from one layer to the next, as in a Clos fabric, a fat tree or a tree of
switches, layers are what people draw. Lines of a fabric must cross, and do so between two layers
only. Within a layer the order is that of least crossing by barycentres (Sugiyama, Tagawa and Toda
1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from netsim.drawing.grid import DOWN, Edge, Spot

_DENSE: Final = 1.3
"""Lines for each figure, from which on they hardly go without crossing."""
_LEVELS_OF_TREE: Final = 3
_SMALLEST_TREE: Final = 7
_WIDEST_TREE: Final = 16
"""Figures; one that is wider has more room on a grid."""
_SWEEPS: Final = 4


class Layers(NamedTuple):
    """Spots by figure, and whether so many lines run between them that nothing is written there."""

    spots: list[Spot]
    is_fabric: bool


def layered(count: int, edges: Sequence[Edge], trays: Sequence[bool]) -> Layers | None:
    """Spots for `count` figures of a connected graph; None where it is no fabric.

    `trays` says which have leaves hanging: these are the lowest layer.
    """
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    levels = _levels(neighbours, trays)
    if levels is None:
        return None
    lines = sum(map(len, neighbours)) // 2
    is_tree = lines == count - 1 and len(levels) >= _LEVELS_OF_TREE and count >= _SMALLEST_TREE
    is_fabric = lines >= _DENSE * count
    if not is_fabric and not (is_tree and len(levels[0]) <= _WIDEST_TREE):
        return None
    _untangle(levels, neighbours)
    return Layers(_spots(count, levels), is_fabric)


def _levels(neighbours: list[set[int]], trays: Sequence[bool]) -> list[list[int]] | None:
    """Figures by how far above the lowest they are; None where a line stays within a level."""
    level = {figure: 0 for figure, has_tray in enumerate(trays) if has_tray}
    found = [list(level)]
    while found[-1]:
        above = {each for figure in found[-1] for each in neighbours[figure] if each not in level}
        level.update(dict.fromkeys(above, len(found)))
        found.append(sorted(above))
    found.pop()
    if len(found) < 2 or len(level) < len(neighbours):
        return None
    for figure, beside in enumerate(neighbours):
        if any(level[each] == level[figure] for each in beside):
            return None
    return found


def _untangle(levels: list[list[int]], neighbours: list[set[int]]) -> None:
    """Order each level by the middle of what its figures are joined to, up and down in turn."""
    for sweep in range(_SWEEPS):
        pairs = list(pairwise(levels))
        for lower, upper in pairs if sweep % 2 == 0 else [pair[::-1] for pair in pairs[::-1]]:
            at = {figure: place / max(1, len(lower) - 1) for place, figure in enumerate(lower)}
            upper.sort(key=lambda figure, at=at: _middle(figure, at, neighbours))  # type: ignore[misc]


def _middle(figure: int, at: dict[int, float], neighbours: list[set[int]]) -> float:
    beside = [at[each] for each in neighbours[figure] if each in at]
    return sum(beside) / len(beside) if beside else 0.5


def _spots(count: int, levels: list[list[int]]) -> list[Spot]:
    """The widest level has every second column; the others are spread over its width."""
    spots = [Spot(0, 0, DOWN)] * count
    width = 2 * max(map(len, levels))
    for height, figures in enumerate(levels):
        row = len(levels) - 1 - height
        for place, figure in enumerate(figures):
            column = round((place + 0.5) * width / len(figures)) - 1
            spots[figure] = Spot(column, row, DOWN)
    return spots
