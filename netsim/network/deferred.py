"""What begins when it is awaited, and what is told of it where nobody does."""

from __future__ import annotations

import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, Final, Generic, TypeVar

from netsim.core.errors import NotAwaitedError

Result = TypeVar("Result")

FAULT_IN_VAIN: Final = "a fault was neither awaited nor entered, so nothing has changed"
WHAT_TO_WRITE: Final = "write `await network.link(…).down()`, or `async with`"
_UNUSED: Final = 100
"""Of those in vain, how many are kept to be told of."""
_OURS: Final = str(Path(__file__).parents[1])


class Deferred(Coroutine[Any, Any, Result], ABC, Generic[Result]):
    """A coroutine that has not begun yet. Awaited, or given to a task, it does.

    One that never is does nothing. A RuntimeWarning says so, and when its network has stopped
    NotAwaitedError, with the place where it was made: the test fails.
    """

    def __init__(self, unused: UnusedOperations, call: str = "") -> None:
        self.unused = unused
        self._number = unused.add(call)
        self._running: Coroutine[Any, Any, Result] | None = None

    @abstractmethod
    def _make(self) -> Coroutine[Any, Any, Result]:
        """What it does."""

    @property
    @abstractmethod
    def _in_vain(self) -> str:
        """What to say, and what to write, when nobody awaits it."""

    def discard(self) -> None:
        """It is used now, or does nothing on purpose."""
        self.unused.discard(self._number)

    def __del__(self) -> None:
        if self.unused.has(self._number):
            # Not every network is entered, and its end may be far.
            warnings.warn(self._in_vain, RuntimeWarning, stacklevel=2)

    def __await__(self) -> Generator[Any, Any, Result]:
        return self._begun().__await__()

    # What a task does with a coroutine.

    def send(self, value: None, /) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        return self._begun().throw(*error)

    def close(self) -> None:
        if self._running is not None:
            self._running.close()

    def _begun(self) -> Coroutine[Any, Any, Result]:
        if self._running is None:
            self.discard()
            self._running = self._make()
        return self._running


class UnusedOperations:
    """Where operations and calls of one network were made that are not awaited or entered yet."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[str, str]] = {}
        """Where each was made, and what it is: empty for a fault."""
        self._numbers = count()

    def add(self, call: str = "") -> int:
        """One is made, by the nearest caller outside netsim; its number."""
        number = next(self._numbers)
        if len(self._places) < _UNUSED:
            self._places[number] = _line_outside(), call
        return number

    def discard(self, number: int) -> None:
        """It is used now."""
        self._places.pop(number, None)

    def has(self, number: int) -> bool:
        """Whether it is not used yet."""
        return number in self._places

    def check(self) -> None:
        """NotAwaitedError unless all were used. It tells once."""
        places = dict.fromkeys(self._places.values())
        self._places.clear()
        mistakes = [
            f"{place}: `{call}` was not awaited, so it has not begun; write `await {call}`"
            for place, call in places
            if call
        ]
        faults = [place for place, call in places if not call]
        if faults:
            mistakes.append(f"{FAULT_IN_VAIN}: {', '.join(faults)}; {WHAT_TO_WRITE}")
        if mistakes:
            raise NotAwaitedError("\n".join(mistakes))


def _line_outside() -> str:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
