"""The layers of a picture: shaded subnets below, then links, labels on them, icons, text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from netsim.drawing.geometry import Box, Point, around, text_width
from netsim.drawing.looks import PLAIN, drawing_of, edge_of, fill_of, icon_of
from netsim.drawing.picture import Figure, Picture
from netsim.drawing.svg_elements import band, path, plain, rectangle, text
from netsim.drawing.tray import LINE_HEIGHT, NAME_SIZE, label_width

_BAND: Final = 26.0
"""Width of the shading along a link."""
_NOTE_LINE: Final = LINE_HEIGHT - 1.5


class Canvas:
    """Collects elements by layer, and remembers where labels would cover something."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._shades: dict[int, list[str]] = {}
        self._links: list[str] = []
        self._grounds: list[str] = []
        self._icons: list[str] = []
        self._texts: list[str] = []
        self._occupied: list[Box] = []
        self._corners: list[Point] = []

    def layers(self) -> Iterator[str]:
        """All elements, from the lowest."""
        for subnet, shapes in sorted(self._shades.items()):
            yield self._region(subnet, shapes)
        yield from self._links
        yield from self._grounds
        yield from self._icons
        yield from self._texts

    def outline(self, around_figures: Box) -> Box:
        """Around the figures and all links: some make a detour."""
        half = _BAND / 2
        boxes = [around_figures, *(around(x, y, half, half) for x, y in self._corners)]
        return Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )

    def overlaps(self, box: Box) -> int:
        """How much there is in a box already."""
        return sum(box.overlaps(other) for other in self._occupied)

    def occupy(self, box: Box) -> None:
        """Keep labels of links out of it, as far as they can be kept out."""
        self._occupied.append(box)

    def icon(self, figure: Figure, x: float, y: float, tooltip: str) -> None:
        """The icon of a figure around a point."""
        icon = icon_of(figure)
        self._icons.append(
            f'<g class="{icon}" transform="translate({x:.1f} {y:.1f})">'
            f"<title>{plain(tooltip)}</title>{drawing_of(icon)}</g>"
        )
        self.occupy(around(x, y, 30, 28))

    def badge(self, words: str, x: float, y: float) -> None:
        """A dark pill with a few letters."""
        half = text_width(words, 11, bold=True) / 2 + 5
        self._texts.append(
            f'<rect class="badge" x="{x - half:.1f}" y="{y - 9:.1f}" width="{2 * half:.1f}" '
            f'height="18" rx="9"/>{text("count", x, y + 4, words)}'
        )

    def text(self, style: str, x: float, y: float, words: str, anchor: str = "middle") -> None:
        """One line, with its baseline at `y`."""
        self._texts.append(text(style, x, y, words, anchor))
        width = text_width(words, NAME_SIZE, bold=True)
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        self.occupy(Box(left, y - 0.8 * NAME_SIZE, left + width, y + 0.2 * NAME_SIZE))

    def prefix(self, x: float, y: float, words: str, ink: str) -> None:
        """The prefix of a subnet, in its colour."""
        self._texts.append(text("prefix", x, y, words, ink=ink))

    def region(self, subnet: int, box: Box) -> None:
        """A part of a shaded subnet; parts that touch become one."""
        self._shades.setdefault(subnet, []).append(rectangle(box))
        self.occupy(box)

    def link(self, subnet: int, points: Sequence[Point], *, shaded: bool = True) -> None:
        """A link, and along it the shading of its subnet."""
        self._links.append(path(points))
        self._corners += points
        if shaded:
            self._shades.setdefault(subnet, []).append(band(points))

    def note(self, subnet: int, words: Sequence[str], x: float, y: float) -> None:
        """Words that interrupt a link, around a point; its shading swells around them."""
        box = note_box(words, x, y)
        self.occupy(box)
        shapes = self._shades.setdefault(subnet, [])
        if shapes:
            shapes.append(rectangle(box, 7))
        fill, _ = self._colours(subnet)
        self._grounds.append(rectangle(box, 6).format(color=fill, grow=0))
        top = y - len(words) * _NOTE_LINE / 2
        has_prefix = not self._picture.subnets[subnet].switches
        for number, line in enumerate(words):
            style = "subnet" if has_prefix and number == 0 else "note"
            self._texts.append(text(style, x, top + 10 + number * _NOTE_LINE, line))

    def _region(self, subnet: int, shapes: list[str]) -> str:
        """All outlines under all fills: what touches is one region."""
        fill, edge = self._colours(subnet)
        outlines = "".join(shape.format(color=edge, grow=3, band=_BAND + 3) for shape in shapes)
        fills = "".join(shape.format(color=fill, grow=0, band=_BAND) for shape in shapes)
        return f"<g>{outlines}{fills}</g>"

    def _colours(self, subnet: int) -> tuple[str, str]:
        if self._picture.subnets[subnet].switches:
            return fill_of(subnet), edge_of(subnet)
        return PLAIN


def note_box(words: Sequence[str], x: float, y: float) -> Box:
    """What a note takes."""
    return around(x, y, label_width(list(words)) / 2 + 5, len(words) * _NOTE_LINE / 2 + 2)
