"""Putting fragments together (RFC 791 3.2, RFC 1122 3.3.2), within limits.

Fragments that overlap are an attack or an accident, and the datagram they are of is not to be
trusted: all of it is dropped, with what else comes of it until its time is up (RFC 5722 3, which
Linux follows for IPv4 as well). The very same fragment again is a duplicate, which links make.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from typing import Final

from netsim.core.time import SECOND
from netsim.stack.fragmentation import UNIT
from netsim.stack.timers import Timer, Timers
from netsim.wire import icmp
from netsim.wire.address import IpAddress
from netsim.wire.ipv4 import (
    MAX_PACKET,
    MORE_FRAGMENTS,
    OFFSET_MASK,
    Ipv4Header,
)

LIFETIME: Final = 30 * SECOND
"""For all the fragments of a datagram to come, from the first (Linux: ipfrag_time)."""
MEMORY_LIMIT: Final = 4 << 20
"""Bytes that fragments may take (Linux: ipfrag_high_thresh); beyond it the oldest datagram is
given up: one that is whole within its round trip outlives a flood, as it would not if newcomers
were refused."""
DATAGRAM_LIMIT: Final = 1024
FRAGMENT_LIMIT: Final = 1400
"""Of one datagram: the largest needs 1,365 over links of 68 octets."""
FRAGMENT_OVERHEAD: Final = 256
"""Bytes that each takes of the memory beside its data, so that crumbs do not come cheap."""

_START: Final = itemgetter(0)

Key = tuple[IpAddress, IpAddress, int, int]
"""Source, destination, protocol, identification (RFC 791 3.2)."""


class _Partial:
    """A datagram of which something has come. `pieces` are (start, data), sorted."""

    __slots__ = ("cost", "expires_at", "first", "octets", "pieces", "size", "spoiled")

    def __init__(self, expires_at: int) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.octets = 0
        self.size = 0
        """Octets of the whole payload, 0 until the last fragment has come."""
        self.first: Ipv4Header | None = None
        self.expires_at = expires_at
        self.cost = 0
        self.spoiled = False
        """Fragments overlapped: it stays, empty, to swallow the rest."""


class Reassembly:
    """The datagrams of one host that have come in part.

    `report` takes the type and code of an ICMP error, the packet it is about, and the time.
    """

    def __init__(
        self,
        timers: Timers,
        count: Callable[[str], None],
        report: Callable[[int, int, bytes, int], None],
    ) -> None:
        self.reassembled = 0
        """Datagrams that were put together."""
        self.memory = 0
        """Bytes taken now, as `MEMORY_LIMIT` counts them."""
        self._count = count
        self._report = report
        self._partials: dict[Key, _Partial] = {}
        """In the order in which their time is up."""
        self._timer = Timer(timers, self._expire)

    def __len__(self) -> int:
        return len(self._partials)

    @property
    def fragments(self) -> int:
        """How many wait for others."""
        return sum(len(partial.pieces) for partial in self._partials.values())

    def take(self, header: Ipv4Header, payload: bytes, now: int) -> tuple[Ipv4Header, bytes] | None:
        """A fragment for this host; the whole datagram when nothing is missing any more."""
        offset = (header.fragment & OFFSET_MASK) * UNIT
        is_last = not header.fragment & MORE_FRAGMENTS
        size = len(payload)
        # RFC 791 3.2: every fragment but the last is made of whole units.
        if not size or (size % UNIT and not is_last):
            self._count("fragment-length")
            return None
        if header.header_length + offset + size > MAX_PACKET:
            self._count("fragment-too-far")
            return None
        key = (header.source, header.destination, header.protocol, header.identification)
        partial = self._partials.get(key)
        if partial is None:
            partial = self._begin(key, now)
        elif partial.spoiled:
            self._count("fragment-overlap")
            return None
        index = bisect_left(partial.pieces, offset, key=_START)
        if index < len(partial.pieces) and partial.pieces[index] == (offset, payload):
            self._count("fragment-duplicate")
            return None
        if not _fits(partial, index, offset, offset + size, is_last):
            self._spoil(partial)
            return None
        partial.pieces.insert(index, (offset, payload))
        partial.octets += size
        partial.cost += size + FRAGMENT_OVERHEAD
        self.memory += size + FRAGMENT_OVERHEAD
        if is_last:
            partial.size = offset + size
        if not offset:
            partial.first = header
        if partial.octets == partial.size:
            return self._whole(key, partial)
        self._keep_to_limit()
        return None

    def _begin(self, key: Key, now: int) -> _Partial:
        while len(self._partials) >= DATAGRAM_LIMIT:
            self._drop(next(iter(self._partials)), "reassembly-limit")
        partial = self._partials[key] = _Partial(now + LIFETIME)
        partial.cost = FRAGMENT_OVERHEAD
        self.memory += FRAGMENT_OVERHEAD
        self._timer.start_if_stopped(partial.expires_at)
        return partial

    def _spoil(self, partial: _Partial) -> None:
        for _ in range(len(partial.pieces) + 1):
            self._count("fragment-overlap")
        partial.spoiled = True
        partial.pieces = []
        partial.first = None
        self.memory -= partial.cost - FRAGMENT_OVERHEAD
        partial.cost = FRAGMENT_OVERHEAD

    def _whole(self, key: Key, partial: _Partial) -> tuple[Ipv4Header, bytes] | None:
        first = partial.first
        assert first is not None
        total = first.header_length + partial.size
        if total > MAX_PACKET:
            self._drop(key, "fragment-too-far")
            return None
        del self._partials[key]
        self.memory -= partial.cost
        self.reassembled += 1
        payload = b"".join([data for _, data in partial.pieces])
        return replace(first, total_length=total, fragment=0), payload

    def _keep_to_limit(self) -> None:
        while self.memory > MEMORY_LIMIT:
            self._drop(next(iter(self._partials)), "reassembly-limit")

    def _drop(self, key: Key, reason: str) -> None:
        partial = self._partials.pop(key)
        self.memory -= partial.cost
        for _ in partial.pieces:
            self._count(reason)

    def _expire(self, now: int) -> None:
        while self._partials:
            key, partial = next(iter(self._partials.items()))
            if partial.expires_at > now:
                self._timer.start(partial.expires_at)
                return
            self._drop(key, "reassembly-timeout")
            if partial.first is not None:
                # RFC 1122 3.3.2: only of a datagram whose fragment zero has come.
                quoted = partial.first.pack() + partial.pieces[0][1]
                self._report(icmp.TIME_EXCEEDED, icmp.REASSEMBLY_TIME_EXCEEDED, quoted, now)


def _fits(partial: _Partial, index: int, start: int, end: int, is_last: bool) -> bool:
    """Whether there is a hole for a fragment that comes before `pieces[index]`."""
    pieces = partial.pieces
    if len(pieces) >= FRAGMENT_LIMIT:
        return False
    if index:
        before, data = pieces[index - 1]
        if before + len(data) > start:
            return False
    if index == len(pieces):
        return not partial.size
    return end <= pieces[index][0] and not is_last
