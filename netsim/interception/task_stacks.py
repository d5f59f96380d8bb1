"""Tasks that do not run: which one a callback goes on with, and the frames of what it awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final

_STEPS: Final = frozenset({"task_wakeup", "__step", "__wakeup"})
"""Methods of tasks, in C and in Python, that go on with them."""
_STEP_TYPES: Final = frozenset({"TaskStepMethWrapper", "TaskWakeupMethWrapper"})
"""What C tasks give to `call_soon` instead (3.11 to 3.15 the first)."""
_DEEPEST: Final = 100


def awaiting_frames(task: asyncio.Task[Any]) -> Iterator[tuple[CodeType, int]]:
    """Code and line of each coroutine from the task's own to the innermost it awaits."""
    awaited: Any = task.get_coro()
    for _ in range(_DEEPEST):
        if awaited is None:
            return
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            yield frame.f_code, frame.f_lineno
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def task_of(callback: Any) -> asyncio.Task[Any] | None:
    """The task that a callback goes on with; None for any other callback."""
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return None
    if type(callback).__name__ in _STEP_TYPES or getattr(callback, "__name__", "") in _STEPS:
        return task
    return None
