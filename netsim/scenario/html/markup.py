"""Text and tables as HTML. Whatever comes from files and networks goes through `clean`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.drawing.geometry import text_width
from netsim.drawing.svg_elements import plain

_UNSHOWN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)
_TURNS: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""They make the text around them read in another order."""


def clean(text: str, longest: int = 2000) -> str:
    """Escaped, for elements and attributes, and without what a page cannot show."""
    if len(text) > longest:
        text = f"{text[:longest]}…"
    return plain(_TURNS.sub("�", _UNSHOWN.sub("�", text)))


def fitted(text: str, width: float, size: float) -> str:
    """As much of a text as fits in `width` pixels; not escaped."""
    if text_width(text, size) <= width:
        return text
    kept = text
    while kept and text_width(f"{kept}…", size) > width:
        kept = kept[: min(len(kept) - 1, int(width / (0.4 * size)))]
    return f"{kept.rstrip()}…" if kept else ""


def label(style: str, x: float, y: float, text: str) -> str:
    """A line of text in an SVG."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{clean(text)}</text>'


def table(caption: str, heads: Sequence[str], rows: Iterable[str], style: str = "") -> str:
    """A table; caption, heads and rows are HTML."""
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="scroll"><table class="{style}"><caption>{caption}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def picture(width: float, height: float, title: str, elements: Iterable[str]) -> str:
    """An SVG that takes the colours of the page."""
    name = clean(title)
    return (
        f'<div class="scroll"><svg width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{name}">\n'
        f"<title>{name}</title>\n" + "\n".join(elements) + "\n</svg></div>"
    )


def duration(ns: float) -> str:
    """With four significant digits: `181.9 ms`."""
    for unit, name in ((SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "µs")):
        if abs(ns) >= unit:
            value = ns / unit
            return f"{value:.0f} {name}" if value >= 1000 else f"{value:.4g} {name}"
    return f"{ns:.4g} ns" if ns else "0 s"


def rate(bits_per_second: float) -> str:
    """With four significant digits: `92.31 Mbit/s`."""
    for unit, name in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if bits_per_second >= unit:
            return f"{bits_per_second / unit:.4g} {name}"
    return f"{bits_per_second:.4g} bit/s"


def count(number: int, what: str) -> str:
    """`1 step`, `3 steps`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
