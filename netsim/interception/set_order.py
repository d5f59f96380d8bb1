"""Sets of the standard library's own that iterate in the order in which they were filled.

A set of plain objects iterates in the order of their addresses, and these depend on everything that
was allocated before. A built-in set cannot be exchanged; but `WeakSet` and `as_completed` are
written in Python, and look up the name `set` when they make one.
"""

from __future__ import annotations

import _weakrefset
import asyncio.tasks
from collections.abc import Iterable, Iterator, MutableSet
from typing import Any, Final


class FilledOrder(MutableSet[Any]):
    """A set in the order in which it was filled, with what a `WeakSet` calls of one."""

    __slots__ = ("_members",)

    def __init__(self, members: Iterable[Any] = ()) -> None:
        self._members: dict[Any, None] = dict.fromkeys(members)

    def __contains__(self, member: Any) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(set(self._members))

    def add(self, value: Any) -> None:
        self._members[value] = None

    def discard(self, value: Any) -> None:
        self._members.pop(value, None)

    def clear(self) -> None:
        self._members.clear()

    def copy(self) -> FilledOrder:
        return FilledOrder(self._members)

    def difference_update(self, others: Iterable[Any]) -> None:
        for member in others:
            self.discard(member)

    def intersection_update(self, others: Iterable[Any]) -> None:
        kept = set(others)
        self._members = {member: None for member in self._members if member in kept}

    def symmetric_difference_update(self, others: Iterable[Any]) -> None:
        self ^= FilledOrder(others)

    def issubset(self, others: Iterable[Any]) -> bool:
        return self <= set(others)

    def issuperset(self, others: Iterable[Any]) -> bool:
        return self >= set(others)


def _set_of_tasks(awaitables: Iterable[Any] = ()) -> Any:
    """A dict for `as_completed` and `wait`, which only look through it; they fill real sets."""
    return dict.fromkeys(awaitables) or set()


_MAKERS: Final = ((_weakrefset, FilledOrder), (asyncio.tasks, _set_of_tasks))


class SetOrder:
    """`set`, as the modules that make sets of other people's objects find it."""

    def install(self) -> None:
        """From now on a WeakSet that is made is in order, and so is `as_completed`."""
        for module, maker in _MAKERS:
            vars(module)["set"] = maker

    def uninstall(self) -> None:
        """Put back what was."""
        for module, _ in _MAKERS:
            vars(module).pop("set", None)
