"""Ways to choose which of the tasks that are ready runs next: uniformly, or by priorities."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from random import Random
from types import CodeType
from typing import Any, Final, Protocol

_CHANGE_EXPONENT: Final = 14.0


class DrawnThread(Protocol):
    """A thread of a program."""

    def title(self) -> str:
        """As the program calls it."""

    def frames(self) -> list[tuple[CodeType, int]]:
        """Code and line of those that are users', the outermost first."""


Runs = asyncio.Task[Any] | DrawnThread
"""What is chosen among."""


class Draw(Protocol):
    """A way to choose."""

    def __call__(self, tasks: Sequence[Runs | None], calls: int) -> int:
        """The position of what runs next; None: the one callback that may, of `calls` chains that
        begin with one."""


class UniformDraw:
    """Each task is as likely as the others, and as a chain that a callback is to begin.

    Else who has woken first would mostly be done before the timers of the others are over.
    """

    def __init__(self, stream: Random) -> None:
        self._stream = stream

    def __call__(self, tasks: Sequence[Runs | None], calls: int) -> int:
        if None not in tasks:
            return self._stream.randrange(len(tasks))
        drawn = self._stream.randrange(len(tasks) - 1 + calls)
        return drawn if drawn < len(tasks) else tasks.index(None)


class PriorityDraw:
    """PCT: probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A
    Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010, 2.3).

    Every task has a random priority, and of those that are ready the highest runs. At depth - 1
    points, numbered by the choices of the run, the one that would run falls below all others. A
    bug that needs `depth` ordered pairs is found with a probability that is known. The points are
    uniform in the `length` of the run, as in the paper, or where nobody knows it in its logarithm.
    """

    def __init__(self, stream: Random, depth: int, length: int | None = None) -> None:
        self._stream = stream
        self._priorities: weakref.WeakKeyDictionary[Runs, float] = weakref.WeakKeyDictionary()
        points = [
            int(2 ** stream.uniform(0, _CHANGE_EXPONENT))
            if length is None
            else stream.randint(1, max(length, 1))
            for _ in range(depth - 1)
        ]
        # The paper's point i gives priority i; new tasks are above them all.
        self._falls: dict[int, float] = {point: -1.0 - i for i, point in enumerate(points)}
        self.choices = 0
        """That were made."""

    def __call__(self, tasks: Sequence[Runs | None], calls: int) -> int:
        if None in tasks:
            return tasks.index(None)  # the task that it wakes has a priority, too
        self.choices += 1
        priorities = [self._priority(task) for task in tasks if task is not None]
        highest = priorities.index(max(priorities))
        fall, task = self._falls.get(self.choices), tasks[highest]
        if fall is not None and task is not None:
            priorities[highest] = self._priorities[task] = fall
            highest = priorities.index(max(priorities))
        return highest

    def _priority(self, task: Runs) -> float:
        priority = self._priorities.get(task)
        if priority is None:
            priority = self._priorities[task] = self._stream.random()
        return priority
