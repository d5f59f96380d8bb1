"""Drawing the figures of the grid and the leaves in their trays."""

from __future__ import annotations

from typing import Final, NamedTuple

from netsim.drawing import captions
from netsim.drawing.canvas import Canvas
from netsim.drawing.geometry import Point
from netsim.drawing.grid import DOWN, UP
from netsim.drawing.layout import Beside, Item, Layout
from netsim.drawing.looks import LOOKS, ink_of
from netsim.drawing.picture import Figure, Line, Picture
from netsim.drawing.tray import (
    BUS_DEPTH,
    GROUP_RISE,
    ICON_HEIGHT,
    LINE_HEIGHT,
    Leaf,
    texts,
)

_NOTE_LINE: Final = 13.0


class Fan(NamedTuple):
    """A line from a figure of the grid straight to one of its leaves."""

    line: Line
    figure: int
    points: list[Point]


def draw_figures(canvas: Canvas, picture: Picture, layout: Layout) -> list[Fan]:
    """Everything but the lines between figures of the grid; returns those to leaves."""
    drawing = _Figures(canvas, picture, layout)
    for item in layout.items.values():
        drawing.draw(item)
    return drawing.fans


class _Figures:
    def __init__(self, canvas: Canvas, picture: Picture, layout: Layout) -> None:
        self._canvas = canvas
        self._picture = picture
        self._layout = layout
        self._subnet_of_switch = {
            switch: number
            for number, subnet in enumerate(picture.subnets)
            for switch in subnet.switches
        }
        self.fans: list[Fan] = []

    def draw(self, item: Item) -> None:
        self._draw_icon(item.figure, item.x, item.y)
        subnet = self._subnet_of_switch.get(item.figure)
        if subnet is not None:
            self._canvas.region(subnet, item.box)
            if item.figure == self._titled_switch(subnet):
                y = item.box.top + 17 if item.side == UP else item.box.bottom - 9
                prefix = self._picture.subnets[subnet].prefix
                self._canvas.prefix(item.x, y, prefix, ink_of(subnet))
        self._write_texts(item)
        self._draw_tray(item)

    def _titled_switch(self, subnet: int) -> int:
        """The one of its switches at which the prefix of a subnet is written."""
        items = [self._layout.items[each] for each in self._picture.subnets[subnet].switches]
        return max(items, key=lambda item: len(item.tray.rows) > 0).figure

    def _write_texts(self, item: Item) -> None:
        figure = self._picture.figures[item.figure]
        half = LOOKS[figure.kind].half_height
        lines = texts(figure)
        rise = (len(lines) - 1) * LINE_HEIGHT
        middle = item.y + 4 - rise / 2
        match item.beside:
            case Beside.BELOW:
                x, y, anchor = item.x, item.y + half + 15, "middle"
            case Beside.ABOVE:
                y = item.y - half - 8 - rise
                x, anchor = item.x, "middle"
            case Beside.RIGHT:
                x, y, anchor = item.x + 38, middle, "start"
            case Beside.LEFT:
                x, y, anchor = item.x - 38, middle, "end"
            case Beside.BELOW_RIGHT:
                x, y, anchor = item.x + 24, item.y + half + 11, "start"
            case Beside.BELOW_LEFT:
                x, y, anchor = item.x - 24, item.y + half + 11, "end"
            case Beside.ABOVE_RIGHT:
                x, y, anchor = item.x + 24, item.y - half - 4 - rise, "start"
            case Beside.ABOVE_LEFT:
                x, y, anchor = item.x - 24, item.y - half - 4 - rise, "end"
            case Beside.STEM:
                x, y, anchor = item.x - 9, item.y + (-30 if item.side == UP else 38), "end"
        for style, words in lines:
            self._canvas.text(style, x, y, words, anchor)
            y += LINE_HEIGHT

    def _draw_tray(self, item: Item) -> None:
        tray, side = item.tray, item.side
        traits = self._picture.figures[item.figure].traits
        for row in tray.rows:
            for leaf in row.leaves:
                x, y = item.x + leaf.x, item.y + side * leaf.depth
                points = [item.place, (x, y - side * self._half_height(leaf))]
                if not tray.is_fan:
                    bus = item.y + side * row.bus
                    points[1:1] = [(item.x, bus), (x, bus)]
                shaded = tray.is_fan and not traits.bridges
                self._canvas.link(leaf.line.subnet, points, shaded=shaded)
                if tray.is_fan:
                    self.fans.append(Fan(leaf.line, item.figure, points))
                self._draw_leaf(leaf, x, y, side)
        middle = item.y + side * (26 + BUS_DEPTH) / 2
        y = middle - (len(tray.label) - 1) * _NOTE_LINE / 2 + 4
        for words in tray.label:
            self._canvas.text("address", item.x + 9, y, words, "start")
            y += _NOTE_LINE

    def _draw_leaf(self, leaf: Leaf, x: float, y: float, side: int) -> None:
        figure = self._picture.figures[leaf.figure]
        self._draw_icon(leaf.figure, x, y)
        if len(figure.members) > 1:
            # Away from the words, which stand above a tray that stands up.
            self._canvas.badge(
                f"×{len(figure.members)}", x + 31, y - 22 if side == DOWN else y + 14
            )
        lines = texts(figure)
        baseline = y + ICON_HEIGHT / 2 + 15
        if side == UP:
            baseline = y - ICON_HEIGHT / 2 + 5 - len(lines) * LINE_HEIGHT
        for style, words in lines:
            self._canvas.text(style, x, baseline, words)
            baseline += LINE_HEIGHT
        if leaf.label:
            away = self._half_height(leaf) + 9 + len(leaf.label) * _NOTE_LINE / 2
            self._canvas.note(leaf.line.subnet, leaf.label, x, y - side * away)

    def _half_height(self, leaf: Leaf) -> float:
        """From the middle of its icon to where its line arrives."""
        is_group = len(self._picture.figures[leaf.figure].members) > 1
        return 20.0 + GROUP_RISE if is_group else 20.0

    def _draw_icon(self, index: int, x: float, y: float) -> None:
        figure = self._picture.figures[index]
        self._canvas.icon(figure, x, y, _tooltip(figure))


def _tooltip(figure: Figure) -> str:
    lines = [f"{figure.name} ({figure.kind})"]
    for interface in figure.members[0].interfaces if len(figure.members) == 1 else ():
        where = captions.address(interface)
        where = f" {where}/{interface.prefix_length}" if where else ""
        lines.append(f"{interface.name}{where} to {interface.peer}:{interface.peer_interface}")
    return "\n".join(lines)
