"""Locks and queues on which threads of programs wait for each other, without blocking the process.

All that waits in `threading`, `queue`, `concurrent.futures` and in libraries stands on three types
that are written in C: `_thread.lock`, `_thread.RLock` and `_queue.SimpleQueue`. Their methods are
exchanged in the dictionaries of the types, so that locks made before are reached, too. Where a lock
is free, everybody has it as ever; who would wait, and runs on a computer, parks.

What was looked up on a lock before `install` (`threading.Condition` keeps `release` of its lock)
stays C's: `wake_all` has everybody look again, when nothing else is left to happen.
"""

from __future__ import annotations

import _queue
import _thread
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from netsim.core.time import nanoseconds
from netsim.interception.c_functions import MethodReplacement
from netsim.interception.environment import Environment, Presence
from netsim.interception.program_threads import Waiter

_Lock: Final[Any] = _thread.LockType
_RLock: Final[Any] = _thread.RLock
_Queue: Final[Any] = _queue.SimpleQueue

lock_acquire: Final[Callable[..., bool]] = _Lock.acquire
"""As the interpreter has it, whoever calls: the whole thread blocks."""
lock_release: Final[Callable[[Any], None]] = _Lock.release


class WaitingRoom:
    """Who waits for which lock, queue or thread: first come, first served."""

    def __init__(self) -> None:
        self.waiting: dict[int, deque[Waiter]] = {}
        """By `id` of what is waited for."""
        self.served = 0
        """How often somebody has got what it waited for."""

    def wake_one(self, thing: object) -> None:
        """It may be had: the first who waits for it looks again."""
        waiters = self.waiting.get(id(thing))
        while waiters:
            if waiters.popleft().wake():
                return

    def wake_each(self, thing: object) -> None:
        """It has ended: all who wait for it look again."""
        for waiter in list(self.waiting.get(id(thing), ())):
            waiter.wake()

    def wake_all(self) -> None:
        """Have everybody look again."""
        for waiters in list(self.waiting.values()):
            for waiter in list(waiters):
                waiter.wake()

    def wait(
        self,
        waiter: Waiter,
        thing: object,
        ready: Callable[[], Any],
        deadline: int | None,
        is_free: Callable[[], bool],
    ) -> Any:
        """What `ready` returns as soon as it is true; at time `deadline`, whatever it is.

        `is_free` tells whether it would be true now, and takes nothing.
        """

        def could() -> bool:
            if is_free():
                return True
            # Somebody was faster. Meanwhile the last of the others may have gone.
            waiters = self.waiting.setdefault(id(thing), deque())
            if waiter not in waiters:
                waiters.appendleft(waiter)
            return False

        self.waiting.setdefault(id(thing), deque()).append(waiter)
        try:
            while True:
                woken = waiter.park(deadline, could)
                got = ready()
                if got or not woken:
                    self.served += bool(got)
                    return got
                could()
        finally:
            waiters = self.waiting.get(id(thing), deque())
            if waiter in waiters:
                waiters.remove(waiter)
            if not waiters:
                self.waiting.pop(id(thing), None)

    def is_waiting(self, waiter: Waiter, thing: object) -> bool:
        """It stands among those who wait for that."""
        return waiter in self.waiting.get(id(thing), ())


