"""Faults of links: changes that last, or that are undone where a block of code ends.

await net.link("r1", "r2").down()
async with net.link("r1", "r2").set(delay="80ms"), net.link("r1", "r2").down():
    ...
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable
from dataclasses import fields, replace
from types import TracebackType
from typing import Any, Final, Protocol

from netsim.core.link_attributes import LinkAttributes, LinkCondition
from netsim.core.time import SECOND
from netsim.network.deferred import FAULT_IN_VAIN, WHAT_TO_WRITE, Deferred, UnusedOperations
from netsim.topology.plan import NetworkPlan

Edit = tuple[int, str, dict[str, Any]]
"""The index of a link, the node that sends in one of its directions, and what changes there:
fields of `LinkCondition` (`up`, `held`) and of `LinkAttributes` by name."""

_ATTRIBUTES: Final = {field.name for field in fields(LinkAttributes)}


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


class Operation(Deferred[None]):
    """A change that has not been made yet, and is made when it is awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        # A fault may be made more than once.
        self.discard()
        return self._make().__await__()

    @property
    def _in_vain(self) -> str:
        return f"{FAULT_IN_VAIN}; {WHAT_TO_WRITE}"


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
