"""A queue that drops or marks some of what arrives before it is full: what RED and PIE share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from random import Random

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import QueueLimit
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import EARLY, Drop, mark_ce


class EarlyDrop(ABC):
    """First in, first out; who draws which arrivals are dropped or marked is a class on top."""

    looks_ahead = False
    _limit: QueueLimit

    def __init__(
        self, attributes: LinkAttributes, random: Random, drop: Drop, counters: LinkCounters
    ) -> None:
        self._random = random
        self._counters = counters
        self._drop = drop
        self._frames: deque[bytes] = deque()
        self.octets = 0
        self.adopt(attributes)

    @property
    def packets(self) -> int:
        return len(self._frames)

    def adopt(self, attributes: LinkAttributes) -> None:
        bandwidth = attributes.bandwidth_bps
        rate = bandwidth.mean_bps if isinstance(bandwidth, BandwidthTrace) else bandwidth
        self._configure(attributes, rate)
        self._keeps_all = False

    def keep_all(self) -> None:
        self._keeps_all = True

    def offer(self, frame: bytes, now: int) -> bool:
        self._note_arrival(now)
        if not self._keeps_all:
            if self._is_chosen(len(frame)):
                marked = mark_ce(frame) if self._may_mark() else None
                if marked is None:
                    self._drop(frame, EARLY, now)
                    return True
                self._counters.marked += 1
                frame = marked
            if self._limit.is_reached_by(len(self._frames), self.octets, len(frame)):
                return False
        self._put(frame)
        return True

    def take(self, departure: int) -> bytes | None:
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self.octets -= len(frame)
        return frame

    def empty(self) -> list[bytes]:
        frames = list(self._frames)
        self._frames.clear()
        self.octets = 0
        return frames

    def _put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self.octets += len(frame)

    @abstractmethod
    def _configure(self, attributes: LinkAttributes, rate: float | None) -> None:
        """Do as these say, at so many bit/s on average; None where nothing limits them."""

    @abstractmethod
    def _note_arrival(self, now: int) -> None:
        """Bring what decides up to date, before a frame that arrives is looked at."""

    @abstractmethod
    def _is_chosen(self, octets: int) -> bool:
        """Whether a frame of so many octets, which arrives now, is dropped or marked."""

    @abstractmethod
    def _may_mark(self) -> bool:
        """Whether it is marked instead, where its sender can tell."""
