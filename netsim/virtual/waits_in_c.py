"""A thread of a program that waits in C: for what only others can do, while virtual time stands."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from netsim.core.errors import DeadlockError

LOOK: Final = 1.0
"""Seconds of real time between looks at a thread that does not come back."""
_STUCK_LOOKS: Final = 3
"""So many, in which nothing has computed, and it waits for what virtual time does not know."""
_BUSY: Final = 0.05
"""Of the real time: with less the process does not compute."""


class Thread(Protocol):
    """A thread of a program."""

    name: str
    """Of its computer."""
    native: int
    """The kernel's number."""

    def title(self) -> str:
        """As the program calls it."""

    def where(self) -> str:
        """Its line."""


class Threads(Protocol):
    """Those of one computer."""

    @property
    def running(self) -> Thread | None:
        """The one that has the baton."""

    @property
    def alive(self) -> Iterable[Thread]:
        """All of them."""


class WaitsInC:
    """Looks, while a thread runs on and on, whether it computes."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._looks = 0
        self._computed: float | None = None

    def begin(self) -> None:
        """A thread runs from now on."""
        self._looks, self._computed = 0, None

    def look(self) -> None:
        """DeadlockError where it waits, and nobody in this process can come to help."""
        running = self._threads.running
        assert running is not None, "it has been lent the baton"
        # Of the whole process: a library may compute in threads of its own, and wait for these.
        computed = cpu_seconds()
        before = computed if self._computed is None else self._computed
        is_busy = computed - before > _BUSY * LOOK
        self._computed = computed
        waits_for_child = any(has_children(each.native) for each in self._threads.alive)
        if is_busy or waits_for_child or _state(running.native) != "S":
            self._looks = 0
            return
        self._looks += 1
        if self._looks >= _STUCK_LOOKS:
            raise DeadlockError(
                f"{running.name}: {running.title()} waits {running.where()}, outside of "
                "virtual time, which stands still meanwhile, so that nothing in it can come to "
                "help: for a pipe, a C library's socket, or a database file that another thread "
                "has locked (sqlite3.connect(…, timeout=0), and try again after time.sleep())"
            )


def has_children(native: int) -> bool:
    """Whether processes live that this thread has started, by its number of the kernel; proc(5)."""
    try:
        return bool(Path(f"/proc/self/task/{native}/children").read_bytes())
    except OSError:
        return False


def cpu_seconds() -> float:
    """The CPU time that this process has had, in all of its threads."""
    times = os.times()
    return times.user + times.system


def _state(native: int) -> str:
    """Of a thread, as the kernel says ("S": it waits); proc(5)."""
    try:
        return Path(f"/proc/self/task/{native}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
