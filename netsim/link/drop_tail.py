"""The queue before a transmitter: drop-tail first in, first out.

A queue discipline has three verbs, `offer`, `take` and `empty`, and two numbers, `packets` and
`bytes`. It never decides when a frame departs: the link asks for one whenever its transmitter
is free.
"""

from __future__ import annotations

import sys
from collections import deque


class DropTail:
    """Refuses a frame that finds as many frames, or bytes, waiting as the limits allow.

    The link takes frames a little ahead of time, so that departures batch. Until its departure a
    frame that was taken still counts as waiting; so what is dropped depends on arrivals alone,
    and not on how far ahead the link was asked.
    """

    __slots__ = (
        "_ahead",
        "_ahead_bytes",
        "_frames",
        "_max_bytes",
        "_max_packets",
        "bytes",
        "packets",
    )

    def __init__(self, max_packets: int | None, max_bytes: int | None) -> None:
        self._frames: deque[bytes] = deque()
        self._ahead: deque[tuple[int, int]] = deque()
        """(departure, bytes) of what was taken before its time."""
        self._ahead_bytes = 0
        self.packets = 0
        """Frames that are still here."""
        self.bytes = 0
        """Their octets."""
        self.limit(max_packets, max_bytes)

    def limit(self, max_packets: int | None, max_bytes: int | None) -> None:
        """Set the limits, None for no limit. What waits already stays, as in Linux's pfifo."""
        self._max_packets = sys.maxsize if max_packets is None else max_packets
        self._max_bytes = sys.maxsize if max_bytes is None else max_bytes

    def offer(self, frame: bytes, now: int) -> bool:
        """Put a frame at the tail; False when it finds the queue full and is not kept."""
        ahead = self._ahead
        while ahead and ahead[0][0] <= now:
            self._ahead_bytes -= ahead.popleft()[1]
        length = len(frame)
        if (
            self.packets + len(ahead) >= self._max_packets
            or self.bytes + self._ahead_bytes + length > self._max_bytes
        ):
            return False
        self._frames.append(frame)
        self.packets += 1
        self.bytes += length
        return True

    def take(self, departure: int) -> bytes | None:
        """The frame whose serialisation starts at `departure`; None when nothing waits."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        length = len(frame)
        self.packets -= 1
        self.bytes -= length
        self._ahead.append((departure, length))
        self._ahead_bytes += length
        return frame

    def empty(self) -> list[bytes]:
        """Give up every frame that is still here, and forget those taken ahead of time."""
        frames = list(self._frames)
        self._frames.clear()
        self._ahead.clear()
        self.packets = self.bytes = self._ahead_bytes = 0
        return frames
