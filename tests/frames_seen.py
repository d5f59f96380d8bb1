"""A tap that remembers: which frames passed an interface, and when."""

from __future__ import annotations

from typing import NamedTuple

from netsim.observe.tap import Direction


class SeenFrame(NamedTuple):
    """One frame that passed an interface, in ns of network time."""

    time_ns: int
    interface: str
    direction: Direction
    frame: bytes


class FramesSeen:
    """To be put among the taps of a port."""

    def __init__(self) -> None:
        self.frames: list[SeenFrame] = []

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        self.frames.append(SeenFrame(time_ns, interface, direction, frame))
