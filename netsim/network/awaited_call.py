"""Calls that are told of when nobody awaits them: `network.repair()` without `await`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast

from netsim.network.deferred import Deferred, Result, UnusedOperations

Method = TypeVar("Method", bound=Callable[..., Coroutine[Any, Any, Any]])


class HasCalls(Protocol):
    """Who is asked."""

    unused: UnusedOperations
    """Where calls are noted until they are awaited."""
    _spoken_name: str
    """As a caller writes it: `network["alice"]`."""


class AwaitedCall(Deferred[Result]):
    """A call of a coroutine method."""

    def __init__(
        self, unused: UnusedOperations, what: str, begin: Callable[[], Coroutine[Any, Any, Result]]
    ) -> None:
        super().__init__(unused, what)
        self._what = what
        self._begin = begin

    def _make(self) -> Coroutine[Any, Any, Result]:
        return self._begin()

    @property
    def _in_vain(self) -> str:
        return f"`{self._what}` was not awaited; write `await {self._what}`"


def awaited(method: Method) -> Method:
    """Have a coroutine method of a network or a node told of where nobody awaits it."""

    @functools.wraps(method)
    def call(self: HasCalls, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        arguments = "…" if args or kwargs else ""
        what = f"{self._spoken_name}.{method.__name__}({arguments})"
        return AwaitedCall(self.unused, what, lambda: method(self, *args, **kwargs))

    return cast(Method, call)
