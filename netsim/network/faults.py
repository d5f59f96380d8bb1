"""Faults of links: changes that last, or that are undone where a block of code ends.

await net.link("r1", "r2").down()
async with net.link("r1", "r2").set(delay="80ms"), net.link("r1", "r2").down():
    ...
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator, Iterable
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Protocol

from netsim.core.errors import NotAwaitedError
from netsim.core.link_attributes import LinkAttributes, LinkCondition
from netsim.core.time import SECOND
from netsim.topology.plan import NetworkPlan

Edit = tuple[int, str, dict[str, Any]]
"""The index of a link, the node that sends in one of its directions, and what changes there:
fields of `LinkCondition` (`up`, `held`) and of `LinkAttributes` by name."""

_ATTRIBUTES: Final = {field.name for field in fields(LinkAttributes)}
_UNUSED: Final = 100
"""Operations in vain that are kept, to be told of."""
_IN_VAIN: Final = "a fault was neither awaited nor entered, so nothing has changed"
_WHAT_TO_WRITE: Final = "write `await network.link(…).down()`, or `async with`"
_OURS: Final = str(Path(__file__).parents[1])


class LinkOperations(Protocol):
    """What faults need of a network."""

    plan: NetworkPlan
    unused: UnusedOperations
    speed: float

    @property
    def is_running(self) -> bool:
        """Whether links can be changed: not once the network stops."""

    def condition(self, link: int, node: str) -> LinkCondition:
        """What the direction of a link that leaves `node` is to be like."""

    def planned_condition(self, link: int, node: str) -> LinkCondition:
        """What it is like in the topology."""

    async def set_conditions(self, changes: list[tuple[int, str, LinkCondition]]) -> None:
        """Put directions into new conditions, all at once; `condition` tells of them at once."""


class Operation(Coroutine[Any, Any, None], ABC):
    """A change that has not been made yet. Awaited, or given to a task, it is made.

    One that never is does nothing. A RuntimeWarning says so, and when its network has stopped
    NotAwaitedError, with the place where it was made: the test fails.
    """

    def __init__(self, unused: UnusedOperations) -> None:
        self.unused = unused
        self._number = unused.add()
        self._running: Coroutine[Any, Any, None] | None = None

    def discard(self) -> None:
        """Do nothing, on purpose."""
        self.unused.discard(self._number)

    def __del__(self) -> None:
        if self.unused.has(self._number):
            # Not every network is entered, and its end may be far.
            warnings.warn(f"{_IN_VAIN}; {_WHAT_TO_WRITE}", RuntimeWarning, stacklevel=2)

    def __await__(self) -> Generator[Any, None, None]:
        self.discard()
        return self._make().__await__()

    @abstractmethod
    async def _make(self) -> None:
        """Change it for good."""

    # What a task does with a coroutine.

    def send(self, value: None, /) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        return self._begun().throw(*error)

    def close(self) -> None:
        if self._running is not None:
            self._running.close()

    def _begun(self) -> Coroutine[Any, Any, None]:
        if self._running is None:
            self.discard()
            self._running = self._make()
        return self._running


class Fault(Operation):
    """A change that may also hold for a block of code only.

    Awaited, it is made and lasts. As an asynchronous context manager it is made at the start of
    the block, and exactly what it changed is undone at the end: what others have changed since,
    stays.
    """

    async def __aenter__(self) -> None:
        self.discard()
        await self._enter()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave()

    async def _enter(self) -> None:
        """Change it for a while; what was half made is undone."""
        try:
            await self._make()
        except BaseException:
            await self._leave()
            raise

    @abstractmethod
    async def _leave(self) -> None:
        """Undo what `_enter` did."""


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
            mistakes.append(f"{_IN_VAIN}: {', '.join(faults)}; {_WHAT_TO_WRITE}")
        if mistakes:
            raise NotAwaitedError("\n".join(mistakes))


class LinkFaults:
    """Who has changed what of the links of one network, so that it can be undone in any order.

    Every field of a direction has the changes that are in force in the order in which they were
    made: the last one holds. A change for good makes those before it irrelevant.
    """

    def __init__(self, network: LinkOperations) -> None:
        self.network = network
        self._changes: dict[tuple[int, str, str], list[tuple[Fault | None, Any]]] = {}

    async def change(self, edits: Iterable[Edit], fault: Fault | None = None) -> None:
        """Change fields for good, or until `undo(fault)`."""
        changed: dict[tuple[int, str], dict[str, Any]] = {}
        for link, node, values in edits:
            for name, value in values.items():
                key = (link, node, name)
                if fault is None:
                    self._changes.pop(key, None)
                else:
                    below = (None, _value(self.network.condition(link, node), name))
                    self._changes.setdefault(key, [below]).append((fault, value))
            changed.setdefault((link, node), {}).update(values)
        await self._apply(changed)

    async def undo(self, fault: Fault) -> None:
        """Take back what it changed, as far as it still holds."""
        changed: dict[tuple[int, str], dict[str, Any]] = {}
        for key, changes in list(self._changes.items()):
            kept = [change for change in changes if change[0] is not fault]
            if len(kept) == len(changes):
                continue
            link, node, name = key
            if kept[-1] is not changes[-1]:
                changed.setdefault((link, node), {})[name] = kept[-1][1]
            if len(kept) > 1:
                self._changes[key] = kept
            else:
                del self._changes[key]
        if self.network.is_running:
            await self._apply(changed)

    async def _apply(self, changed: dict[tuple[int, str], dict[str, Any]]) -> None:
        changes = []
        for (link, node), values in changed.items():
            before = self.network.condition(link, node)
            after = _changed(before, values)
            if after != before:
                changes.append((link, node, after))
        if changes:
            await self.network.set_conditions(changes)


class Change(Fault):
    """One set of edits, made at one time; `edits` is asked for them when it is made."""

    def __init__(self, faults: LinkFaults, edits: Callable[[], Iterable[Edit]]) -> None:
        super().__init__(faults.network.unused)
        self._faults = faults
        self._edits = edits

    async def _make(self) -> None:
        await self._faults.change(self._edits())

    async def _enter(self) -> None:
        edits = list(self._edits())
        try:
            await self._faults.change(edits, self)
        except BaseException:
            # There is no block that would be left.
            await self._faults.undo(self)
            raise

    async def _leave(self) -> None:
        await self._faults.undo(self)


class Flap(Fault):
    """Another fault that comes and goes: made for half a period, undone for the other half."""

    def __init__(self, fault: Change, period_ns: int, times: int, speed: float) -> None:
        super().__init__(fault.unused)
        self._fault = fault
        fault.discard()  # it is used in parts, below
        self._half = period_ns / 2 / SECOND / speed
        self._times = times
        self._flapping: asyncio.Task[None] | None = None

    async def _make(self) -> None:
        for _ in range(self._times):
            async with self._fault:
                await asyncio.sleep(self._half)
            await asyncio.sleep(self._half)

    async def _enter(self) -> None:
        """In the block it flaps beside what happens there."""
        self._flapping = asyncio.create_task(self._make())

    async def _leave(self) -> None:
        running, self._flapping = self._flapping, None
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def _line_outside() -> str:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _value(condition: LinkCondition, name: str) -> Any:
    return getattr(condition.attributes if name in _ATTRIBUTES else condition, name)


def _changed(condition: LinkCondition, values: dict[str, Any]) -> LinkCondition:
    attributes = {name: value for name, value in values.items() if name in _ATTRIBUTES}
    rest = {name: value for name, value in values.items() if name not in _ATTRIBUTES}
    return replace(condition, attributes=replace(condition.attributes, **attributes), **rest)


def all_values(condition: LinkCondition) -> dict[str, Any]:
    """Every field of a condition, as in an `Edit`."""
    names = (*_ATTRIBUTES, "up", "held")
    return {name: _value(condition, name) for name in sorted(names)}
