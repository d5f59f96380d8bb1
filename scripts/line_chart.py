"""A chart of lines as an SVG of its own: no script, no font, and readable on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netsim.drawing.svg_elements import plain, text

WIDTH, HEIGHT = 760.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 580.0, 44.0, 286.0
COLOURS: Final = ("#2563a8", "#b0304c", "#1f7a45", "#a35d08", "#6d3fb0", "#64748b")
STYLE: Final = """\
text{font-family:Helvetica,Arial,"DejaVu Sans",sans-serif;font-size:12px;fill:#334155}
.title{font-size:15px;font-weight:700;fill:#0f172a}
.grid{stroke:#e2e8f0}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points from left to right; `dashed` for those of others."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    dashed: bool = False
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear one, or one of powers; `ticks` are the values that are written."""

    ticks: Sequence[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where between both ends a value lies: 0 to 1, and beyond."""
        first, last, value = (
            (math.log(each) if self.logarithmic else each)
            for each in (self.ticks[0], self.ticks[-1], value)
        )
        return (value - first) / (last - first)


def line_chart(title: str, x_name: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """The whole document."""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across, up = x.share(point[0]), min(max(y.share(point[1]), 0), 1)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)

    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{HEIGHT:.0f}" '
            f'viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{plain(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" rx="10" fill="#fff"/>',
            text("title", 16, 26, title),
            text("", (LEFT + RIGHT) / 2, HEIGHT - 10, x_name, "middle"),
            *_grid(x, y, place),
            *(part for number, line in enumerate(lines) for part in _line(number, line, place)),
            "</svg>\n",
        ]
    )


def _grid(
    x: Axis, y: Axis, place: Callable[[tuple[float, float]], tuple[float, float]]
) -> Iterator[str]:
    for value in y.ticks:
        height = place((x.ticks[0], value))[1]
        yield f'<path class="grid" d="M{LEFT:.0f} {height:.1f}H{RIGHT:.0f}"/>'
        yield text("", LEFT - 8, height + 4, f"{value:g}", "end")
    for value in x.ticks:
        across = place((value, y.ticks[0]))[0]
        yield f'<path class="grid" d="M{across:.1f} {TOP:.0f}V{BOTTOM:.0f}"/>'
        yield f'<text x="{across:.1f}" y="{BOTTOM + 16:.0f}" text-anchor="middle">{value:g}</text>'


def _line(
    number: int, line: Line, place: Callable[[tuple[float, float]], tuple[float, float]]
) -> Iterator[str]:
    """The line, and its name at the right with a piece of it."""
    colour = COLOURS[line.colour]
    look = f'stroke="{colour}"' + (' stroke-dasharray="5 3"' if line.dashed else "")
    places = [place(point) for point in line.points]
    path = "L".join(f"{across:.1f} {height:.1f}" for across, height in places)
    yield f'<path class="line" {look} d="M{path}"/>'
    if line.marked:
        for across, height in places:
            yield f'<circle cx="{across:.1f}" cy="{height:.1f}" r="3" fill="{colour}"/>'
    height = TOP + 10 + 20 * number
    yield f'<path class="line" {look} d="M{RIGHT + 12:.0f} {height - 4:.1f}h22"/>'
    yield text("", RIGHT + 40, height, line.name)
