"""Where everything in a picture goes, in pixels.

What is left without the leaves (routers, switches, computers between networks) is placed on a
grid; each figure brings its tray of leaves. Then columns and rows move together as far as boxes
and labels allow: figures of a column or row stay in line, and no two boxes overlap.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from enum import Enum
from itertools import combinations, pairwise
from typing import Final

from netsim.drawing.geometry import Box, Point, text_width
from netsim.drawing.grid import DOWN, Placement, Spot, place
from netsim.drawing.layers import layered
from netsim.drawing.looks import LOOKS
from netsim.drawing.packing import Extent, Packing
from netsim.drawing.picture import Line, Picture
from netsim.drawing.rows import in_rows
from netsim.drawing.tray import (
    LEAF_MARGIN,
    NAME_SIZE,
    Tray,
    hang,
    texts_size,
)

REGION_PADDING: Final = 12.0
CAPTION_HEIGHT: Final = 28.0
"""Of the prefix at the outer edge of a region."""
_ATTEMPTS: Final = 6
"""The grid knows nothing of sizes: a slanting line may yet run over a wide tray."""
_LIKE_A_SLIDE: Final = 1.0
"""Between 1.1 and 2.9 times as wide as high."""
_STEEPNESS: Final = 0.22
"""Height between two layers of a fabric, as a part of its width."""
_FEW: Final = 24
"""Figures on the grid, above which one attempt takes long enough."""


class Beside(Enum):
    """Where the text of a figure stands: where no line leaves it, if there is such a side."""

    BELOW = enum.auto()
    ABOVE = enum.auto()
    RIGHT = enum.auto()
    LEFT = enum.auto()
    BELOW_RIGHT = enum.auto()
    """At a corner, between lines, where every side has one."""
    BELOW_LEFT = enum.auto()
    ABOVE_RIGHT = enum.auto()
    ABOVE_LEFT = enum.auto()
    STEM = enum.auto()
    """At a switch: left of the stem of its tray."""


_SIDES: Final = (
    (math.pi / 2, Beside.BELOW),
    (-math.pi / 2, Beside.ABOVE),
    (math.pi, Beside.LEFT),
    (0.0, Beside.RIGHT),
)
"""By the angle at which text would stand, from the right clockwise."""
_CORNERS: Final = (
    (math.pi / 4, Beside.BELOW_RIGHT),
    (math.pi * 3 / 4, Beside.BELOW_LEFT),
    (-math.pi / 4, Beside.ABOVE_RIGHT),
    (-math.pi * 3 / 4, Beside.ABOVE_LEFT),
)
_FREE: Final = 0.6
"""Of the angle to the next line, on either hand."""


@dataclass(frozen=True, slots=True)
class Item:
    """A figure of the grid with its tray, placed."""

    figure: int
    tray: Tray
    side: int
    """`DOWN` or `UP`: where the tray hangs."""
    beside: Beside
    x: float
    y: float
    box: Box
    """Everything that belongs to it; the shaded region of a switch."""

    @property
    def place(self) -> Point:
        """The middle of its icon."""
        return self.x, self.y

    def are_leaves_crossed(self, to: Point) -> bool:
        """Whether a straight line from here to there runs over the leaves in the tray."""
        if not self.tray.rows:
            return False
        half = self.tray.width / 2 - LEAF_MARGIN
        near, far = sorted(
            (self.y + self.side * self.tray.rows[0].bus, self.y + self.side * self.tray.depth)
        )
        return Box(self.x - half, near, self.x + half, far).is_crossed(self.place, to)


@dataclass(frozen=True, slots=True)
class Layout:
    """All items by figure, and the lines between them."""

    items: dict[int, Item]
    lines: list[Line]
    cost: float
    """Of the placement on the grid."""
    is_fabric: bool = False
    """Rows are layers, with more lines between them than anything could be written at."""

    def boxes_under(self, line: Line) -> int:
        """How many figures a straight line would run over, other than those that it joins."""
        start, end = self.items[line.a].place, self.items[line.b].place
        return sum(
            item.box.is_crossed(start, end)
            for item in self.items.values()
            if item.figure not in (line.a, line.b)
        )

    def faults(self) -> int:
        """The same for all lines, and how often one runs over the leaves at its own ends."""
        return sum(map(self.boxes_under, self.lines)) + sum(
            self.items[figure].are_leaves_crossed(self.items[other].place)
            for line in self.lines
            for figure, other in ((line.a, line.b), (line.b, line.a))
        )

    def outline(self) -> Box:
        """Around all items."""
        boxes = [item.box for item in self.items.values()]
        return Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )


def lay_out(picture: Picture) -> Layout:
    """The layout of a picture; the same for the same picture."""
    leaves = _leaves(picture)
    trunk = [index for index in range(len(picture.figures)) if index not in leaves]
    hanging: dict[int, list[tuple[int, Line]]] = {index: [] for index in trunk}
    for leaf, (figure, line) in leaves.items():
        hanging[figure].append((leaf, line))
    trays = {figure: hang(picture, hanging[figure]) for figure in trunk}
    lines = [line for line in picture.lines if line.a not in leaves and line.b not in leaves]
    number = {figure: place for place, figure in enumerate(trunk)}
    edges = [(number[line.a], number[line.b]) for line in lines]
    hung = [bool(trays[figure].rows) for figure in trunk]
    if spots := in_rows(len(trunk), edges):
        return _placed(picture, trays, lines, Placement(spots, 0.0))
    if layers := layered(len(trunk), edges, hung):
        return _placed(picture, trays, lines, Placement(layers.spots, 0.0), layers.is_fabric)
    attempts = _ATTEMPTS if len(trunk) <= _FEW else 1
    tried = []
    for attempt in range(attempts):
        placement = place(len(trunk), edges, hung, attempt)
        tried.append(_placed(picture, trays, lines, placement))
        if not tried[-1].faults() and _unlike_a_slide(tried[-1]) < _LIKE_A_SLIDE:
            break
    return min(tried, key=lambda layout: (layout.faults(), layout.cost + _unlike_a_slide(layout)))


def _placed(
    picture: Picture,
    trays: dict[int, Tray],
    lines: list[Line],
    placement: Placement,
    is_fabric: bool = False,
) -> Layout:
    trunk = list(trays)
    spots, cost = placement
    spot_of = _in_reading_order(picture, dict(zip(trunk, spots, strict=True)))
    texts_beside = {
        figure: _beside_in_layers(picture, figure, spot_of, trays[figure])
        if is_fabric
        else _beside(picture, figure, lines, spot_of, trays[figure])
        for figure in trunk
    }
    extents = {
        figure: _extent(picture, figure, trays[figure], spot_of[figure].side, texts_beside[figure])
        for figure in trunk
    }
    packing = Packing(picture, spot_of, extents, lines)
    across, along = packing.columns(), packing.rows()
    if is_fabric:
        along = _apart(along, max(across.values()))
    items = {}
    for figure in trunk:
        x, y = across[spot_of[figure].column], along[spot_of[figure].row]
        extent = extents[figure]
        box = Box(x - extent.left, y - extent.up, x + extent.right, y + extent.down)
        side, beside = spot_of[figure].side, texts_beside[figure]
        items[figure] = Item(figure, trays[figure], side, beside, x, y, box)
    return Layout(items, lines, cost, is_fabric)


def _apart(along: dict[int, float], width: float) -> dict[int, float]:
    """Rows so far from each other that lines between them can be told apart."""
    moved: dict[int, float] = {}
    down = 0.0
    for before, row in pairwise([min(along), *sorted(along)]):
        down += max(along[row] - along[before], _STEEPNESS * width) if row != before else 0.0
        moved[row] = down
    return moved


def _in_reading_order(picture: Picture, spots: dict[int, Spot]) -> dict[int, Spot]:
    """Mirrored, if then more figures of a kind stand from left to right as in the file."""
    balance = 0
    for one, other in combinations(spots, 2):
        if picture.figures[one].kind == picture.figures[other].kind:
            apart = spots[other].column - spots[one].column
            balance += (apart > 0) - (apart < 0)
    if balance >= 0:
        return spots
    last = max(spot.column for spot in spots.values())
    return {figure: spot._replace(column=last - spot.column) for figure, spot in spots.items()}


def _unlike_a_slide(layout: Layout) -> float:
    outline = layout.outline()
    ratio = (outline.right - outline.left) / (outline.bottom - outline.top)
    return 2 * abs(math.log(ratio * 9 / 16))


def _leaves(picture: Picture) -> dict[int, tuple[int, Line]]:
    """Computers with one link, each with the figure and the line that it hangs on."""
    leaves: dict[int, tuple[int, Line]] = {}
    for index, beside in enumerate(picture.neighbours()):
        if not picture.figures[index].traits.relays and len(beside) == 1:
            ((other, line),) = beside
            if other not in leaves:  # of two computers with a cable between one is the root
                leaves[index] = (other, line)
    return leaves


def _beside(
    picture: Picture, figure: int, lines: list[Line], spots: dict[int, Spot], tray: Tray
) -> Beside:
    if tray.rows and picture.figures[figure].traits.bridges:
        return Beside.STEM
    own = spots[figure]
    ways = [math.copysign(math.pi / 2, own.side)] if tray.rows else []
    for line in lines:
        if figure in (line.a, line.b):
            other = spots[line.b if line.a == figure else line.a]
            ways.append(math.atan2(other.row - own.row, other.column - own.column))

    def free(angle: float) -> float:
        return min((abs(math.remainder(angle - way, math.tau)) for way in ways), default=math.pi)

    for angle, side in _SIDES:
        if free(angle) > _FREE:
            return side
    return max(_CORNERS, key=lambda corner: free(corner[0]))[1]


def _beside_in_layers(picture: Picture, figure: int, spots: dict[int, Spot], tray: Tray) -> Beside:
    """Above the topmost layer, and level with the icons of the others: lines go up and down."""
    if tray.rows and picture.figures[figure].traits.bridges:
        return Beside.STEM
    return Beside.ABOVE if spots[figure].row == 0 else Beside.RIGHT


def _extent(picture: Picture, figure: int, tray: Tray, side: int, beside: Beside) -> Extent:
    drawn = picture.figures[figure]
    half_width, half_height = LOOKS[drawn.kind].half_room
    width, height = texts_size(drawn)
    left = right = half_width
    up = down = half_height
    match beside:
        case Beside.BELOW | Beside.ABOVE:
            left = right = max(half_width, width / 2)
            above, below = (height + 6, 0.0) if beside is Beside.ABOVE else (0.0, height + 6)
            up, down = up + above, down + below
        case Beside.LEFT:
            left += width + 14
        case Beside.RIGHT:
            right += width + 14
        case Beside.BELOW_RIGHT | Beside.ABOVE_RIGHT:
            right = max(right, 26 + width)
        case Beside.BELOW_LEFT | Beside.ABOVE_LEFT:
            left = max(left, 26 + width)
        case Beside.STEM:
            left = right = max(half_width, width + 16)
    if beside in (Beside.BELOW_RIGHT, Beside.BELOW_LEFT):
        down += height
    elif beside in (Beside.ABOVE_RIGHT, Beside.ABOVE_LEFT):
        up += height
    if tray.rows:
        left, right = max(left, tray.width / 2), max(right, tray.width / 2)
        up, down = (up, tray.depth) if side == DOWN else (tray.depth, down)
    if drawn.traits.bridges:
        prefix = next(each.prefix for each in picture.subnets if figure in each.switches)
        half_width = max(left, right, text_width(prefix, NAME_SIZE, bold=True) / 2)
        left = right = half_width + REGION_PADDING
        caption = CAPTION_HEIGHT if prefix else 10.0
        up, down = (up + 8, down + caption) if side == DOWN else (up + caption, down + 8)
    return Extent(left, right, up, down)
