"""Calls that are told of when nobody awaits them: `network["alice"].run(…)` without `await`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar, cast

from netsim.network.faults import UnusedOperations

Result = TypeVar("Result")
Method = TypeVar("Method", bound=Callable[..., Coroutine[Any, Any, Any]])


class HasCalls(Protocol):
    """Who is asked."""

    name: str

    _unused: UnusedOperations
    """Where calls are noted until they are awaited."""


class AwaitedCall(Coroutine[Any, Any, Result], Generic[Result]):
    """A coroutine that begins when it is awaited, or given to a task; else a test fails."""

    def __init__(
        self, unused: UnusedOperations, what: str, begin: Callable[[], Coroutine[Any, Any, Result]]
    ) -> None:
        self._unused = unused
        self._what = what
        self._begin = begin
        self._number = unused.add(what)
        self._running: Coroutine[Any, Any, Result] | None = None

    def __del__(self) -> None:
        if self._unused.has(self._number):
            warnings.warn(
                f"`{self._what}` was not awaited; write `await {self._what}`",
                RuntimeWarning,
                stacklevel=2,
            )

    def __await__(self) -> Generator[Any, Any, Result]:
        return self._begun().__await__()

    def send(self, value: Any, /) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        return self._begun().throw(*error)

    def close(self) -> None:
        if self._running is not None:
            self._running.close()

    def _begun(self) -> Coroutine[Any, Any, Result]:
        if self._running is None:
            self._unused.discard(self._number)
            self._running = self._begin()
        return self._running


def awaited(method: Method) -> Method:
    """Have a coroutine method of a node told of where nobody awaits it."""

    @functools.wraps(method)
    def call(self: HasCalls, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        what = f'network["{self.name}"].{method.__name__}(…)'
        return AwaitedCall(self._unused, what, lambda: method(self, *args, **kwargs))

    return cast(Method, call)
