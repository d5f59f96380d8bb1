"""Jobs of executors: what the thread of a worker does, and who waits for it.

Where the job is a function in C (`asyncio.to_thread(os.read, …)`), no line of the program that has
handed it over is on the worker's stack.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any, Final, NamedTuple

from netsim.interception.task_stacks import task_of

_MOST: Final = 100
"""Futures that are looked at."""


class Job(NamedTuple):
    """A function that an executor was given."""

    name: str
    """`posix.read`."""
    future: Future[Any]


def job_of(stack: Iterable[tuple[FrameType, int]]) -> Job | None:
    """The one that a worker with this stack, the innermost frame first, is at."""
    executors: Any = sys.modules.get("concurrent.futures.thread")
    if executors is None:
        return None
    for frame, _ in stack:
        item: Any = frame.f_locals.get("self")
        if frame.f_code is executors._WorkItem.run.__code__ and item is not None:
            task = getattr(item, "task", None)  # since 3.14, instead of `fn` and `args`
            function, args = task[:2] if task else (item.fn, item.args)
            return Job(_name(function, args), item.future)
    return None


def tasks_waiting_for(
    future: Future[Any] | asyncio.Future[Any],
) -> Iterator[asyncio.Task[Any]]:
    """Nearest first: also those that wait for others that do (`asyncio.gather`)."""
    seen: list[object] = []
    look_at: list[Any] = [future]
    while look_at and len(seen) < _MOST:
        awaited = look_at.pop(0)
        if any(awaited is each for each in seen):
            continue
        seen.append(awaited)
        for callback in _callbacks(awaited):
            task = task_of(callback)
            if task is not None:
                yield task
                look_at.append(task)
            else:
                look_at += _settled_by(callback)


def _callbacks(future: Any) -> list[Callable[..., Any]]:
    """Of a concurrent future, or of asyncio's."""
    if hasattr(future, "_done_callbacks"):
        return list(future._done_callbacks)
    return [callback for callback, _ in future._callbacks or ()]


def _settled_by(callback: Any) -> list[asyncio.Future[Any]]:
    """Futures that a callback of asyncio's gives a result: it holds them in its closure, as an
    argument, or is a method of a task group."""
    held: list[Any] = []
    for cell in getattr(callback, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # it is empty
            held.append(cell.cell_contents)
    if isinstance(callback, functools.partial):
        held += callback.args
    held.append(getattr(getattr(callback, "__self__", None), "_on_completed_fut", None))
    return [each for each in held if isinstance(each, asyncio.Future)]


def _name(function: Any, args: Any) -> str:
    """Of what runs in the end: `to_thread` gives the executor `partial(context.run, function)`."""
    while True:
        if isinstance(function, functools.partial):
            function, args = function.func, (*function.args, *args)
        elif getattr(function, "__qualname__", "") == "Context.run" and args:
            function, *args = args
        else:
            break
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{module}.{name}" if module else str(name)
