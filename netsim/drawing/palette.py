"""Colours of subnets: eight that stay apart, pale to shade a region and dark to write on it."""

from __future__ import annotations

from typing import Final

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
