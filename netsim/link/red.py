"""RED, random early detection (Floyd and Jacobson, "Random early detection gateways for congestion
avoidance", 1993), with the gentle slope beyond the upper threshold (Floyd 2000)."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import RedQueue
from netsim.core.time import SECOND
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import EARLY, Drop, mark_ce

_TYPICAL_FRAME: Final = 1000
"""Octets: as many are thought to leave in the time of one frame while the queue is empty."""


class Red:
    """A queue whose average length decides about what arrives."""

    looks_ahead = False

    def __init__(
        self, attributes: LinkAttributes, random: Random, drop: Drop, counters: LinkCounters
    ) -> None:
        self._random = random
        self._counters = counters
        self._drop = drop
        self._frames: deque[bytes] = deque()
        self.octets = 0
        self.average = 0.0
        """Of the queue's length, in packets or octets as the thresholds are."""
        self._count = -1
        """Frames since the last that was dropped or marked; -1 below the lower threshold."""
        self._idle_since: int | None = 0
        self.adopt(attributes)

    @property
    def packets(self) -> int:
        return len(self._frames)

    def adopt(self, attributes: LinkAttributes) -> None:
        settings = attributes.queue
        assert isinstance(settings, RedQueue), "the link makes another queue for others"
        self._settings = settings
        self._in_bytes = settings.min.bytes is not None
        self._min = settings.min.bytes or settings.min.packets or 0
        self._max = settings.max.bytes or settings.max.packets or 0
        bandwidth = attributes.bandwidth_bps
        rate = bandwidth.mean_bps if isinstance(bandwidth, BandwidthTrace) else bandwidth
        self._frame_time = _TYPICAL_FRAME * 8 * SECOND / rate if rate else 1.0
        self._keeps_all = False

    def keep_all(self) -> None:
        self._keeps_all = True

    def offer(self, frame: bytes, now: int) -> bool:
        self._note_length(now)
        if not self._keeps_all:
            if self._is_chosen(len(frame)):
                marked = mark_ce(frame) if self._settings.ecn else None
                if marked is None:
                    self._drop(frame, EARLY, now)
                    return True
                self._counters.marked += 1
                frame = marked
            if self._settings.limit.is_reached_by(len(self._frames), self.octets, len(frame)):
                return False
        self._frames.append(frame)
        self.octets += len(frame)
        self._idle_since = None
        return True

    def take(self, departure: int) -> bytes | None:
        if not self._frames:
            if self._idle_since is None:
                self._idle_since = departure
            return None
        frame = self._frames.popleft()
        self.octets -= len(frame)
        return frame

    def empty(self) -> list[bytes]:
        frames = list(self._frames)
        self._frames.clear()
        self.octets = 0
        self.average = 0.0
        self._count = -1
        return frames

    def _note_length(self, now: int) -> None:
        """The average follows; while nothing waited it falls as if small frames had left."""
        weight = self._settings.weight
        if self._idle_since is not None:
            missed = max(0, now - self._idle_since) / self._frame_time
            self.average *= (1 - weight) ** missed
            self._idle_since = now
        length = self.octets if self._in_bytes else len(self._frames)
        self.average += weight * (length - self.average)

    def _is_chosen(self, octets: int) -> bool:
        average, least, most = self.average, self._min, self._max
        probability = self._settings.probability
        if average < least:
            self._count = -1
            return False
        if average < most:
            chance = probability * (average - least) / (most - least)
        elif average < 2 * most:
            chance = probability + (1 - probability) * (average - most) / most
        else:
            self._count = 0
            return True
        self._count += 1
        if self._in_bytes:
            chance *= octets / _TYPICAL_FRAME
        # Drops are spread evenly instead of in bunches (section 7).
        spread = self._count * chance
        chance = chance / (1 - spread) if spread < 1 else 1.0
        if self._random.random() < chance:
            self._count = 0
            return True
        return False
