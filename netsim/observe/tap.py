"""Interface taps: what sees every frame that an interface sends or receives."""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import NamedTuple, Protocol


class Direction(IntEnum):
    """Which way a frame passed, seen from the node; the numbers are pcapng's."""

    INBOUND = 1
    OUTBOUND = 2


class Tap(Protocol):
    """Something that is shown every frame passing the interfaces it was put on."""

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        """A frame passed at `time_ns` of network time: its departure, or its delivery."""


class TappedFrame(NamedTuple):
    """One frame that passed an interface, in ns of network time."""

    time_ns: int
    interface: str
    direction: Direction
    frame: bytes


class RingTap:
    """Keeps the last `capacity` frames in memory; `dropped` counts those that had to make room."""

    def __init__(self, capacity: int) -> None:
        self._ring: deque[TappedFrame] = deque(maxlen=capacity)
        self.dropped = 0

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        if len(self._ring) == self._ring.maxlen:
            self.dropped += 1
        self._ring.append(TappedFrame(time_ns, interface, direction, frame))

    def frames(self) -> list[TappedFrame]:
        """What is kept, oldest first."""
        return list(self._ring)
