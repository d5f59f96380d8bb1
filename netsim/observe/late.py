"""What a node was late with, and what the machine could not carry to it at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Late:
    """Events that were handled more than 20 ms after they were due, and had their time moved."""

    frames: int = 0
    timers: int = 0
    """Of connections, queues and the like."""
    lost: int = 0
    """Frames that no wire took, because the next process did not get round to reading."""
    max_ns: int = 0
    """How late the latest was."""
    last_ns: int = 0
    """Network time at which the last was handled; 0 where none was."""

    def __add__(self, other: Late) -> Late:
        return Late(
            self.frames + other.frames,
            self.timers + other.timers,
            self.lost + other.lost,
            max(self.max_ns, other.max_ns),
            max(self.last_ns, other.last_ns),
        )

    @property
    def events(self) -> int:
        """All together."""
        return self.frames + self.timers + self.lost
