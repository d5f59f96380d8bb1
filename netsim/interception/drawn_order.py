"""The order in which tasks and threads run that are ready at one instant, drawn from the seed.

In virtual time what happens at one instant is handled in one order, always the same. In the field
microseconds decide. So a mistake that needs another order is never seen. Here what runs next is
chosen.

What becomes ready belongs to a *chain*: a timer that is over begins one, so do packets that arrive,
and whatever a step makes ready belongs to the chain of that step. Between chains there is a choice,
as between events that have nothing to do with each other. Within a chain there is one only among
steps of tasks and threads, with no callback between them: callbacks keep their place, and none runs
before one that an earlier chain has ready (docs/scenarios.md, "The order of tasks").

Without a swap the chain that runs goes on until nothing of it is ready, then the oldest does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import CodeType
from typing import Any, Final, NamedTuple

from netsim.core.order_words import FIFO, RANDOM, pct_depth
from netsim.interception.order_draws import (
    Draw,
    DrawnThread,
    PriorityDraw,
    Runs,
    UniformDraw,
)
from netsim.interception.task_stacks import awaiting_frames, task_of

_MOST: Final = 100
"""That one is chosen among; what stands behind them comes up as these have run."""
_PATIENCE: Final = 100
"""How often what is ready for longest is passed over: who waits for another task with `sleep(0)`
in a circle does not wait for ever."""
_LIBRARY: Final = (str(Path(asyncio.__file__).parent), str(Path(__file__).parents[1]))
_NAMED: Final = 3
"""Tasks that are shown of those that were passed over."""
_MOST_KEPT: Final = 20_000
_LAST_SHOWN: Final = 100


class Choice(NamedTuple):
    """A moment at which several tasks of a computer were ready."""

    computer: str
    time_ns: int
    number: int
    """Of the choices of this computer at this time, from 0."""


class Waiting(NamedTuple):
    """A task that was ready, and where it stood."""

    name: str
    frames: tuple[tuple[CodeType, int], ...]

    def __str__(self) -> str:
        stack = self.stack()
        return f"{self.name} ({' > '.join(stack)})" if stack else self.name

    def stack(self) -> list[str]:
        """Lines of programs, outermost first: `shop.py:17 in buy`."""
        lines = [
            f"{Path(code.co_filename).name}:{line} in {code.co_qualname}"
            for code, line in self.frames
            if not code.co_filename.startswith(_LIBRARY)
        ]
        return lines or [f"in {code.co_qualname}" for code, _ in self.frames[-1:]]


class Swap(NamedTuple):
    """A task that ran before others that had been ready for longer."""

    choice: Choice
    position: int
    """Its place in the queue; it passed over as many."""
    ran: Waiting
    before: tuple[Waiting, ...]
    """The first of those."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "time_ns": self.choice.time_ns,
            "node": self.choice.computer,
            "ran": {"task": self.ran.name, "stack": self.ran.stack()},
            "before": [{"task": each.name, "stack": each.stack()} for each in self.before],
            "passed": self.position,
        }


Script = Mapping[Choice, int]
"""Positions to be chosen; the first everywhere else."""


class Choices:
    """What was chosen on all computers of one virtual time, or is to be."""

    def __init__(self) -> None:
        self.script: Script | None = None
        """Where it is given, nothing is drawn."""
        self.swaps: list[tuple[Choice, int]] = []
        """Choices other than asyncio's, the first of them, in their order."""
        self.last: deque[Swap] = deque(maxlen=_LAST_SHOWN)
        """The last of them, with the tasks."""
        self.open: list[tuple[Choice, int]] = []
        """With a script: the choices it says nothing about, and between how many tasks."""
        self.on_swap: Callable[[Swap], None] = lambda swap: None
        self.count = 0
        """All swaps."""
        self.is_drawn = False
        """Some computer has another order than asyncio's."""
        self.lengths: Mapping[str, int] = {}
        """How many choices a run has on a computer, where another run has shown it; for PCT."""
        self._priorities: list[tuple[str, PriorityDraw]] = []

    @property
    def made(self) -> dict[str, int]:
        """How many choices PCT has made, on each computer that drew by it, in its longest life."""
        made: dict[str, int] = {}
        for computer, draw in self._priorities:
            made[computer] = max(draw.choices, made.get(computer, 0))
        return made

    def order_of(self, computer: str, order: str, stream: Random) -> DrawnOrder | None:
        """What chooses on a computer; None: nothing does, it is asyncio's order."""
        if self.script is not None:
            return DrawnOrder(computer, self, None)
        if order == FIFO:
            return None
        depth = pct_depth(order)
        assert depth is not None or order == RANDOM, order
        self.is_drawn = True
        if depth is None:
            return DrawnOrder(computer, self, UniformDraw(stream))
        priorities = PriorityDraw(stream, depth, self.lengths.get(computer))
        self._priorities.append((computer, priorities))
        return DrawnOrder(computer, self, priorities)

    def note(self, choice: Choice, position: int, ready: Sequence[Ready]) -> None:
        """Something was chosen that was not the first."""
        self.count += 1
        if len(self.swaps) < _MOST_KEPT:
            self.swaps.append((choice, position))
        before = ready[: min(position, _NAMED)]
        swap = Swap(choice, position, _waiting(ready[position]), tuple(map(_waiting, before)))
        self.last.append(swap)
        self.on_swap(swap)

    def note_open(self, choice: Choice, ready: int) -> None:
        """The script has said nothing."""
        if len(self.open) < _MOST_KEPT:
            self.open.append((choice, ready))


