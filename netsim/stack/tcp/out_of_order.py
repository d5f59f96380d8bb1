"""Data that came before what precedes it (RFC 9293 3.10.7.4, seventh; SACK blocks RFC 2018).

Disjoint, non-adjacent ranges in order, each with the payloads it is made of. Everything lies in
the receive window, which therefore bounds the octets; the number of holes is bounded here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Final

from netsim.stack.tcp.chunks import append

MAX_RANGES: Final = 512
_REPORTED: Final = 4
"""As many blocks as fit into an option field without timestamps."""


class Reassembly:
    """The out-of-order queue of one connection; `octets` is 0 while it is empty."""

    __slots__ = ("_chunks", "_ends", "_recent", "_starts", "octets")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._chunks: list[list[bytes]] = []
        self._recent: deque[int] = deque(maxlen=2 * _REPORTED)
        """Sequence numbers of the latest arrivals, newest first."""
        self.octets = 0

    def add(self, start: int, data: bytes) -> bool | None:
        """Keep `data`, which starts at `start`; False when all of it was here already, None
        when there are too many holes to keep it."""
        starts, ends, chunks = self._starts, self._ends, self._chunks
        end = start + len(data)
        index = bisect_right(starts, start) - 1
        if index >= 0 and ends[index] >= start:
            self._recent.appendleft(start)
            if ends[index] >= end:
                return False
            data = data[ends[index] - start :]
        else:
            if len(starts) >= MAX_RANGES:
                return None
            self._recent.appendleft(start)
            index += 1
            starts.insert(index, start)
            ends.insert(index, start)
            chunks.insert(index, [])
        grown = chunks[index]
        following = index + 1
        while following < len(starts) and starts[following] <= end:
            # The new data runs into the next range: keep of both what the other lacks.
            if ends[following] > end:
                data = data[: len(data) - (end - starts[following])]
                if data:
                    append(grown, data)
                    self.octets += len(data)
                    data = b""
                append(grown, chunks[following][0])
                grown += chunks[following][1:]
                end = ends[following]
            else:
                self.octets -= ends[following] - starts[following]
            del starts[following], ends[following], chunks[following]
        if data:
            append(grown, data)
            self.octets += len(data)
        ends[index] = end
        return True

    def first_overlap(self, start: int, end: int) -> tuple[int, int] | None:
        """The first range in [start, end) that is here already (RFC 2883 4.2)."""
        starts, ends = self._starts, self._ends
        index = bisect_right(ends, start)
        if index == len(starts) or starts[index] >= end:
            return None
        return max(start, starts[index]), min(end, ends[index])

    def take(self, upto: int) -> list[bytes]:
        """Remove what starts at or before `upto`, without what lies before it, as payloads
        that continue the stream there."""
        continuing: list[bytes] = []
        starts, ends = self._starts, self._ends
        while starts and starts[0] <= upto:
            surplus = upto - starts[0]
            self.octets -= ends[0] - starts[0]
            for chunk in self._chunks[0]:
                if surplus >= len(chunk):
                    surplus -= len(chunk)
                    continue
                continuing.append(chunk[surplus:] if surplus else chunk)
                upto += len(chunk) - surplus
                surplus = 0
            del starts[0], ends[0], self._chunks[0]
        return continuing

    def blocks(self, limit: int) -> list[tuple[int, int]]:
        """At most `limit` ranges, the one that grew last first (RFC 2018 4)."""
        found: list[tuple[int, int]] = []
        for sequence in self._recent:
            index = bisect_right(self._starts, sequence) - 1
            if index >= 0 and sequence < self._ends[index]:
                block = (self._starts[index], self._ends[index])
                if block not in found:
                    found.append(block)
        for block in zip(self._starts, self._ends, strict=True):
            if len(found) >= limit:
                break
            if block not in found:
                found.append(block)
        return found[:limit]
