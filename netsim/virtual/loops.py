"""Event loops without a selector, run by a timeline: one for each computer, and the director's.

The director is the loop of whoever directs the play: a test, or what `netsim.run` was given. It is
on no computer, and reaches no network.
"""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, NoReturn, TypeVar

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import DeadlockError, OutsideError
from netsim.core.time import SECOND
from netsim.interception.drawn_order import DrawnOrder
from netsim.interception.environment import MONOTONIC_BASE_NS, Environment
from netsim.interception.task_order import StableTask, install_stable_order
from netsim.interception.unrepeatable import TLS
from netsim.node.host_node import HostNode
from netsim.site.driver import Driver
from netsim.site.paths import PathFinder
from netsim.virtual.timeline import Timeline, Timer

Result = TypeVar("Result")

_directors: Final[weakref.WeakSet[DirectorLoop]] = weakref.WeakSet()
"""Those of this process: their networks do not meet."""
_FOREVER: Final = 1e10
"""Seconds; timers beyond never come."""


class VirtualLoop(asyncio.BaseEventLoop, ABC):
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
        """As asyncio; who calls from another thread is found out, as runs will differ."""
        if threading.get_ident() != self._thread:
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
        if not math.isnan(when) and when < _FOREVER:
            timer.is_planned = True
            self.timers += 1
            self._schedule(max(_nanoseconds(when), self.timeline.now), timer)
        return timer

    def run_in_executor(  # type: ignore[override]  # the overloads of typeshed
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As asyncio, but in this thread; what `func` sleeps is how long it takes."""
        future: asyncio.Future[Any] = self.create_future()
        self.call_soon(self._execute, future, func, args)
        return future

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

    def _execute(
        self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        if future.cancelled():
            return
        result, error, slept_ns = self.timeline.interception.run_blocking(func, args)

        def done() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        if slept_ns:
            self.call_later(slept_ns / SECOND, done)
        else:
            done()

    @abstractmethod
    def _schedule(self, due: int, timer: Timer) -> None:
        """Have the timer called at `due`, ns of network time."""

    def _timer_due(self, now: int, timer: Timer, _: bytes) -> None:
        timer.is_planned = False
        if timer.cancelled():
            self.timeline.timer_over()
        else:
            self.timers -= 1
            self._ready.append(timer)
            self.wake()

    # What asyncio's base loop expects of those with a selector

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, Timer) and handle.is_planned and not self.is_over:
            self.timers -= 1
            self.timeline.timer_cancelled()

    def _process_events(self, event_list: list[Any]) -> None:
        """There is no selector, and so there are no events."""

    def _write_to_self(self) -> None:
        """Nothing sleeps in a selector that would have to be woken."""


class ComputerLoop(HostLoopMixin, VirtualLoop):
    """The loop of a computer or router: programs on it have the node's network."""

    def __init__(
        self,
        timeline: Timeline,
        node: HostNode,
        driver: Driver,
        environment: Environment,
        paths: PathFinder,
    ) -> None:
        self.environment = environment
        self._node = node
        self._driver = driver
        VirtualLoop.__init__(self, timeline, node.name)
        self.attach_host(node.host, paths.hosts_table_of(node.name), path_finder=paths.path)
        driver.news = node.host.ready
        driver.on_news = self.wake
        self.on_exit: Callable[[SystemExit], None] = lambda error: None
        """A program has ended the node."""
        base: Any = self
        self._hooks = base._asyncgen_firstiter_hook, base._asyncgen_finalizer_hook

    def network_now(self) -> int:
        """Network time in ns."""
        return self.timeline.now

    def tls_begins(self) -> None:
        """TLS is found out."""
        self.timeline.findings.note("tls", self.name, TLS)

    def step(self) -> None:
        """Tell programs what has happened to their sockets, run them, send what they wrote."""
        self._is_woken = False
        if self.is_paused:
            return
        timeline = self.timeline
        timeline.interception.enter(self.environment)
        director = events._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(*self._hooks)
        ended: SystemExit | None = None
        try:
            if self.host.ready:
                self.dispatch_ready()
            self._run_ready()
        except SystemExit as error:
            ended = error
        finally:
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(director)
            timeline.interception.leave()
        if ended is not None:
            self.on_exit(ended)
            return
        if self._node.has_output:
            self._driver.flush(timeline.now)
        if self._ready or self.host.ready:
            self.wake()

    def lose_power(self) -> list[Any]:
        """It runs no more, and what is not the program's own is let go. The rest, to be held."""
        self.is_over = True
        held = [*self.unfinished_tasks(), *self.timeline.planned_by(self), *self.detach_host()]
        for name in ("environment", "_node", "_driver", "on_exit"):
            del vars(self)[name]
        return [self, *held]

    def is_running(self) -> bool:
        """As asyncio: programs see their own loop running. Eager tasks depend on it."""
        return events._get_running_loop() is self

    def run_forever(self) -> NoReturn:
        """Refused: the timeline runs it."""
        raise RuntimeError(f"the loop of {self.name} is run by virtual time itself")

    def _schedule(self, due: int, timer: Timer) -> None:
        seen = self.timeline.timers_seen
        if seen is not None:
            seen.note(due - self.timeline.now, due)
        self._driver.schedule(due, self._timer_due, timer)


class DrawnLoop(ComputerLoop):
    """A computer on which it is drawn what of that which is ready at one instant runs first.

    It runs when all has come that is due: two timers of one instant are both over.
    """

    def __init__(
        self,
        timeline: Timeline,
        node: HostNode,
        driver: Driver,
        environment: Environment,
        paths: PathFinder,
        order: DrawnOrder,
    ) -> None:
        super().__init__(timeline, node, driver, environment, paths)
        for handle in self._ready:
            order.append(handle)
        self._ready = order  # type: ignore[assignment]  # all of a deque that loops use
        self._drawn = order

    def wake(self) -> None:
        """There is something to run now."""
        if not self._is_woken and not self.is_over and not self.is_paused:
            self._is_woken = True
            self.timeline.wake_last(self._come_up)

    def step(self) -> None:
        """As any computer's; packets that have come begin a chain."""
        self._drawn.begin_chain()
        super().step()
        self._drawn.begin_chain()

    def _come_up(self, now: int, _: None, __: bytes) -> None:
        self.step()

    def _timer_due(self, now: int, timer: Timer, _: bytes) -> None:
        self._drawn.begin_chain()
        super()._timer_due(now, timer, _)

    def _run_ready(self) -> None:
        take, now = self._drawn.take, self.timeline.now
        for _ in range(len(self._drawn)):
            handle = take(now)
            if not handle.cancelled():
                handle._run()
            del handle


class DirectorLoop(VirtualLoop):
    """The loop that a test runs on. Running it lets the whole network go on."""

    def __init__(self) -> None:
        super().__init__(Timeline(self), "the test")
        _directors.add(self)
        self._environment = Environment.of_the_process(self.network_now)

    def run_forever(self) -> None:
        """As asyncio, in virtual time."""
        with self.timeline.interception:
            super().run_forever()

    def step(self) -> None:
        """Run what is ready."""
        self._is_woken = False
        self.timeline.interception.enter(self._environment)
        try:
            self._run_ready()
        finally:
            self.timeline.interception.leave()
            if self._ready:
                self.wake()

    def _run_once(self) -> None:
        try:
            self.timeline.proceed()
        except DeadlockError as error:
            if not any(other is not self and not other.is_closed() for other in _directors):
                raise
            raise DeadlockError(
                f"{error}. Another event loop in virtual time is open, and a network lives on the "
                "loop that it was started on: with pytest-asyncio, let the test and its fixtures "
                "have one loop_scope"
            ) from None

    def _schedule(self, due: int, timer: Timer) -> None:
        self.timeline.schedule(due, self._timer_due, timer)

    # The network is elsewhere

    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> NoReturn:
        """Refused, as are connections: OutsideError."""
        raise _outside()

    async def create_connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()

    async def create_server(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()

    async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()

    async def sock_connect(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()


def run(main: Coroutine[Any, Any, Result], *, debug: bool | None = None) -> Result:
    """As `asyncio.run`, in virtual time: `netsim.run(main())`.

    Networks with `time="virtual"` live in it, and `asyncio.sleep(600)` takes no real time.
    DeadlockError when nothing is left that could let `main` go on.
    """
    with asyncio.Runner(debug=debug, loop_factory=DirectorLoop) as runner:
        return runner.run(main)


def _outside() -> OutsideError:
    return OutsideError(
        "a test is on no computer of the network; run it on one: await network['alice'].run(f, …)"
    )


def _nanoseconds(when: float) -> int:
    """Of network time, the first at which a loop's clock says `when` or more."""
    due = round(when * SECOND)
    if due / SECOND < when:
        due += 1
    return due - MONOTONIC_BASE_NS
