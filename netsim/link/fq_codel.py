"""FQ-CoDel (RFC 8290): a queue for each flow, served in turn, each under CoDel.

Flows that have sent little go first, so that a ping does not wait behind a download.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import Final
from zlib import crc32

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import FqCodelQueue
from netsim.link.codel import CodelLaw, CodelState
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import Drop
from netsim.wire.ethernet import ETHERTYPE_IPV4, HEADER_LENGTH

_IPV4: Final = ETHERTYPE_IPV4.to_bytes(2, "big")
_WITH_PORTS: Final = frozenset((6, 17))


class _Flow(CodelState):
    """The queue of one flow, or of several whose hash is the same."""

    __slots__ = ("deficit", "is_listed")

    def __init__(self) -> None:
        super().__init__()
        self.deficit = 0
        self.is_listed = False


class FqCodel:
    """The queues; `salt` makes links hash flows in different ways (RFC 8290 4.1.1)."""

    looks_ahead = False

    def __init__(
        self, attributes: LinkAttributes, salt: int, drop: Drop, counters: LinkCounters
    ) -> None:
        self._salt = salt
        self._counters = counters
        self._drop = drop
        self._flows: dict[int, _Flow] = {}
        """By hash, those that have ever had a frame; at most as many as the setting says."""
        self._new: deque[_Flow] = deque()
        self._old: deque[_Flow] = deque()
        self.packets = 0
        self.octets = 0
        self.adopt(attributes)

    def adopt(self, attributes: LinkAttributes) -> None:
        settings = attributes.queue
        assert isinstance(settings, FqCodelQueue), "the link makes another queue for others"
        self._limit = settings.limit
        self._quantum = settings.quantum
        self._count = settings.flows
        self._law = CodelLaw(settings, attributes.mtu, self._drop_early, self._counters)
        self._keeps_all = False

    def keep_all(self) -> None:
        self._keeps_all = True

    def offer(self, frame: bytes, now: int) -> bool:
        """Into the queue of its flow. Beyond the limit the longest queue loses its head
        (RFC 8290 4.1)."""
        number = crc32(_flow_of(frame), self._salt) % self._count
        flow = self._flows.get(number)
        if flow is None:
            flow = self._flows[number] = _Flow()
        if not flow.is_listed:
            flow.is_listed = True
            flow.deficit = self._quantum
            self._new.append(flow)
        flow.put(frame, now)
        self.packets += 1
        self.octets += len(frame)
        while not self._keeps_all and self._limit.is_reached_by(self.packets - 1, self.octets, 0):
            longest = max(chain(self._new, self._old), key=lambda each: each.octets)
            victim = longest.frames.popleft().frame
            longest.octets -= len(victim)
            self._forget(victim)
            self._drop(victim, "queue", now)
        return True

    def take(self, departure: int) -> bytes | None:
        """RFC 8290 4.2: deficit round robin, new flows first."""
        while True:
            listed = self._new or self._old
            if not listed:
                return None
            flow = listed[0]
            if flow.deficit <= 0:
                flow.deficit += self._quantum
                self._old.append(listed.popleft())
                continue
            frame = flow.take(departure, self._law)
            if frame is not None:
                flow.deficit -= len(frame)
                self._forget(frame)
                return frame
            listed.popleft()
            if listed is self._new and self._old:
                # An empty new flow goes to the end of the old ones, whom it must not starve. The
                # RFC does so where there are none, too; this is Linux's, by the same authors.
                self._old.append(flow)
            else:
                flow.is_listed = False

    def empty(self) -> list[bytes]:
        flows = list(chain(self._new, self._old))
        frames = [each.frame for flow in flows for each in flow.frames]
        self._flows.clear()
        self._new.clear()
        self._old.clear()
        self.packets = self.octets = 0
        return frames

    def _drop_early(self, frame: bytes, reason: str, now: int) -> None:
        self._forget(frame)
        self._drop(frame, reason, now)

    def _forget(self, frame: bytes) -> None:
        self.packets -= 1
        self.octets -= len(frame)


def _flow_of(frame: bytes) -> bytes:
    """Addresses, protocol and, of whole TCP and UDP packets, ports; else the Ethernet header."""
    if frame[12:14] != _IPV4 or len(frame) < HEADER_LENGTH + 20:
        return frame[:14]
    ports = HEADER_LENGTH + (frame[14] & 0x0F) * 4
    is_fragment = frame[20] & 0x3F or frame[21]
    if frame[23] in _WITH_PORTS and not is_fragment:
        return frame[26:34] + frame[23:24] + frame[ports : ports + 4]
    return frame[26:34] + frame[23:24]
