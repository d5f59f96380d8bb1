"""The timers of one host, in one heap.

Most timers are restarted far more often than they fire (an ACK pushes the retransmission timer
back), so restarting later than before only writes the new due time; the heap entry is corrected
when it comes up. Stopping leaves the entry where it is, too; when such entries have doubled the
heap they are swept out.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

SLACK: Final = 256
"""Entries of stopped timers for which sweeping is not worth the while."""


class Timers:
    """Every pending timer of one host; equal due times in the order they entered the heap."""

    __slots__ = ("_heap", "_sweep_at", "armed")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self.armed = 0
        """How often a timer was put into the heap. While it stays the same, and `fire` is not
        called, `next_due` says the same or something later."""
        self._sweep_at = SLACK

    def next_due(self) -> int | None:
        """When `fire` has something to do, in ns of network time; None when nothing runs."""
        heap = self._heap
        while heap:
            entry, _, timer = heap[0]
            due = timer.due
            if due is not None and entry == timer.entry == due:
                return due
            heappop(heap)
            if entry == timer.entry:
                timer.entry = None
                if due is not None:
                    self.arm(timer, due)
        return None

    def fire(self, now: int) -> None:
        """Run the action of every timer that is due, oldest first, those set on the way too."""
        while (due := self.next_due()) is not None and due <= now:
            _, _, timer = heappop(self._heap)
            timer.due = timer.entry = None
            timer.action(now)

    def arm(self, timer: Timer, due: int) -> None:
        """Used by `Timer`: put it into the heap."""
        self.armed += 1
        timer.entry = due
        heappush(self._heap, (due, self.armed, timer))
        if len(self._heap) > self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        """Take out the entries of timers that were stopped, or have an earlier entry."""
        kept = []
        for item in self._heap:
            entry, _, timer = item
            if timer.due is not None and timer.entry == entry:
                kept.append(item)
            elif timer.entry == entry:
                timer.entry = None
        heapify(kept)
        self._heap[:] = kept
        self._sweep_at = 2 * len(kept) + SLACK


def _nothing(now: int) -> None:
    """What timers do that were given no action, or retired."""


class Timer:
    """One timer; `action` is called with `now` when it fires. Not running until started."""

    __slots__ = ("_timers", "action", "due", "entry")

    def __init__(self, timers: Timers, action: Callable[[int], None] = _nothing) -> None:
        self._timers = timers
        self.action = action
        self.due: int | None = None
        """When it fires, in ns of network time; None while it is stopped."""
        self.entry: int | None = None
        """Due time of its entry in the heap, which may be earlier than `due`."""

    def start(self, due: int) -> None:
        """Run, or run again with another due time."""
        self.due = due
        if self.entry is None or due < self.entry:
            self._timers.arm(self, due)

    def start_if_stopped(self, due: int) -> None:
        """Run unless it runs already."""
        if self.due is None:
            self.start(due)

    def stop(self) -> None:
        """Do not fire; harmless when stopped."""
        self.due = None

    def retire(self) -> None:
        """Stop for good, and let go of the action: whose it is would have to wait for the cycle
        collector otherwise."""
        self.due = None
        self.action = _nothing
