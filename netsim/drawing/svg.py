"""A network as SVG (https://www.w3.org/TR/SVG11/): icons, shaded subnets, addresses, attributes.

Self-contained: no script, no font, no picture from elsewhere.
"""

from __future__ import annotations

from typing import Final

from netsim.core.errors import NetsimError
from netsim.drawing.canvas import Canvas
from netsim.drawing.geometry import text_width
from netsim.drawing.layout import Layout, lay_out
from netsim.drawing.picture import Picture
from netsim.drawing.svg_elements import plain, text
from netsim.drawing.svg_figures import draw_figures
from netsim.drawing.svg_lines import draw_lines
from netsim.drawing.tray import label_of

MOST_FIGURES: Final = 1000
_MARGIN: Final = 36.0
_TITLE_HEIGHT: Final = 64.0
_STYLE: Final = """\
text{font-family:Inter,"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif;fill:#334155;\
font-size:11px;text-anchor:middle}
.title{font-size:24px;font-weight:700;fill:#0f172a;text-anchor:start}
.subtitle{font-size:13px;fill:#64748b;text-anchor:start}
.name{font-size:13px;font-weight:600;fill:#0f172a}
.address,.end{fill:#475569}
.service{fill:#1f7a45}
.port{fill:#b45309}
.prefix{font-size:13px;font-weight:600}
.subnet{font-weight:600}
.count{font-weight:700;fill:#fff}
.badge{fill:#0f172a}
.link{fill:none;stroke:#64748b;stroke-width:2;stroke-linejoin:round}"""


class TooLargeError(NetsimError):
    """A network that no reader could make out in one picture."""


def to_svg(picture: Picture) -> str:
    """The whole document; `TooLargeError` above `MOST_FIGURES` figures."""
    if len(picture.figures) > MOST_FIGURES:
        raise TooLargeError(
            f"{len(picture.figures)} nodes are too many for a picture; write a .dot file and "
            "have Graphviz lay it out (sfdp -Tsvg)"
        )
    layout = lay_out(picture)
    canvas = Canvas(picture)
    fans = draw_figures(canvas, picture, layout)
    draw_lines(canvas, picture, layout, fans)
    left, top, right, bottom = canvas.outline(layout.outline())
    plan = picture.plan
    caption = picture.caption()
    subtitle = " · ".join([caption, plan.domain, *_of_the_fabric(picture, layout)])
    heading = max(text_width(plan.name, 24, bold=True), text_width(subtitle, 13))
    spare = max(0.0, heading - (right - left))
    width = right - left + spare + 2 * _MARGIN
    height = bottom - top + _TITLE_HEIGHT + 2 * _MARGIN
    x, y = _MARGIN + spare / 2 - left, _MARGIN + _TITLE_HEIGHT - top
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
            f'aria-label="{plain(plan.name)}: {plain(caption)}">',
            f"<style>{_STYLE}</style>",
            f'<rect width="{width:.0f}" height="{height:.0f}" rx="14" fill="#fff"/>',
            text("title", _MARGIN, _MARGIN + 20, plan.name),
            text("subtitle", _MARGIN, _MARGIN + 42, subtitle),
            f'<g transform="translate({x:.1f} {y:.1f})">',
            *canvas.layers(),
            "</g>",
            "</svg>\n",
        ]
    )


def _of_the_fabric(picture: Picture, layout: Layout) -> list[str]:
    """What is written at no line where they are many: their subnets, and what all of them do."""
    if not layout.is_fabric:
        return []
    lines = layout.lines
    prefixes = [
        subnet.prefix
        for subnet in dict.fromkeys(picture.subnets[line.subnet] for line in lines)
        if subnet.prefix and not subnet.switches
    ]
    what = {
        tuple(each for each in label_of(picture, line) if each not in prefixes) for line in lines
    }
    said = [f"{prefixes[0]} … {prefixes[-1]}"] if len(prefixes) > 1 else []
    said += what.pop() if len(what) == 1 else ["links that differ: netsim graph FILE lists them"]
    return [f"between layers {' '.join(said)}"] if said else []
