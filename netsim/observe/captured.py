"""Frames that were captured, as they go from a site to whoever asked for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from netsim.observe.tap import Direction

Points: TypeAlias = Mapping[str, Mapping[str, int]]
"""By node: its interfaces that are captured, each with its number in the capture."""


class CapturedFrame(NamedTuple):
    """A frame that has passed an interface, or was lost there."""

    time_ns: int
    """Network time."""
    interface: str
    """`r1:eth0`"""
    direction: Direction
    frame: bytes
    dropped: str = ""
    """The reason why it went no further: `queue`, `loss`, `carrier`, …; empty where it did."""


Passed: TypeAlias = tuple[int, int, Direction, bytes, str]
"""As `CapturedFrame`, with the number of the interface."""


class CapturedBatch(NamedTuple):
    """What has passed since the last one."""

    frames: tuple[Passed, ...] = ()
    lost: Mapping[int, int] = {}
    """By interface: frames that were not taken in time, and are not among these."""
