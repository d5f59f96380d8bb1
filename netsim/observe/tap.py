"""Interface taps: what sees every frame that an interface sends or receives."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol


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
