"""Drop-tail: first in, first out, and what finds the queue full is not kept."""

from __future__ import annotations

import sys
from collections import deque

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import QueueLimit


class DropTail:
    """Refuses a frame that finds as many frames, or bytes, waiting as the limits allow.

    The link takes frames a little ahead of time, so that departures batch. Until its departure a
    frame that was taken still counts as waiting; so what is dropped depends on arrivals alone,
    and not on how far ahead the link was asked.
    """

    __slots__ = (
        "_ahead_bytes",
        "_frames",
        "_max_bytes",
        "_max_packets",
        "ahead",
        "octets",
        "packets",
    )

    looks_ahead = True

    def __init__(self, attributes: LinkAttributes) -> None:
        self._frames: deque[bytes] = deque()
        self.ahead: deque[tuple[int, int]] = deque()
        """(departure, bytes) of what was taken before its time."""
        self._ahead_bytes = 0
        self.packets = 0
        """Frames that are still here."""
        self.octets = 0
        """Their octets."""
        self.adopt(attributes)

    def adopt(self, attributes: LinkAttributes) -> None:
        """What waits already stays, as in Linux's pfifo."""
        limit = attributes.queue
        assert isinstance(limit, QueueLimit), "the link makes another queue for others"
        self._max_packets = sys.maxsize if limit.packets is None else limit.packets
        self._max_bytes = sys.maxsize if limit.bytes is None else limit.bytes

    def keep_all(self) -> None:
        self._max_packets = self._max_bytes = sys.maxsize

    def offer(self, frame: bytes, now: int) -> bool:
        """Put a frame at the tail; False when it finds the queue full and is not kept."""
        ahead = self.ahead
        while ahead and ahead[0][0] <= now:
            self._ahead_bytes -= ahead.popleft()[1]
        length = len(frame)
        if (
            self.packets + len(ahead) >= self._max_packets
            or self.octets + self._ahead_bytes + length > self._max_bytes
        ):
            return False
        self._frames.append(frame)
        self.packets += 1
        self.octets += length
        return True

    def take(self, departure: int) -> bytes | None:
        """The frame whose serialisation starts at `departure`; None when nothing waits."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        length = len(frame)
        self.packets -= 1
        self.octets -= length
        self.ahead.append((departure, length))
        self._ahead_bytes += length
        return frame

    def empty(self) -> list[bytes]:
        """Give up every frame that is still here, and forget those taken ahead of time."""
        frames = list(self._frames)
        self._frames.clear()
        self.ahead.clear()
        self.packets = self.octets = self._ahead_bytes = 0
        return frames
