"""Who waits for what, when nothing is left to happen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from netsim.interception.task_stacks import awaiting_frames

_LIBRARY: Final = (str(Path(asyncio.__file__).parent), str(Path(__file__).parents[1]))
"""Lines of these say nothing about who waits."""
_SHOWN: Final = 12
"""Tasks that are shown; the rest is counted."""


def describe_waiting(
    tasks: Iterable[tuple[str, asyncio.Task[Any]]], threads: Iterable[tuple[str, str, str]] = ()
) -> str:
    """Every task, with the name of its loop, and the line it stands at; then threads.

    Of these there are the name of the loop, the thread's, and the line. Those without a line in
    anybody's program are shown only where there are no others.
    """
    places = [
        (f"{loop} waits in {name}", line) for loop, task in tasks for name, line in (_place(task),)
    ]
    places += [
        (f"{loop} waits in {title}", f" ({line})" if line else "") for loop, title, line in threads
    ]
    if not places:
        return "nobody waits either"
    waiting = [text + line for text, line in places if line] or [text for text, _ in places]
    shown = "; ".join(waiting[:_SHOWN])
    return f"{shown}; and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else shown


def _place(task: asyncio.Task[Any]) -> tuple[str, str]:
    """What a task awaits, and the innermost line of its own that leads there."""
    coroutine: Any = task.get_coro()
    name = getattr(coroutine, "__qualname__", repr(coroutine))
    line = ""
    for code, number in awaiting_frames(task):
        name = code.co_qualname
        if not code.co_filename.startswith(_LIBRARY):
            line = f" ({Path(code.co_filename).name}:{number})"
    return name, line
