"""What a thread of a program has while it runs: one has it at any time."""

from __future__ import annotations

import _thread
import contextlib
from collections.abc import Callable

from netsim.interception.lock_hooks import lock_acquire, lock_release
from netsim.virtual import waits_in_c


class Baton:
    """Who waits for it blocks in the kernel. Nobody else in virtual time does."""

    __slots__ = ("_back", "_go")

    def __init__(self) -> None:
        self._go, self._back = _thread.allocate_lock(), _thread.allocate_lock()
        lock_acquire(self._go)
        lock_acquire(self._back)

    def lend(self, look: Callable[[], None] | None) -> None:
        """Let the thread run on until it gives back; `look` is called while that takes long."""
        lock_release(self._go)
        if look is None:
            lock_acquire(self._back)
        else:
            while not lock_acquire(self._back, True, waits_in_c.LOOK):
                look()

    def await_turn(self) -> None:
        """In the thread: wait until it may run."""
        lock_acquire(self._go)

    def give_back(self) -> None:
        """Let the lender run on; harmless where it does."""
        with contextlib.suppress(RuntimeError):
            lock_release(self._back)

    def end(self) -> None:
        """In a thread that nobody waits for any more: it ends."""
        lock_release(self._go)

    def await_end(self, seconds: float) -> None:
        """Wait for that, so long at most, of real time."""
        lock_acquire(self._go, True, seconds)
