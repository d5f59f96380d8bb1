"""Where tasks stand that do not run: the frames of what they await."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final

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
