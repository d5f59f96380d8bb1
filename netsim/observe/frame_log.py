"""What became of every frame: time, link, direction, bytes, fate."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TextIO

DELIVERED: Final = "delivered"
IN_FLIGHT: Final = "in flight"
RECENT_FRAMES: Final = 2_000
"""How many are kept where the last of them are wanted."""


class FrameRecord(NamedTuple):
    """One frame and its fate."""

    time_ns: int
    """Network time at which its fate was known."""
    link: int
    """Index of the link in the plan."""
    sender: str
    """The interface it left through, `r1:eth0`."""
    receiver: str
    """The interface at the other end."""
    frame: bytes
    fate: str
    """`delivered`, `in flight`, or the reason why it was dropped."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the frame in hexadecimal."""
        return {
            "time_ns": self.time_ns,
            "link": self.link,
            "direction": f"{self.sender} > {self.receiver}",
            "frame": self.frame.hex(),
            "fate": self.fate,
        }


Observer = Callable[[FrameRecord], None]


class RecentFrames:
    """An observer that keeps the last `capacity` frames."""

    def __init__(self, capacity: int) -> None:
        self._records: deque[FrameRecord] = deque(maxlen=capacity)

    def __call__(self, record: FrameRecord) -> None:
        self._records.append(record)

    def records(self) -> list[FrameRecord]:
        """Oldest first."""
        return list(self._records)


class FrameTrace:
    """An observer that writes a line of JSON for each frame."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __call__(self, record: FrameRecord) -> None:
        self.write(record.as_dict())

    def write(self, document: dict[str, Any]) -> None:
        """A line with something else than a frame."""
        self._file.write(json.dumps(document, separators=(",", ":")) + "\n")
