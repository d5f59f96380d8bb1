"""The elements that a picture is made of, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import escape

from netsim.drawing.geometry import Box, Point, between

_CORNER: Final = 10.0


def text(style: str, x: float, y: float, words: str, anchor: str = "", *, ink: str = "") -> str:
    """One line; `style` is a class of the style sheet, `anchor` and `ink` override it."""
    own = f"text-anchor:{anchor};" if anchor and anchor != "middle" else ""
    own += f"fill:{ink}" if ink else ""
    attribute = f' style="{own}"' if own else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{attribute}>{plain(words)}</text>'


def rectangle(box: Box, radius: float = 14.0) -> str:
    """With places for `color`, and for how much wider than the fill an outline is."""
    return (
        f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.right - box.left:.1f}" '
        f'height="{box.bottom - box.top:.1f}" rx="{radius:.0f}" '
        'fill="{color}" stroke="{color}" stroke-width="{grow}"/>'
    )


def band(points: Iterable[Point]) -> str:
    """A broad line, with places for `color` and for its width."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{places}" fill="none" stroke="{{color}}" stroke-linecap="round" '
        'stroke-linejoin="round" stroke-width="{band}"/>'
    )


def path(points: Sequence[Point]) -> str:
    """A line with round corners."""
    steps = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_CORNER, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        if radius < 0.5:
            steps.append(f"L{corner[0]:.1f} {corner[1]:.1f}")
            continue
        into = between(corner, before, radius / math.dist(corner, before))
        out = between(corner, after, radius / math.dist(corner, after))
        steps.append(f"L{into[0]:.1f} {into[1]:.1f}")
        steps.append(f"Q{corner[0]:.1f} {corner[1]:.1f} {out[0]:.1f} {out[1]:.1f}")
    steps.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return f'<path class="link" d="{"".join(steps)}"/>'


def plain(words: str) -> str:
    """As text in a document or an attribute."""
    return escape(words, {'"': "&quot;"})
