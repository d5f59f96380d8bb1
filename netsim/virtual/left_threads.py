"""Threads that nobody waits for any more, and what the interpreter still has of them."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final

left_as_they_stood: Final[list[Any]] = []
"""Programs of computers that lost their power, and threads that have not ended, for ever: were they
let go, Python would run their `finally` blocks, and their files would be flushed."""
# One reference that nobody gives back, so that not even the end of the interpreter frees it.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(left_as_they_stood))


def threads_by_number() -> dict[int, threading.Thread]:
    """What `threading.enumerate` shows."""
    threads: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
    return threads


def forget(thread: threading.Thread | None) -> None:
    """The interpreter's end joins threads that are not daemons, and workers of executors."""
    internals: Any = threading
    if thread is None:
        return
    executors: Any = sys.modules.get("concurrent.futures.thread")
    if executors is not None:
        executors._threads_queues.pop(thread, None)
    lock = getattr(thread, "_tstate_lock", None)  # until 3.12
    if lock is not None and hasattr(internals, "_shutdown_locks"):
        internals._shutdown_locks.discard(lock)


def free_executors(
    stack: Iterable[tuple[FrameType, int]], waits_for: Callable[[object], bool]
) -> None:
    """A thread with this stack stays for ever, maybe where it has a lock of all executors.

    `waits_for` tells whether it waits for a lock: then it has none that is taken after that.
    """
    executors: Any = sys.modules.get("concurrent.futures.thread")
    if executors is None or not executors._global_shutdown_lock.locked():
        return
    submit = executors.ThreadPoolExecutor.submit.__code__
    for frame, _ in stack:
        if frame.f_code is submit:
            locks = (frame.f_locals["self"]._shutdown_lock, executors._global_shutdown_lock)
            if not any(map(waits_for, locks)):
                executors._global_shutdown_lock.release()
            return


def end_some_time(ident: int) -> None:
    """It computes and does not stop: have the next line of Python there raise SystemExit."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(SystemExit))


def say_nothing_of(thread: threading.Thread | None) -> None:
    """It ends by an exception of ours, when the test that has begun it is over."""
    if thread is not None:
        vars(thread)["_invoke_excepthook"] = _nothing


def _nothing(thread: threading.Thread) -> None:
    """In place of `threading.excepthook`."""
