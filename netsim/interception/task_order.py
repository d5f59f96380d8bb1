"""Tasks and futures that are numbered by their loop.

asyncio's are hashed by address, so that a set of them iterates in another order in every run, and
named by a count over all loops of the process. Here the hash is the order of creation within the
loop (`sorted(tasks, key=hash)`), and names count from 1 in each loop.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
import zlib
from collections.abc import Callable
from typing import Any, Final

_LOOP_SHIFT: Final = 28
"""Hashes of two loops are apart: a set of the tasks of all would else be full of collisions."""
_ORDER: Final = "_stable_order"
_PlainTask: Final = asyncio.Task


class StableOrder:
    """Counts the tasks and futures of one loop."""

    __slots__ = ("_last_hash", "_last_task", "tasks")

    def __init__(self, loop_name: str) -> None:
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        """Those that live. `asyncio.all_tasks` looks at the tasks of all loops for each of them."""
        self._last_hash = zlib.crc32(loop_name.encode()) << _LOOP_SHIFT
        self._last_task = 0

    def next_hash(self) -> int:
        """Greater than all before."""
        self._last_hash += 1
        return self._last_hash

    def next_name(self) -> str:
        """Of a task that was given none."""
        self._last_task += 1
        return f"Task-{self._last_task}"


class _TaskType(type):
    """Lets StableTask stand in for asyncio.Task: every task is an instance."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if cls is StableTask:
            return isinstance(instance, _PlainTask)
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is StableTask:
            return issubclass(subclass, _PlainTask)
        return super().__subclasscheck__(subclass)


class StableTask(asyncio.Task[Any], metaclass=_TaskType):
    """A task that its loop numbers; on a loop that does not, as any."""

    def __init__(
        self,
        coro: Any,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if loop is None:
            loop = asyncio.get_event_loop()
        order: StableOrder | None = getattr(loop, _ORDER, None)
        if order is None:
            self._hash = object.__hash__(self)
        else:
            self._hash = order.next_hash()
            if name is None:
                name = order.next_name()
        super().__init__(coro, loop=loop, name=name, **kwargs)
        if order is not None and not self.done():
            order.tasks.add(self)

    def __hash__(self) -> int:
        return self._hash

    def set_name(self, value: object, /) -> None:
        """As asyncio; without None, which `create_task` of 3.13.0 sets when it was given none."""
        if value is not None:
            super().set_name(value)


class StableFuture(asyncio.Future[Any]):
    """A future that its loop numbers."""

    def __init__(self, order: StableOrder, loop: asyncio.AbstractEventLoop) -> None:
        self._hash = order.next_hash()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


def install_stable_order(loop: asyncio.BaseEventLoop) -> StableOrder:
    """Have a loop number what it creates; also when a program asks it for eager tasks (3.12).

    Loops that have a `name` differ in it.
    """
    order = StableOrder(getattr(loop, "name", ""))
    own: Any = loop
    setattr(own, _ORDER, order)
    set_task_factory = loop.set_task_factory

    def set_stable_task_factory(factory: Callable[..., Any] | None) -> None:
        if factory is None:
            factory = _new_task
        elif sys.version_info >= (3, 12) and factory is asyncio.eager_task_factory:
            factory = _EAGER_FACTORY
        set_task_factory(factory)

    own.create_future = lambda: StableFuture(order, loop)
    own.set_task_factory = set_stable_task_factory
    set_stable_task_factory(None)
    return order


def _new_task(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> StableTask:
    return StableTask(coro, loop=loop, **kwargs)


if sys.version_info >= (3, 12):
    _EAGER_FACTORY: Final = asyncio.create_eager_task_factory(StableTask)


class StableTaskClass:
    """Lets StableTask stand in for `asyncio.Task`, for libraries that make their tasks directly."""

    def install(self) -> None:
        """From now on `asyncio.Task(…)` is numbered."""
        _set_task_class(StableTask)

    def uninstall(self) -> None:
        """Put back what was."""
        _set_task_class(_PlainTask)


def _set_task_class(task_class: type) -> None:
    for module in (asyncio, asyncio.tasks):
        vars(module)["Task"] = task_class
