"""RED, random early detection (Floyd and Jacobson, "Random early detection gateways for congestion
avoidance", 1993), with the gentle slope beyond the upper threshold (Floyd 2000)."""

from __future__ import annotations

from random import Random
from typing import Final

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import RedQueue
from netsim.core.time import SECOND
from netsim.link.early_drop import EarlyDrop
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import Drop

_TYPICAL_FRAME: Final = 1000
"""Octets: as many are thought to leave in the time of one frame while the queue is empty."""


class Red(EarlyDrop):
    """A queue whose average length decides about what arrives."""

    def __init__(
        self, attributes: LinkAttributes, random: Random, drop: Drop, counters: LinkCounters
    ) -> None:
        super().__init__(attributes, random, drop, counters)
        self.average = 0.0
        """Of the queue's length, in packets or octets as the thresholds are."""
        self._count = -1
        """Frames since the last that was dropped or marked; -1 below the lower threshold."""
        self._idle_since: int | None = 0

    def take(self, departure: int) -> bytes | None:
        frame = super().take(departure)
        if frame is None and self._idle_since is None:
            self._idle_since = departure
        return frame

    def empty(self) -> list[bytes]:
        self.average = 0.0
        self._count = -1
        return super().empty()

    def _put(self, frame: bytes) -> None:
        super()._put(frame)
        self._idle_since = None

    def _configure(self, attributes: LinkAttributes, rate: float | None) -> None:
        settings = attributes.queue
        assert isinstance(settings, RedQueue), "the link makes another queue for others"
        self._settings = settings
        self._limit = settings.limit
        self._in_bytes = settings.min.bytes is not None
        self._min = settings.min.bytes or settings.min.packets or 0
        self._max = settings.max.bytes or settings.max.packets or 0
        self._frame_time = _TYPICAL_FRAME * 8 * SECOND / rate if rate else 1.0

    def _may_mark(self) -> bool:
        return self._settings.ecn

    def _note_arrival(self, now: int) -> None:
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
