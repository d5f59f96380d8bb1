"""The icons of a picture, each drawn around (0, 0).

They stand in the document as often as they are seen: not every program that shows slides follows
`<use>`.
"""

from __future__ import annotations

from typing import Final

from netsim.drawing.picture import Figure

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
    """What it looks like: a computer that serves something is a `server`."""
    if figure.kind != "computer":
        return figure.kind
    if len(figure.members) > 1:
        return "computers"
    return "server" if figure.members[0].services else "computer"


def drawing_of(icon: str) -> str:
    """The elements of an icon."""
    return _DRAWINGS[icon]
