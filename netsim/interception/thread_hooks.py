"""Threads that programs on computers start, join and end, and event loops that these threads make.

`threading.Thread`, executors and whatever else starts a thread in Python end in one function that
is written in C. On a computer it begins a thread of that computer (`ProgramThreads`); elsewhere
everything is as it was.
"""

from __future__ import annotations

import _thread
import sys
import threading
import traceback
from asyncio import SelectorEventLoop, selector_events
from collections.abc import Callable
from typing import Any, Final

from netsim.core.time import nanoseconds
from netsim.interception.c_functions import (
    FunctionReplacement,
    MethodReplacement,
    Replacement,
)
from netsim.interception.environment import Presence
from netsim.interception.lock_hooks import LockHooks, WaitingRoom, lock_release
from netsim.interception.program_threads import Begin, ProgramThread, ProgramThreads

_thread_module: Final[Any] = _thread
_HAS_HANDLES: Final = hasattr(_thread, "start_joinable_thread")
"""From 3.13 on C knows who joins whom; before, a lock told that a thread had ended."""
_Handle: Final[Any] = getattr(_thread, "_ThreadHandle", None)
_handle_join: Final[Any] = getattr(_Handle, "join", None)


class ThreadHooks:
    """Start and end of threads, and what they wait in for each other."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self.room = WaitingRoom()
        self.foreign = 0
        """Threads of the process that live, and were started while this was installed."""
        self._of_handles: dict[Any, ProgramThread] = {}
        """Those that have not ended, by what `join` of 3.13 is given."""
        self._replacements: list[Replacement] = [
            self._start_new_thread(),
            *([self._start_joinable_thread()] if _HAS_HANDLES else [self._set_sentinel()]),
            self._loop_init(),
            LockHooks(presence, self.room),
        ]
        self._replacements.append(self._join() if _HAS_HANDLES else self._wait_for_sentinel())
        self._excepthook_before: Any = None

    def install(self) -> None:
        """From now on threads of programs take turns."""
        for each in self._replacements:
            each.install()
        self._excepthook_before = threading.excepthook
        threading.excepthook = self._excepthook

    def uninstall(self) -> None:
        """Put back what was."""
        if self._excepthook_before is not None:
            threading.excepthook, self._excepthook_before = self._excepthook_before, None
        for each in reversed(self._replacements):
            each.uninstall()

    def _threads_here(self) -> ProgramThreads | None:
        environment = self._here()
        return None if environment is None else environment.threads

    def _excepthook(self, args: Any) -> None:
        """What a thread of a program raises is told on the computer: it is no error of the test."""
        if self._threads_here() is not None or self._excepthook_before is None:
            threading.__excepthook__(args)
        else:
            self._excepthook_before(args)

    # Start

    def _start_new_thread(self) -> FunctionReplacement:
        def start_new_thread(
            function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any = None, /
        ) -> int:
            named = {} if kwargs is None else kwargs
            if not (callable(function) and isinstance(args, tuple) and isinstance(named, dict)):
                ident: int = replacement.original(function, args, named)  # which refuses it
                return ident

            def call() -> None:
                try:
                    function(*args, **named)
                except SystemExit:
                    pass
                except BaseException:  # noqa: BLE001  # as C does
                    sys.stderr.write(f"Exception ignored in thread started by: {function!r}\n")
                    traceback.print_exc()

            return self._start(
                call, lambda main: int(replacement.original(main, ())), lambda: None
            ).ident

        replacement = FunctionReplacement(_thread.start_new_thread, start_new_thread)
        return replacement

    def _start_joinable_thread(self) -> FunctionReplacement:
        def start_joinable_thread(
            function: Callable[[], None], handle: Any = None, daemon: bool = True
        ) -> Any:
            handle = _Handle() if handle is None else handle
            threads = self._threads_here()
            # The end of the interpreter waits for its own threads, and not for those of computers.
            is_daemon = daemon or (threads is not None and threads.takes_threads)

            def begin(main: Callable[[], None]) -> int:
                replacement.original(main, handle=handle, daemon=is_daemon)
                return int(handle.ident)

            def ended() -> None:
                # C says that it is over shortly after its last line of Python.
                _handle_join(handle)
                self._of_handles.pop(handle, None)
                self.room.wake_each(handle)

            thread = self._start(function, begin, ended)
            if not (isinstance(thread, _ForeignThread) or thread.is_over):
                self._of_handles[handle] = thread
            return handle

        replacement = FunctionReplacement(
            _thread_module.start_joinable_thread, start_joinable_thread
        )
        return replacement

    def _start(
        self, function: Callable[[], None], begin: Begin, ended: Callable[[], None]
    ) -> ProgramThread | _ForeignThread:
        threads = self._threads_here()
        if threads is not None and threads.takes_threads:
            return threads.start(function, begin, ended)
        foreign = _ForeignThread()

        def run() -> None:
            try:
                function()
            finally:
                self.foreign -= 1

        self.foreign += 1
        try:
            foreign.ident = begin(run)
        except BaseException:
            self.foreign -= 1
            raise
        return foreign

    # End

    def _set_sentinel(self) -> FunctionReplacement:
        def set_sentinel() -> Any:
            threads = self._threads_here()
            thread = None if threads is None else threads.running
            if thread is None:
                return replacement.original()
            sentinel = _thread.allocate_lock()

            def release() -> None:
                lock_release(sentinel)
                self.room.wake_each(sentinel)

            thread.at_end.append(release)
            return sentinel

        replacement = FunctionReplacement(_thread_module._set_sentinel, set_sentinel)
        return replacement

    def _wait_for_sentinel(self) -> MethodReplacement:
        """Of `Thread.join`, until 3.12."""

        def wait(thread: Any, block: bool = True, timeout: float = -1) -> None:
            sentinel = thread._tstate_lock
            if sentinel is None or self._threads_here() is None:
                replacement.original(thread, block, timeout)
            # C Python takes any exception for one that came after the lock was had (bpo-45274), and
            # ends the thread. Here it came before: the wait was refused, the thread lives.
            elif sentinel.acquire(block, timeout):
                sentinel.release()
                thread._stop()

        replacement = MethodReplacement(threading.Thread, "_wait_for_tstate_lock", wait)
        return replacement

    def _join(self) -> MethodReplacement:
        def join(handle: Any, timeout: float | None = None) -> None:
            thread = self._of_handles.get(handle)
            environment = self._here()
            threads = None if environment is None else environment.threads
            waiter = None if threads is None else threads.current
            if environment is None or thread is None or waiter is None or waiter is thread:
                replacement.original(handle, timeout)
                return
            deadline = None
            if timeout is not None and timeout >= 0:
                deadline = environment.now_ns() + nanoseconds(timeout)
            self.room.wait(waiter, handle, lambda: thread.is_over, deadline, lambda: thread.is_over)

        replacement = MethodReplacement(_Handle, "join", join)
        return replacement

    # Loops

    def _loop_init(self) -> MethodReplacement:
        def init(loop: Any, *args: Any, **kwargs: Any) -> None:
            threads = self._threads_here()
            if (
                threads is not None
                and (threads.takes_threads or threads.running is not None)
                and type(loop) is SelectorEventLoop
            ):
                threads.take_loop(loop)
            else:
                replacement.original(loop, *args, **kwargs)

        replacement = MethodReplacement(selector_events.BaseSelectorEventLoop, "__init__", init)
        return replacement


class _ForeignThread:
    """A thread of the process, which runs when the machine lets it."""

    ident = 0