class LockHooks:
    """The methods of locks and queues that wait, or end a wait."""

    def __init__(self, presence: Presence, room: WaitingRoom) -> None:
        self._here = presence.here
        self._room = room
        self._methods = [
            MethodReplacement(owner, name, function)
            for owner, functions in (
                (_Lock, self._of_locks()),
                (_RLock, self._of_reentrant_locks()),
                (_Queue, self._of_queues()),
            )
            for name, function in functions.items()
            if name in vars(owner)
        ]

    def install(self) -> None:
        """From now on who is on a computer parks where it would block."""
        for method in self._methods:
            method.install()

    def uninstall(self) -> None:
        """Put back what was."""
        for method in self._methods:
            method.uninstall()

    def _waiter(self) -> tuple[Waiter | None, Environment | None]:
        environment = self._here()
        threads = None if environment is None else environment.threads
        return (None if threads is None else threads.current), environment

    def _acquire(
        self,
        lock: Any,
        take: Callable[..., bool],
        give: Callable[[Any], None],
        blocking: Any,
        timeout: Any,
    ) -> bool:
        """Of a lock that is not free, or with a timeout; `take` and `give` are the originals."""
        waiter, environment = self._waiter()
        if waiter is None or environment is None:
            return take(lock, blocking, timeout)
        if not blocking or not _is_timeout(timeout):
            got = take(lock, blocking, timeout)
            if not got:
                waiter.has_polled()
            return got
        if take(lock, False):
            return True
        if timeout == 0:
            waiter.has_polled()
            return False
        deadline = None if timeout == -1 else environment.now_ns() + nanoseconds(timeout)

        def is_free() -> bool:
            if not take(lock, False):
                return False
            give(lock)
            return True

        return bool(self._room.wait(waiter, lock, lambda: take(lock, False), deadline, is_free))

    def _of_any_lock(
        self, take: Callable[..., bool], give: Callable[[Any], None]
    ) -> dict[str, Callable[..., Any]]:
        """Of a kind of lock that has these as `acquire` and `release`."""
        room, waiting, wait = self._room, self._room.waiting, self._acquire

        def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
            if timeout == -1 and take(self, False):
                return True
            return wait(self, take, give, blocking, timeout)

        def enter(self: Any) -> bool:
            return take(self, False) or wait(self, take, give, True, -1)

        def release(self: Any) -> None:
            give(self)
            if waiting and id(self) in waiting:
                room.wake_one(self)

        # As `release`, without a call in between: `with lock:` is on every program's path.
        def leave(self: Any, *exception: Any) -> None:
            give(self)
            if waiting and id(self) in waiting:
                room.wake_one(self)

        return {"acquire": acquire, "release": release, "__enter__": enter, "__exit__": leave}

    def _of_locks(self) -> dict[str, Callable[..., Any]]:
        methods = self._of_any_lock(lock_acquire, lock_release)
        names_of_before = {f"{name}_lock": methods[name] for name in ("acquire", "release")}
        return methods | names_of_before

    def _of_reentrant_locks(self) -> dict[str, Callable[..., Any]]:
        room, waiting = self._room, self._room.waiting
        give, save, restore = _RLock.release, _RLock._release_save, _RLock._acquire_restore
        methods = self._of_any_lock(_RLock.acquire, give)
        enter = methods["__enter__"]

        def release_save(self: Any) -> Any:
            state = save(self)
            if waiting and id(self) in waiting:
                room.wake_one(self)
            return state

        def acquire_restore(self: Any, state: Any) -> None:
            # Nobody runs between these three: who has the baton does not park here.
            enter(self)
            give(self)
            restore(self, state)

        return methods | {"_release_save": release_save, "_acquire_restore": acquire_restore}

    def _of_queues(self) -> dict[str, Callable[..., Any]]:
        room, find = self._room, self._waiter
        get_item, put_item, is_empty = _Queue.get, _Queue.put, _Queue.empty
        waiting = room.waiting

        def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
            waiter, environment = find()
            if waiter is None or environment is None:
                return get_item(self, block, timeout)
            try:
                return get_item(self, False)
            except _queue.Empty:
                if not block:
                    waiter.has_polled()
                    raise
            if timeout is not None and not _is_timeout(timeout):
                return get_item(self, block, timeout)  # which refuses it

            def ready() -> tuple[Any] | None:
                try:
                    return (get_item(self, False),)
                except _queue.Empty:
                    return None

            deadline = None if timeout is None else environment.now_ns() + nanoseconds(timeout)
            got = room.wait(waiter, self, ready, deadline, lambda: not is_empty(self))
            if got is None:
                raise _queue.Empty
            return got[0]

        def get_nowait(self: Any) -> Any:
            return get(self, False)

        def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
            put_item(self, item, block, timeout)
            if waiting and id(self) in waiting:
                room.wake_one(self)

        def put_nowait(self: Any, item: Any) -> None:
            put(self, item)

        return {"get": get, "get_nowait": get_nowait, "put": put, "put_nowait": put_nowait}


def _is_timeout(seconds: Any) -> bool:
    """Whether C takes it; what it does not take, it refuses itself, and at once."""
    try:
        return bool(seconds == -1 or 0 <= seconds <= threading.TIMEOUT_MAX)
    except TypeError:
        return False
