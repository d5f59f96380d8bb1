"""Which of the outstanding octets the peer has selectively acknowledged (RFC 2018, RFC 6675).

Disjoint ranges in order, as two lists for `bisect`. Everything here is in unwrapped sequence
numbers; ranges exclude their right edge.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

DUPLICATE_THRESHOLD: Final = 3
"""DupThresh of RFC 6675, and the three duplicate acknowledgements of RFC 5681."""


class Scoreboard:
    """The SACKed part of the send window; falsy while nothing is SACKed."""

    __slots__ = ("_ends", "_starts", "octets")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.octets = 0
        """How many are SACKed."""

    def __bool__(self) -> bool:
        return self.octets > 0

    def clear(self) -> None:
        """Forget everything: the peer may renege (RFC 2018 8)."""
        self._starts.clear()
        self._ends.clear()
        self.octets = 0

    def add(self, start: int, end: int) -> bool:
        """Note that [start, end) has arrived; False when that was known."""
        starts, ends = self._starts, self._ends
        first = bisect_left(ends, start)
        last = bisect_right(starts, end)
        known = 0
        if first < last:
            if starts[first] <= start and end <= ends[first]:
                return False
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
            known = sum(ends[first:last]) - sum(starts[first:last])
        starts[first:last] = [start]
        ends[first:last] = [end]
        self.octets += end - start - known
        return True

    def advance(self, una: int) -> None:
        """Drop what the cumulative acknowledgement covers by now."""
        starts, ends = self._starts, self._ends
        gone = bisect_right(ends, una)
        if gone:
            self.octets -= sum(ends[:gone]) - sum(starts[:gone])
            del starts[:gone], ends[:gone]
        if starts and starts[0] < una:
            self.octets -= una - starts[0]
            starts[0] = una

    def hole(self, start: int, end: int) -> tuple[int, int] | None:
        """The first range within [start, end) that is not SACKed."""
        index = bisect_right(self._starts, start) - 1
        if index >= 0 and start < self._ends[index]:
            start = self._ends[index]
        if start >= end:
            return None
        if index + 1 < len(self._starts):
            end = min(end, self._starts[index + 1])
        return start, end
