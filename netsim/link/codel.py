"""CoDel, controlled delay (RFC 8289): drops by how long frames have waited.

The names are those of the pseudo-code in section 5.
"""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import Final

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import CodelQueue, FqCodelQueue
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import EARLY, Drop, Waiting, mark_ce
from netsim.wire.ethernet import HEADER_LENGTH

_RECENTLY: Final = 16
"""Intervals: who stopped dropping no longer ago goes on nearly where it was (RFC 8289 5.4)."""


class CodelState:
    """The control law over one queue of frames."""

    __slots__ = (
        "count",
        "drop_next",
        "dropping",
        "first_above_time",
        "frames",
        "lastcount",
        "octets",
    )

    def __init__(self) -> None:
        self.frames: deque[Waiting] = deque()
        self.octets = 0
        self.first_above_time = 0
        self.drop_next = 0
        self.count = 0
        self.lastcount = 0
        self.dropping = False

    def put(self, frame: bytes, now: int) -> None:
        """At the tail."""
        self.frames.append(Waiting(now, frame))
        self.octets += len(frame)

    def take(self, now: int, law: CodelLaw) -> bytes | None:
        """The next frame that is not dropped; None when nothing waits."""
        frame, ok_to_drop = self._dodequeue(now, law)
        if self.dropping:
            if not ok_to_drop:
                self.dropping = False
            while frame is not None and self.dropping and now >= self.drop_next:
                self.count += 1
                if (marked := law.mark(frame)) is not None:
                    self.drop_next = law.next(self.drop_next, self.count)
                    return marked
                law.drop(frame, EARLY, now)
                frame, ok_to_drop = self._dodequeue(now, law)
                if ok_to_drop:
                    self.drop_next = law.next(self.drop_next, self.count)
                else:
                    self.dropping = False
        elif frame is not None and ok_to_drop:
            if (marked := law.mark(frame)) is not None:
                frame = marked
            else:
                law.drop(frame, EARLY, now)
                frame, _ = self._dodequeue(now, law)
            self.dropping = True
            delta = self.count - self.lastcount
            recent = now - self.drop_next < _RECENTLY * law.interval
            self.count = delta if delta > 1 and recent else 1
            self.drop_next = law.next(now, self.count)
            self.lastcount = self.count
        return frame

    def _dodequeue(self, now: int, law: CodelLaw) -> tuple[bytes | None, bool]:
        """The head, and whether the wait has been too long for an interval (RFC 8289 5.6)."""
        if not self.frames:
            self.first_above_time = 0
            return None, False
        since, frame = self.frames.popleft()
        self.octets -= len(frame)
        if now - since < law.target or self.octets <= law.maxpacket:
            self.first_above_time = 0
        elif self.first_above_time == 0:
            self.first_above_time = now + law.interval
        elif now >= self.first_above_time:
            return frame, True
        return frame, False


class CodelLaw:
    """The parameters, in ns and octets, and what becomes of frames that it picks."""

    __slots__ = ("_counters", "drop", "ecn", "interval", "maxpacket", "target")

    def __init__(
        self, settings: CodelQueue | FqCodelQueue, mtu: int, drop: Drop, counters: LinkCounters
    ) -> None:
        self.drop = drop
        self._counters = counters
        self.target = settings.target_ns
        self.interval = settings.interval_ns
        self.ecn = settings.ecn
        self.maxpacket = mtu + HEADER_LENGTH

    def mark(self, frame: bytes) -> bytes | None:
        """The frame marked; None when it has to be dropped instead."""
        marked = mark_ce(frame) if self.ecn else None
        if marked is not None:
            self._counters.marked += 1
        return marked

    def next(self, time: int, count: int) -> int:
        """When to drop after `count` drops (RFC 8289 5.4, `control_law`)."""
        return time + int(self.interval / sqrt(count))


class Codel:
    """One queue under CoDel, with a limit for what the law does not catch."""

    looks_ahead = False

    def __init__(self, attributes: LinkAttributes, drop: Drop, counters: LinkCounters) -> None:
        self._drop = drop
        self._counters = counters
        self._state = CodelState()
        self.adopt(attributes)

    @property
    def packets(self) -> int:
        return len(self._state.frames)

    @property
    def octets(self) -> int:
        return self._state.octets

    def adopt(self, attributes: LinkAttributes) -> None:
        settings = attributes.queue
        assert isinstance(settings, CodelQueue), "the link makes another queue for others"
        self._limit = settings.limit
        self._law = CodelLaw(settings, attributes.mtu, self._drop, self._counters)
        self._keeps_all = False

    def keep_all(self) -> None:
        self._keeps_all = True

    def offer(self, frame: bytes, now: int) -> bool:
        state = self._state
        if not self._keeps_all and self._limit.is_reached_by(
            len(state.frames), state.octets, len(frame)
        ):
            return False
        state.put(frame, now)
        return True

    def take(self, departure: int) -> bytes | None:
        return self._state.take(departure, self._law)

    def empty(self) -> list[bytes]:
        frames = [each.frame for each in self._state.frames]
        self._state = CodelState()
        return frames
