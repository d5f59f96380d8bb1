"""A program that computes and never waits: in virtual time nothing else would ever run again."""

from __future__ import annotations

import ctypes
import signal
import sys
import traceback
from _thread import allocate_lock, get_ident, start_new_thread
from array import array
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, Final

from netsim.core.errors import StuckError
from netsim.core.units import format_duration
from netsim.site.users_lines import blocks, lines_of, users_line
from netsim.virtual.strand import Strand
from netsim.virtual.timeline import Timeline, real_seconds

LONGEST_STEP: Final = 60.0
"""Seconds of real time for which a program may run without waiting for anything."""
_LONG_STEP: Final = 1.0
"""Seconds after which it is this program that a limit of real time ends."""
_WAKING: Final = signal.SIGURG
"""What is sent to a program that waits in the kernel; who does not expect it is not harmed."""
_DEBUGGERS: Final = frozenset(("bdb", "pdb", "pydevd", "debugpy"))


class StuckWatch:
    """Looks, while it is entered, from a thread of its own whether the timeline goes on.

    It costs the timeline nothing: what it looks at changes with every step anyway. Where one step
    takes too long, StuckError is raised in the program that does not end it; if that is a thread,
    where time goes on. Not while somebody looks at it with a debugger.

    A thread may not move memory either, or a run would be another one (docs/repeats.md): it begins
    and ends while the other one waits, and what it remembers has its place from the beginning.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._watched = get_ident()
        self._handled: Any = None
        self._is_over, self._has_begun, self._has_ended = (allocate_lock() for _ in range(3))
        self._seen = array("q", (0, 0, 0))
        self._since = array("d", (0.0,))

    def __enter__(self) -> None:
        for lock in (self._is_over, self._has_begun, self._has_ended):
            lock.acquire()
        if current_thread() is main_thread():  # no other one handles signals
            self._handled = signal.signal(_WAKING, _wake)
        # Not `threading`: a program that counts threads, or joins them, has to see its own only.
        start_new_thread(self._watch, ())
        self._has_begun.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.release()
        self._has_ended.acquire()
        if self._handled is not None:
            signal.signal(_WAKING, self._handled)

    def _watch(self) -> None:
        self._has_begun.release()
        try:
            while not self._is_over.acquire(timeout=_LONG_STEP):
                self._look(real_seconds())
        finally:
            self._has_ended.release()

    def _look(self, now: float) -> None:
        seen, has_gone_on = self._seen, False
        for index, number in enumerate(self._timeline.step_mark()):
            has_gone_on |= number != seen[index]
            seen[index] = number
        longest = _LONG_STEP if self._timeline.is_wall_time_over() else LONGEST_STEP
        if has_gone_on or not self._since[0]:
            self._since[0] = now
        elif now - self._since[0] >= longest:
            self._end_step(now - self._since[0])
            self._since[0] = now

    def _end_step(self, seconds: float) -> None:
        # Of a program's thread, where one runs: the watched one waits for it meanwhile.
        runs = self._timeline.interception.running_thread
        frame = sys._current_frames().get(runs)
        stack = list(traceback.walk_stack(frame)) if frame is not None else []
        if any(_module(each) in _DEBUGGERS for each, _ in stack):
            return
        who, thread = _who(stack)
        text = (
            f"{who} has not waited for anything for {seconds:.0f} s of real time, at "
            f"{format_duration(self._timeline.now)} of network time"
        )
        line = users_line(lines_of(stack))
        if line:
            text += f": {blocks(line)}" if runs == self._watched else f": it stands at {line}"
        elif thread is not None:
            text += f": it stands {thread.where()}"
        # What is raised in another thread can only be a class.
        told = type(
            "StuckError",
            (StuckError,),
            {
                "__init__": lambda error: StuckError.__init__(error, text),
                "__module__": StuckError.__module__,
            },
        )
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._watched), ctypes.py_object(told)
        )
        # It comes with the next line of Python, and to `socket.accept()` that may never come.
        if self._handled is not None:
            signal.pthread_kill(self._watched, _WAKING)


def _wake(number: int, frame: FrameType | None) -> None:
    """A line of Python in the midst of a call that waits in the kernel."""


def _who(stack: list[tuple[FrameType, int]]) -> tuple[str, Strand | None]:
    """What the innermost loop that runs is called, or the thread, and this."""
    for frame, _ in stack:
        runs: Any = frame.f_locals.get("self")
        if frame.f_code is Strand.main.__code__:
            return f"{runs.title()} of {runs.name}", runs
        if frame.f_code.co_name == "step" and hasattr(runs, "unfinished_tasks"):
            return str(runs.name), None
    return "the network", None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
