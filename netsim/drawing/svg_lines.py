"""Drawing the lines between figures of the grid, and what is written along all lines."""

from __future__ import annotations

import math
from typing import Final

from netsim.drawing import captions
from netsim.drawing.canvas import Canvas, note_box
from netsim.drawing.geometry import Point, around, between, text_width
from netsim.drawing.layout import Item, Layout
from netsim.drawing.looks import LOOKS
from netsim.drawing.picture import Line, Picture
from netsim.drawing.svg_figures import Fan
from netsim.drawing.tray import TEXT_SIZE, label_of

_PARALLEL: Final = 44.0
"""Between lines that join the same two figures."""
_DETOUR: Final = 72.0
"""Of a line that would run over a figure."""


def draw_lines(canvas: Canvas, picture: Picture, layout: Layout, fans: list[Fan]) -> None:
    """The lines, then addresses at their ends, then labels where there is still room."""
    drawing = _Lines(canvas, picture, layout)
    parallel: dict[frozenset[int], list[Line]] = {}
    for line in layout.lines:
        parallel.setdefault(frozenset((line.a, line.b)), []).append(line)
    ways = []
    for lines in parallel.values():
        for number, line in enumerate(lines):
            offset = (number - (len(lines) - 1) / 2) * _PARALLEL
            ways.append((line, drawing.way(line, offset)))
    for line, points in ways:
        canvas.link(line.subnet, points, shaded=not layout.is_fabric)
    for fan in fans:
        drawing.write_end(*fan)
    if layout.is_fabric:
        return  # what there is to say of so many lines is said once, by the caption
    for line, points in ways:
        drawing.write_end(line, line.a, points)
        drawing.write_end(line, line.b, points[::-1])
    for line, points in ways:
        drawing.write_label(line, points)


class _Lines:
    def __init__(self, canvas: Canvas, picture: Picture, layout: Layout) -> None:
        self._canvas = canvas
        self._picture = picture
        self._layout = layout

    def way(self, line: Line, offset: float) -> list[Point]:
        """Straight, unless others run beside it or a figure stands in its way."""
        start, end = self._layout.items[line.a].place, self._layout.items[line.b].place
        if not offset and not self._layout.is_fabric and self._layout.boxes_under(line):
            offset = _DETOUR
        if not offset:
            return [start, end]
        length = math.dist(start, end)
        across = (end[1] - start[1]) / length * offset
        along = (start[0] - end[0]) / length * offset
        if end < start:  # parallel lines may be written from either end
            across, along = -across, -along
        bends = [between(start, end, part) for part in (0.3, 0.7)]
        return [start, *((x + across, y + along) for x, y in bends), end]

    def write_end(self, line: Line, figure: int, points: list[Point]) -> None:
        """What the router's address adds to the prefix, where its line leaves it.

        In a dense fan there is no room for it; the tooltip of the router has it all the same.
        """
        if not self._picture.figures[figure].traits.forwards:
            return
        words = captions.short_address(line.a_end if figure == line.a else line.b_end)
        start, to = points[0], points[1]
        length = math.dist(start, to)
        across, along = (to[0] - start[0]) / length, (to[1] - start[1]) / length
        half = text_width(words, TEXT_SIZE) / 2
        beside = 2 + (half + 1) * abs(along) + 5.5 * abs(across)
        for distance in (42, 56, 70):
            for side in (1, -1):
                x = start[0] + distance * across - side * along * beside
                y = start[1] + distance * along + side * across * beside
                if not self._canvas.overlaps(around(x, y, half - 1, 5)):
                    self._canvas.text("end", x, y + 3.5, words)
                    return

    def write_label(self, line: Line, points: list[Point]) -> None:
        """In the middle of what can be seen of the line, or near it where that is taken."""
        label = label_of(self._picture, line)
        if not label:
            return
        middle = len(points) // 2
        start, end = points[middle - 1], points[middle]
        if len(points) == 2:
            a, b = self._layout.items[line.a], self._layout.items[line.b]
            start, end = self._leaving(a, b.place), self._leaving(b, a.place)
        parts = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8)
        places = [between(start, end, part) for part in parts]
        # Of equally free places the first, nearest to the middle.
        place = min(places, key=lambda place: self._canvas.overlaps(note_box(label, *place)))
        self._canvas.note(line.subnet, label, *place)

    def _leaving(self, item: Item, to: Point) -> Point:
        """Where a straight line leaves an icon, or the region of a switch."""
        figure = self._picture.figures[item.figure]
        across, along = to[0] - item.x, to[1] - item.y
        if not figure.traits.bridges:
            part = LOOKS[figure.kind].radius / math.hypot(across, along)
        else:
            sides = (
                (item.box.right if across > 0 else item.box.left, item.x, across),
                (item.box.bottom if along > 0 else item.box.top, item.y, along),
            )
            part = min((edge - origin) / way for edge, origin, way in sides if way)
        return between(item.place, to, min(part, 0.45))
