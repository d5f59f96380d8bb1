"""Threads of programs on a computer in virtual time, as the interpreter's stand-ins see them.

Of all the threads of programs one has the baton, and only it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Waiter(Protocol):
    """A thread of a program, or the one that runs its event loop."""

    def park(self, deadline: int | None, could: Callable[[], bool] = bool) -> bool:
        """Let others run until somebody wakes this one: True; or network time `deadline`: False.

        Called by the one that has the baton. `could` tells whether what it waits for can be had;
        one that is woken and kept from going on is told by it that somebody else was faster.
        """

    def wake(self) -> bool:
        """Have it run on in its turn; False where it will never run again."""

    def has_polled(self) -> None:
        """It has looked in vain, and has not waited: who does so in a circle takes time."""


class ProgramThread(Waiter, Protocol):
    """A thread that a program has started."""

    ident: int
    """As `threading.get_ident`."""
    is_over: bool
    """Its function has ended."""
    at_end: list[Callable[[], None]]
    """What is called then."""


Begin = Callable[[Callable[[], None]], int]
"""Calls a function in a new thread of the process; as `_thread.start_new_thread`, its number."""


class ProgramThreads(Protocol):
    """Those of one computer."""

    current: Waiter | None
    """Who runs now, where it may wait; None on the loop of the test, which is no program's."""
    takes_threads: bool
    """A thread that is started now is one of these."""

    @property
    def running(self) -> ProgramThread | None:
        """The thread that runs now; None: the event loop."""

    def start(
        self, function: Callable[[], None], begin: Begin, ended: Callable[[], None]
    ) -> ProgramThread:
        """Run a function in a thread until it first waits. `ended` is called after its end."""

    def take_loop(self, loop: object) -> None:
        """Make an event loop that a thread has made one of this computer."""
