"""A network in one memory, and an event loop without a selector for each of its computers.

    world = World(plan_of("alice r1", "r1 web"))
    world.start("web", serve())
    answer = world.run("alice", ask())

Time is virtual: it jumps to whatever happens next, in the network or on a loop.
"""

from __future__ import annotations

import asyncio
import math
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from plans import plan_of

from netsim.aio.loop import HostLoopMixin
from netsim.core.time import SECOND
from netsim.runtime.paths import PathFinder
from netsim.runtime.virtual.memory_network import MemoryNetwork
from netsim.topology.plan import NetworkPlan

Result = TypeVar("Result")


class SteppedLoop(HostLoopMixin, asyncio.BaseEventLoop):
    """The loop of one computer; somebody else says when it runs."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        super().__init__()
        inner: Any = self
        inner._selector = _NoSelector()
        inner._clock_resolution = 1e-9
        self.attach_host(
            world.network.host(name), world.plan.hosts, path_finder=PathFinder(world.plan).path
        )
        self.set_exception_handler(lambda loop, context: world.problems.append(context))

    def time(self) -> float:
        return self._world.network.now / SECOND

    def network_now(self) -> int:
        return self._world.network.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """At once, in this thread."""
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # it belongs to whoever awaits
            future.set_exception(error)
        return future

    def next_due(self) -> float:
        """When this loop wants to run, in ns; infinity while it waits for the network."""
        inner: Any = self
        if inner._ready:
            return -math.inf
        return math.ceil(inner._scheduled[0]._when * SECOND) if inner._scheduled else math.inf

    def step(self) -> None:
        """Run what is due."""
        inner: Any = self
        events._set_running_loop(self)
        try:
            inner._run_once()
        finally:
            events._set_running_loop(None)

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class _NoSelector:
    def select(self, timeout: float | None) -> list[Any]:
        return []


class World:
    """The network, its loops, and what their exception handlers were told (`problems`)."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self.network = MemoryNetwork(plan)
        self.problems: list[dict[str, Any]] = []
        self._loops = {
            node.name: SteppedLoop(self, node.name) for node in plan.nodes if node.kind != "switch"
        }

    @property
    def now(self) -> int:
        """Network time in ns."""
        return self.network.now

    def loop(self, name: str) -> SteppedLoop:
        return self._loops[name]

    def start(self, name: str, program: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a program on a computer; it goes on when others are run."""
        return self._loops[name].create_task(program)

    def run(
        self, name: str, program: Coroutine[Any, Any, Result], *, limit: float = 3600
    ) -> Result:
        """Run a program on a computer until it ends; AssertionError after `limit` seconds."""
        task = self.start(name, program)
        self._run_until(task.done, limit)
        return task.result()

    def run_for(self, seconds: float) -> None:
        """Let everything go on for a time of the network."""
        over = asyncio.Event()
        self._loops[next(iter(self._loops))].call_later(seconds, over.set)
        self._run_until(over.is_set, seconds + 1)

    def close(self) -> None:
        """Cancel all programs; UnbalancedLinkError if a link lost a frame."""
        for name, loop in self._loops.items():
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.run(name, _ended(tasks))
            self.run(name, loop.shutdown_asyncgens())
        for loop in self._loops.values():
            loop.close()
        for account in self.network.accounts().values():
            account.check()

    def _run_until(self, done: Callable[[], bool], limit: float) -> None:
        end = self.now + int(limit * SECOND)
        while not done():
            assert self.now < end, f"still waiting after {limit} s of network time"
            self._step(end)

    def _step(self, end: int) -> None:
        self.network.flush()
        for loop in self._loops.values():
            if loop.host.ready:
                loop.dispatch_soon()
        runnable = [loop for loop in self._loops.values() if loop.next_due() <= self.now]
        for loop in runnable:
            loop.step()
        if not runnable:
            due = min(loop.next_due() for loop in self._loops.values())
            self.network.run_until(int(min(due, end)), self._has_news)

    def _has_news(self) -> bool:
        return any(loop.host.ready for loop in self._loops.values())


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks)


@pytest.fixture
def world() -> Iterator[World]:
    """alice – r1 – web, 1 ms each way on each cable.

    Whatever an exception handler was told must be asked for, and cleared, by the test.
    """
    world = World(plan_of("alice r1 delay=1ms", "r1 web delay=1ms"))
    yield world
    world.close()
    assert world.problems == []
