"""Threads of a program that is killed while its node lives on.

CPython ends no thread from outside. Their sockets are gone, so that most end by the error of what
they do next. Of others the next line of Python raises SystemExit; those that wait in C have none
until they are done, and that is told.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import traceback
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

from netsim.site.users_lines import lines_of, users_line

_MOST_TOLD: Final = 20


def working_threads() -> list[threading.Thread]:
    """All but the caller, and workers of executors that have nothing to do."""
    executors: Any = sys.modules.get("concurrent.futures.thread")
    idle = None if executors is None else executors._worker.__code__
    frames = sys._current_frames()
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
        and (frame := frames.get(thread.ident or 0)) is not None
        and frame.f_code is not idle
    ]


def dismiss_workers(loop: asyncio.AbstractEventLoop) -> None:
    """What starts again has workers of its own: to end the old ones must not end its work."""
    own: Any = loop
    if own._default_executor is not None:
        own._default_executor.shutdown(wait=False, cancel_futures=True)
        own._default_executor = None


def end_threads(killed: Iterable[threading.Thread]) -> None:
    """Of each that still works, the next line raises SystemExit."""
    working = working_threads()
    for thread in killed:
        if thread in working:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
            )


def told_of(killed: Iterable[threading.Thread]) -> list[str]:
    """Of those that work on, a line each."""
    working = working_threads()
    left = [thread for thread in killed if thread in working]
    frames = sys._current_frames()
    told = [
        f"thread {thread.name} of the killed program has not ended: it is at "
        f"{_where(frames.get(thread.ident or 0))}, without its sockets, and ends when it is done "
        "there, or with the node"
        for thread in left[:_MOST_TOLD]
    ]
    more = len(left) - len(told)
    return told if more == 0 else [*told, f"nor have {more} more"]


def _where(frame: FrameType | None) -> str:
    if frame is None:
        return "its end"
    line = users_line(lines_of(traceback.walk_stack(frame)))
    return line or f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
