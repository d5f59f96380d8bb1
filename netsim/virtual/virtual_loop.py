"""What the event loops of virtual time have in common: no selector, and a timeline runs them."""

from __future__ import annotations

import asyncio
import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any, Final

from netsim.core.time import SECOND
from netsim.interception.environment import MONOTONIC_BASE_NS
from netsim.interception.program_threads import Waiter
from netsim.interception.task_order import StableTask, install_stable_order
from netsim.site.driver import Action
from netsim.virtual.refusals import Refusals
from netsim.virtual.strand import LoopsThread, Strands
from netsim.virtual.timeline import Timeline, Timer

_FOREVER: Final = 1e10
"""Seconds; timers beyond never come."""


class VirtualLoop(Refusals, ABC):
    """What the loops of a timeline have in common."""

    _ready: deque[asyncio.Handle]
    """asyncio's own queue of what is to be called in the next step."""

    def __init__(self, timeline: Timeline, name: str) -> None:
        self.name = name
        self.timeline = timeline
        self.is_over = False
        """It is run no more."""
        self.is_paused = False
        """It is not run until somebody says so."""
        self.timers = 0
        """How many of its timers will call something."""
        self._is_woken = False
        self._thread = threading.get_ident()
        super().__init__()
        self.strands = Strands(self, self._thread, self._waiter())
        self._order = install_stable_order(self)
        timeline.join(self)

    # Time

    def time(self) -> float:
        """Seconds, as `time.monotonic` on a computer."""
        return (self.timeline.now + MONOTONIC_BASE_NS) / SECOND

    def network_now(self) -> int:
        """Network time in ns."""
        return self.timeline.now

    # Calls

    def call_soon(  # type: ignore[override]  # typeshed ties args to callback
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._refuse_when_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        self.wake()
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio; a thread of the process that calls is found out, as runs will differ."""
        if (
            threading.get_ident() not in (self._thread, self.timeline.interception.running_thread)
            and not self.is_over
        ):
            self.timeline.findings.note(
                "thread", self.name, f"{threading.current_thread().name} called into the loop"
            )
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio; of timers with equal times the first one set is the first one called."""
        self._refuse_when_closed()
        timer = Timer(when, callback, args, self, context)
        if not math.isnan(when) and when < _FOREVER and not self.is_over:
            timer.is_planned = True
            self.timers += 1
            self.schedule(max(_nanoseconds(when), self.timeline.now), self._timer_due, timer)
        return timer

    def wake(self) -> None:
        """There is something to run now."""
        if not self._is_woken and not self.is_over and not self.is_paused:
            self._is_woken = True
            self.timeline.wake(self)

    @abstractmethod
    def step(self) -> None:
        """Run what is ready, and what that has made ready not before the next step."""

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, **kwargs)
        if type(task) is not StableTask and not task.done():  # a program has its own factory
            self._order.tasks.add(task)
        return task

    def unfinished_tasks(self) -> list[asyncio.Task[Any]]:
        """In the order in which they were made."""
        return sorted((task for task in self._order.tasks if not task.done()), key=hash)

    def _refuse_when_closed(self) -> None:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")

    def _run_ready(self) -> None:
        ready = self._ready
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()
            # As asyncio: an exception refers to this frame, and would so to its own task.
            del handle

    # Threads

    def plan_waking(self, due: int, waiter: Waiter) -> Timer:
        """Have a thread woken at `due`, unless what is returned is cancelled before."""
        timer = Timer(due / SECOND, waiter.wake, (), self)
        timer.is_planned = True
        self.timers += 1
        self.schedule(due, self._waking_due, timer)
        return timer

    def _waking_due(self, now: int, timer: Timer, _: bytes) -> None:
        timer.is_planned = False
        if timer.cancelled():
            self.timeline.timer_over()
        else:
            self.timers -= 1
            wake: Any = timer._callback  # type: ignore[attr-defined]  # of every handle
            wake()

    def waiting_threads(self) -> Iterator[tuple[str, str]]:
        """What threads of its programs are called, and where they stand."""
        for strand in self.strands.alive:
            yield strand.title(), strand.line()

    @abstractmethod
    def enter(self) -> None:
        """Code of a thread of its programs runs from now on."""

    @abstractmethod
    def leave(self) -> None:
        """And no longer; what it has sent leaves."""

    @abstractmethod
    def schedule(self, due: int, action: Action, timer: Timer) -> None:
        """Have `action` called with the timer at `due`, ns of network time."""

    def _timer_due(self, now: int, timer: Timer, _: bytes) -> None:
        timer.is_planned = False
        if timer.cancelled():
            self.timeline.timer_over()
        else:
            self.timers -= 1
            self._ready.append(timer)
            self.wake()

    def _waiter(self) -> LoopsThread | None:
        """Who waits where a program on the loop would block; None: it blocks."""
        return None

    # What asyncio's base loop expects of those with a selector

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, Timer) and handle.is_planned and not self.is_over:
            self.timers -= 1
            self.timeline.timer_cancelled()

    def _process_events(self, event_list: list[Any]) -> None:
        """There is no selector, and so there are no events."""

    def _write_to_self(self) -> None:
        """Nothing sleeps in a selector that would have to be woken."""


def _nanoseconds(when: float) -> int:
    """Of network time, the first at which a loop's clock says `when` or more."""
    due = round(when * SECOND)
    if due / SECOND < when:
        due += 1
    return due - MONOTONIC_BASE_NS