class Ready(NamedTuple):
    """A handle that is ready."""

    number: int
    """In the order in which they became so."""
    handle: asyncio.Handle
    task: Runs | None
    """The one that it goes on with, or the thread."""


class DrawnOrder:
    """What is ready on one computer's loop, in place of its queue. Without a draw it follows the
    script."""

    def __init__(self, computer: str, choices: Choices, draw: Draw | None) -> None:
        self._computer = computer
        self._choices = choices
        self._draw = draw
        self._chains: list[deque[Ready]] = []
        """Oldest first; those where nothing is ready are left out when something is taken."""
        self._current: deque[Ready] | None = None
        """What becomes ready now belongs to it; None: to a new one."""
        self._running: deque[Ready] | None = None
        """The chain that was chosen last."""
        self._length = 0
        self._count = 0
        self._now = -1
        self._number = 0
        self._oldest = -1
        self._passed = 0

    def __len__(self) -> int:
        return self._length

    def clear(self) -> None:
        """Nothing is ready."""
        self._chains.clear()
        self._current = None
        self._length = 0

    def begin_chain(self) -> None:
        """What becomes ready from now on comes from elsewhere."""
        self._current = None

    def append(self, handle: asyncio.Handle, thread: DrawnThread | None = None) -> None:
        """A handle has become ready; `thread`, with which it goes on, where it is no task's."""
        chain = self._current
        if chain is None:
            chain = self._current = deque()
            self._chains.append(chain)
        elif not chain and not any(each is chain for each in self._chains):
            self._chains.append(chain)
        self._count += 1
        self._length += 1
        runs = thread or task_of(handle._callback)  # type: ignore[attr-defined]  # of every handle
        chain.append(Ready(self._count, handle, runs))

    def take(self, now: int) -> asyncio.Handle:
        """Remove what runs next; `now` is network time in ns."""
        self._chains = [chain for chain in self._chains if chain]
        return self._take(now, self._candidates())

    def take_thread(self, now: int) -> asyncio.Handle | None:
        """The same of threads only, where there is one: the loop itself waits for one of them."""
        self._chains = [chain for chain in self._chains if chain]
        threads = self._threads()
        return self._take(now, threads) if threads else None

    def _take(self, now: int, candidates: list[tuple[deque[Ready], int]]) -> asyncio.Handle:
        position = 0
        if len(candidates) > 1:
            position = self._choose(now, [chain[index] for chain, index in candidates])
        chain, index = candidates[position]
        taken = chain[index]
        del chain[index]
        self._current = self._running = chain
        self._length -= 1
        return taken.handle

    def _threads(self) -> list[tuple[deque[Ready], int]]:
        """Those that are ready."""
        return [
            (chain, index)
            for chain in self._chains
            for index, ready in enumerate(chain)
            if ready.task is not None and not isinstance(ready.task, asyncio.Task)
        ][:_MOST]

    def _candidates(self) -> list[tuple[deque[Ready], int]]:
        """What may run next: where it stands. First what does so without a swap."""
        found: list[tuple[deque[Ready], int]] = []
        may_call = True
        for chain in self._chains:
            has_callback = False
            own: list[tuple[deque[Ready], int]] = []
            for index, ready in enumerate(chain):
                if ready.task is None:
                    has_callback = True
                    if may_call and not index:
                        own.append((chain, index))
                    break
                if len(own) == _MOST:
                    break
                own.append((chain, index))
            if chain is self._running:
                found[:0] = own
            else:
                found += own
            may_call = may_call and not has_callback
        return found[:_MOST]

    def _choose(self, now: int, ready: list[Ready]) -> int:
        chains = self._chains
        oldest = min(chain[0].number for chain in chains)
        if oldest != self._oldest:
            self._oldest, self._passed = oldest, 0
        self._passed += 1
        if self._passed > _PATIENCE:
            return next((at for at, each in enumerate(ready) if each.number == oldest), 0)
        if now != self._now:
            self._now, self._number = now, 0
        choice = Choice(self._computer, now, self._number)
        self._number += 1
        if self._draw is not None:
            calls = sum(chain[0].task is None for chain in chains)
            position = self._draw([each.task for each in ready], calls)
        else:
            scripted = (self._choices.script or {}).get(choice)
            if scripted is None:
                self._choices.note_open(choice, len(ready))
                return 0
            self._choices.open.clear()
            position = min(scripted, len(ready) - 1)
        if position:
            self._choices.note(choice, position, ready)
        return position


def _led_to(ready: Ready) -> Runs | None:
    """The task that a handle goes on with, or that waits for the future which it is about."""
    if ready.task is not None:
        return ready.task
    args = ready.handle._args or ()
    future = args[0] if args else None
    if isinstance(future, asyncio.Future):
        for callback, _ in future._callbacks or ():
            task = task_of(callback)
            if task is not None:
                return task
    return None


def _waiting(ready: Ready) -> Waiting:
    task = _led_to(ready)
    if task is None:
        callback = ready.handle._callback  # type: ignore[attr-defined]
        return Waiting(getattr(callback, "__qualname__", "a callback"), ())
    if not isinstance(task, asyncio.Task):
        return Waiting(task.title(), tuple(task.frames()))
    return Waiting(task.get_name(), tuple(awaiting_frames(task)))
