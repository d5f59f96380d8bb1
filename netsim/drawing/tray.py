"""The leaves of a figure: computers that hang on it by their only link, in rows beneath it.

All is measured from the middle of the figure: `x` to the right, `depth` away from it, so that a
tray hangs down or stands up alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from netsim.drawing import captions
from netsim.drawing.geometry import text_width
from netsim.drawing.picture import Figure, Line, Picture

ICON_HEIGHT: Final = 44
GROUP_RISE: Final = 7
"""How much higher the icon of several computers is."""
NAME_SIZE: Final = 13.0
TEXT_SIZE: Final = 11.0
LINE_HEIGHT: Final = 14.5
BUS_DEPTH: Final = 70
"""From the middle of the figure to the line that its leaves hang on."""
_IN_A_ROW: Final = 6
LEAF_MARGIN: Final = 7.0
"""Free on both sides of a leaf."""
_NARROWEST: Final = 84.0
_DROP: Final = 16.0
_WRAP: Final = 20
"""Characters of a label in a line."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One figure in a tray."""

    figure: int
    line: Line
    x: float
    depth: float
    """Of the middle of its icon."""
    label: list[str]
    """What its own link does, above its icon."""


@dataclass(frozen=True, slots=True)
class Row:
    """Leaves beside each other."""

    bus: float
    """Depth of the line that they hang on."""
    leaves: list[Leaf]


@dataclass(frozen=True, slots=True)
class Tray:
    """The rows, and what is written at the stem that leads to them."""

    rows: list[Row] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    """What the links of all of them do."""
    is_fan: bool = False
    """Whether each leaf has a line of its own to the figure instead of a place on a bus."""
    width: float = 0.0
    depth: float = 0.0


def texts(figure: Figure) -> list[tuple[str, str]]:
    """The lines of text at a figure, each with its style."""
    lines = [("name", figure.name)]
    if figure.traits.relays:
        # A router's other addresses are at the ends of its lines.
        return lines + [("address", f"lo {each}") for each in captions.loopback(figure)]
    lines += [("address", each) for each in captions.addresses(figure)]
    lines += [("service", each) for each in captions.services(figure)]
    lines += [("port", each) for each in captions.ports(figure)]
    return lines


def texts_size(figure: Figure) -> tuple[float, float]:
    """Width and height of all of them."""
    lines = texts(figure)
    widths = [
        text_width(text, NAME_SIZE, bold=True) if style == "name" else text_width(text, TEXT_SIZE)
        for style, text in lines
    ]
    return max(widths), len(lines) * LINE_HEIGHT


def label_of(picture: Picture, line: Line) -> list[str]:
    """The words at a link, in lines of some length; first its subnet, unless a region shows it."""
    subnet = picture.subnets[line.subnet]
    lines = [] if subnet.switches or not subnet.prefix else [subnet.prefix]
    for phrases in captions.line_phrases(picture, line):
        lines += _wrapped(phrases)
    return lines


def hang(picture: Picture, leaves: list[tuple[int, Line]]) -> Tray:
    """The tray of these figures and their lines."""
    if not leaves:
        return Tray()
    labels = [label_of(picture, line) for _, line in leaves]
    # Behind a switch all are in one subnet; at any other figure each has its own.
    is_switched = bool(picture.subnets[leaves[0][1].subnet].switches)
    is_shared = is_switched and all(label == labels[0] for label in labels)
    shared = labels[0] if is_shared else []
    widths = [
        max(
            _NARROWEST,
            texts_size(picture.figures[figure])[0] + 18,
            label_width(label) + 2 * LEAF_MARGIN,
        )
        for (figure, _), label in zip(leaves, labels, strict=True)
    ]
    in_a_row = len(leaves)
    if in_a_row > _IN_A_ROW:
        # An even number of equal columns leaves the middle free for the stem.
        in_a_row, widths = _IN_A_ROW, [max(widths)] * len(leaves)
    rows: list[Row] = []
    depth = float(BUS_DEPTH)
    for start in range(0, len(leaves), in_a_row):
        chosen = range(start, min(start + in_a_row, len(leaves)))
        own = [[] if is_shared else labels[index] for index in chosen]
        above = _DROP + max(len(label) for label in own) * (LINE_HEIGHT - 1.5)
        if any(len(picture.figures[leaves[index][0]].members) > 1 for index in chosen):
            above += GROUP_RISE
        middle = depth + above + ICON_HEIGHT / 2
        x = -sum(widths[index] for index in chosen) / 2
        row = Row(depth, [])
        for index, label in zip(chosen, own, strict=True):
            figure, line = leaves[index]
            row.leaves.append(Leaf(figure, line, x + widths[index] / 2, middle, label))
            x += widths[index]
        rows.append(row)
        written = max(len(texts(picture.figures[leaves[index][0]])) for index in chosen)
        depth = middle + ICON_HEIGHT / 2 + 4 + written * LINE_HEIGHT + 14
    width = max(sum(widths[:in_a_row]), 2 * label_width(shared) + 24)
    is_fan = len(leaves) == 1 or not (is_switched or len(rows) > 1)
    return Tray(rows, shared, is_fan, width, depth - 14)


def label_width(lines: list[str]) -> float:
    """Of the widest line."""
    return max((text_width(line, TEXT_SIZE) for line in lines), default=0.0)


def _wrapped(phrases: list[str]) -> list[str]:
    lines = [phrases[0]]
    for phrase in phrases[1:]:
        if len(lines[-1]) + len(phrase) >= _WRAP:
            lines.append(phrase)
        else:
            lines[-1] = f"{lines[-1]} {phrase}"
    return lines
