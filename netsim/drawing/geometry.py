"""Points, rectangles and the width of text on paper, in pixels; y grows downwards."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]


class Box(NamedTuple):
    """A rectangle, by its edges."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box, margin: float = 0.0) -> bool:
        """Whether they come closer than `margin`."""
        return (
            self.left < other.right + margin
            and other.left < self.right + margin
            and self.top < other.bottom + margin
            and other.top < self.bottom + margin
        )

    def is_crossed(self, start: Point, end: Point) -> bool:
        """Whether a straight line runs through it (Liang and Barsky 1984)."""
        first, last = 0.0, 1.0
        for origin, way, low, high in (
            (start[0], end[0] - start[0], self.left, self.right),
            (start[1], end[1] - start[1], self.top, self.bottom),
        ):
            if not way:
                if not low < origin < high:
                    return False
                continue
            near, far = sorted(((low - origin) / way, (high - origin) / way))
            first, last = max(first, near), min(last, far)
        return first < last


def around(x: float, y: float, half_width: float, half_height: float) -> Box:
    """The box with this middle."""
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def between(start: Point, end: Point, part: float) -> Point:
    """The point at this part of the way, from 0 to 1."""
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


# The widths are those of DejaVu Sans, which is wider than the Helvetica and Arial that a browser
# takes first; so what fits by these numbers fits everywhere.
_NARROW: Final = frozenset("ijlIt.,:;|'!/ f()[]")
_WIDE: Final = frozenset("mwMW%…→@")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line of text takes at most, at `size` pixels."""
    ems = sum(
        0.40 if character in _NARROW else 0.95 if character in _WIDE else 0.63 for character in text
    )
    return ems * size * (1.1 if bold else 1.0)
