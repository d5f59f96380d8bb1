"""Places for figures such that distances on paper are like distances in the graph.

Stress majorization (Gansner, Koren and North 2005, "Graph drawing by stress majorization"), each
pair weighted by 1/d², from a radial drawing of the breadth-first tree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from netsim.drawing.geometry import Point

_WORK: Final = 1_000_000
"""About how many pairs of figures are looked at in all."""


def spread(neighbours: Sequence[Sequence[int]]) -> list[Point]:
    """A point for each figure of a connected graph, neighbours about 1 apart, wider than high."""
    hops = [_hops(neighbours, figure) for figure in range(len(neighbours))]
    points = _radial(neighbours, hops)
    for _ in range(max(4, min(80, _WORK // len(points) ** 2))):
        _majorize(points, hops)
    return _upright(points, neighbours)


def _hops(neighbours: Sequence[Sequence[int]], start: int) -> list[int]:
    hops = [-1] * len(neighbours)
    hops[start] = 0
    for figure in (waiting := [start]):
        for beside in neighbours[figure]:
            if hops[beside] < 0:
                hops[beside] = hops[figure] + 1
                waiting.append(beside)
    return hops


def _radial(neighbours: Sequence[Sequence[int]], hops: list[list[int]]) -> list[Point]:
    """Rings around the middle, each subtree in a wedge as wide as it has figures."""
    root = min(range(len(hops)), key=lambda figure: (max(hops[figure]), sum(hops[figure])))
    below: dict[int, list[int]] = {root: []}
    for figure in (order := [root]):
        for beside in neighbours[figure]:
            if beside not in below:
                below[beside] = []
                below[figure].append(beside)
                order.append(beside)
    size = dict.fromkeys(order, 1)
    for figure in reversed(order):
        size[figure] += sum(size[each] for each in below[figure])
    points = [(0.0, 0.0)] * len(hops)
    wedges = {root: (0.0, math.tau)}
    for figure in order:
        start, width = wedges[figure]
        for each in below[figure]:
            share = width * size[each] / (size[figure] - 1)
            wedges[each] = (start, share)
            angle = start + share / 2
            points[each] = (hops[root][each] * math.cos(angle), hops[root][each] * math.sin(angle))
            start += share
    return points


def _majorize(points: list[Point], hops: list[list[int]]) -> None:
    """One sweep; each figure moves to where it has the least stress against all others."""
    for figure, (x, y) in enumerate(points):
        across = along = total = 0.0
        for other, wanted in enumerate(hops[figure]):
            if wanted:
                other_x, other_y = points[other]
                pull = wanted / (math.hypot(x - other_x, y - other_y) or 1e-9)
                weight = 1 / (wanted * wanted)
                across += weight * (other_x + (x - other_x) * pull)
                along += weight * (other_y + (y - other_y) * pull)
                total += weight
        if total:
            points[figure] = (across / total, along / total)


def _upright(points: list[Point], neighbours: Sequence[Sequence[int]]) -> list[Point]:
    """Turned so that most lines are level or upright, the first figures left and on top."""

    def slant(turned: list[Point]) -> float:
        return sum(
            min(abs(turned[a][0] - turned[b][0]), abs(turned[a][1] - turned[b][1]))
            for a, beside in enumerate(neighbours)
            for b in beside
        )

    turns = (_turned(points, step * math.pi / 48) for step in range(24))
    best = min(turns, key=slant)
    width, height = (max(axis) - min(axis) for axis in zip(*best, strict=True))
    if height > width:
        best = [(y, x) for x, y in best]
    half = max(1, len(best) // 2)
    for axis in (0, 1):
        first = sum(point[axis] for point in best[:half]) / half
        rest = sum(point[axis] for point in best[half:]) / max(1, len(best) - half)
        if first > rest:
            best = [(-x, y) if axis == 0 else (x, -y) for x, y in best]
    return best


def _turned(points: list[Point], angle: float) -> list[Point]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return [(x * cosine - y * sine, x * sine + y * cosine) for x, y in points]
