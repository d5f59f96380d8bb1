"""How each kind of node and each subnet looks, whatever a picture is drawn with.

Icons are drawn around (0, 0). They stand in a document as often as they are seen: not every
program that shows slides follows `<use>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netsim.drawing.picture import Figure
from netsim.topology.kinds import Kind

# Kinds of node --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """How nodes of a kind are drawn. Sizes are pixels."""

    icon: str
    icon_of_server: str
    """Of one that serves something."""
    icon_of_several: str
    half_height: float
    """From the middle of its icon to its edge."""
    half_room: tuple[float, float]
    """Half the width and height that its icon takes in a layout."""
    radius: float
    """Where straight lines that lead to its middle end."""
    dot: str
    """Attributes of Graphviz."""
    mermaid: tuple[str, str]
    """Brackets around its text."""
    mermaid_colours: str
    terminal: str | None
    """The colour of its name on a terminal, where it has one."""


LOOKS: Final[dict[Kind, Look]] = {
    "computer": Look(
        icon="computer",
        icon_of_server="server",
        icon_of_several="computers",
        half_height=23.0,
        half_room=(28.0, 26.0),
        radius=28.0,
        dot='shape=box, style="rounded,filled"',
        mermaid=("[", "]"),
        mermaid_colours="fill:#fff,color:#1e293b,stroke:#64748b",
        terminal=None,
    ),
    "switch": Look(
        icon="switch",
        icon_of_server="switch",
        icon_of_several="switch",
        half_height=20.0,
        half_room=(36.0, 24.0),
        radius=34.0,
        dot="shape=box3d, style=filled",
        mermaid=("[[", "]]"),
        mermaid_colours="fill:#2a8c82,color:#fff,stroke:#1d655e",
        terminal="cyan",
    ),
    "router": Look(
        icon="router",
        icon_of_server="router",
        icon_of_several="router",
        half_height=28.0,
        half_room=(30.0, 30.0),
        radius=28.0,
        dot="shape=circle, style=filled",
        mermaid=("((", "))"),
        mermaid_colours="fill:#2f5d9b,color:#fff,stroke:#1f4274",
        terminal="blue",
    ),
}

# Icons ----------------------------------------------------------------------------------------

_ARROW: Final = "M0 -7.5V-17.5M-3.6 -14L0 -17.8L3.6 -14"
"""Upwards, out of the middle."""
_INWARD: Final = "M0 -17.8V-8M-3.6 -11.6L0 -7.8L3.6 -11.6"

_SCREEN: Final = """\
<rect x="-23" y="-21" width="46" height="32" rx="4" fill="#334155"/>\
<rect x="-19.5" y="-17.5" width="39" height="25" rx="1.5" fill="#dbeafe"/>\
<path d="M-19.5 7.5V-16q0 -1.5 1.5 -1.5H6z" fill="#eff6ff"/>\
<path d="M-5 11H5L7 18H-7z" fill="#64748b"/>\
<rect x="-13" y="17.5" width="26" height="3.8" rx="1.9" fill="#334155"/>"""

_UNIT: Final = """\
<rect x="-19" y="{top}" width="38" height="12.4" rx="2.6" fill="#334155"/>\
<circle cx="-12.5" cy="{middle}" r="2" fill="#4ade80"/>\
<circle cx="-6" cy="{middle}" r="2" fill="#93c5fd"/>\
<path d="M3 {middle}H13" stroke="#94a3b8" stroke-width="2" stroke-linecap="round"/>"""

_BEHIND: Final = """\
<rect x="{x}" y="{y}" width="46" height="32" rx="4" fill="{fill}" \
stroke="#fff" stroke-width="1.5"/>"""

_DRAWINGS: Final = {
    "router": '<circle r="27" fill="#2f5d9b"/><circle r="27" fill="none" stroke="#1f4274" '
    'stroke-width="2"/><g fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" '
    'stroke-linejoin="round">'
    + f'<path d="{_ARROW}"/><path d="{_ARROW}" transform="rotate(180)"/>'
    + f'<path d="{_INWARD}" transform="rotate(90)"/><path d="{_INWARD}" transform="rotate(270)"/>'
    + "</g>",
    "switch": '<rect x="-34" y="-19" width="68" height="38" rx="7" fill="#2a8c82" '
    'stroke="#1d655e" stroke-width="2"/><g fill="none" stroke="#fff" stroke-width="3" '
    'stroke-linecap="round" stroke-linejoin="round"><path d="M-8 -6.5H22M17 -11.5L22.5 -6.5L17 '
    '-1.5"/><path d="M8 6.5H-22M-17 1.5L-22.5 6.5L-17 11.5"/></g>',
    "computer": _SCREEN,
    "server": "".join(_UNIT.format(top=top, middle=top + 6.2) for top in (-20.6, -6.2, 8.2)),
    "computers": '<g transform="translate(-5 3) scale(0.9)">'
    + _BEHIND.format(x=-9, y=-33, fill="#a8b4c4")
    + _BEHIND.format(x=-16, y=-27, fill="#7c8a9e")
    + f"{_SCREEN}</g>",
}


def icon_of(figure: Figure) -> str:
    """The name of a figure's icon."""
    look = LOOKS[figure.kind]
    if len(figure.members) > 1:
        return look.icon_of_several
    return look.icon_of_server if figure.members[0].services else look.icon


def drawing_of(icon: str) -> str:
    """The elements of an icon."""
    return _DRAWINGS[icon]


# Subnets --------------------------------------------------------------------------------------

# Eight colours that stay apart, pale to shade a region and dark to write on it.
_HUES: Final = (
    ("#e3effd", "#2563a8"),  # blue
    ("#fdf0dc", "#a35d08"),  # amber
    ("#e2f5e9", "#1f7a45"),  # green
    ("#f1e9fb", "#6d3fb0"),  # violet
    ("#fde6ea", "#b0304c"),  # rose
    ("#def4f5", "#14717a"),  # cyan
    ("#f6f3d3", "#756a0b"),  # olive
    ("#efe9e4", "#6f5440"),  # brown
)

PLAIN: Final = ("#eef1f6", "#c6d0de")
"""Fill and outline of the subnet of a link without a switch: the link carries its own label."""


def fill_of(subnet: int) -> str:
    """The pale colour of the subnet with this number."""
    return _HUES[subnet % len(_HUES)][0]


def ink_of(subnet: int) -> str:
    """Its dark colour; 4.5:1 against the pale one (WCAG 2.1, 1.4.3)."""
    return _HUES[subnet % len(_HUES)][1]


def edge_of(subnet: int) -> str:
    """Between the two: the outline of a region."""
    pale, dark = (_parts(colour) for colour in _HUES[subnet % len(_HUES)])
    mixed = (round(0.65 * one + 0.35 * other) for one, other in zip(pale, dark, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
