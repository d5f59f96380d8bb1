"""A network in virtual time, and an event loop for each of its computers, run from plain tests.

world = World(plan_of("alice r1", "r1 web"))
world.start("web", serve())
answer = world.run("alice", ask())
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from memory_network import MemoryNetwork
from plans import plan_of

from netsim import NetworkPlan
from netsim.interception.environment import Environment
from netsim.node.host_node import HostNode
from netsim.site.paths import PathFinder
from netsim.site.site import sources_of
from netsim.virtual.computer_loop import ComputerLoop
from netsim.virtual.director_loop import DirectorLoop
from netsim.virtual.left_threads import left_as_they_stood

__all__ = ["ComputerLoop", "World", "settle", "world"]
Result = TypeVar("Result")


class _Loop(ComputerLoop):
    """Of a computer whose programs do things to the transports of others, as these tests do."""

    others: dict[str, _Loop]

    def step(self) -> None:
        super().step()
        for loop in self.others.values():
            if loop._node.has_output:
                loop.wake()


class World:
    """The network, its loops, and what their exception handlers were told (`problems`)."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self.problems: list[dict[str, Any]] = []
        self._director = DirectorLoop()
        self._timeline = timeline = self._director.timeline
        first = timeline.allocate_sources(sources_of(plan))
        self.network = MemoryNetwork(plan, timeline, first)
        finder = PathFinder(plan)
        self._loops: dict[str, _Loop] = {}
        for name, node in self.network.nodes.items():
            if isinstance(node, HostNode):
                around = Environment(None, None, lambda: timeline.now, None, None)
                driver = self.network.site.drivers[name]
                loop = _Loop(timeline, node, driver, around, finder)
                loop.set_exception_handler(lambda _, context: self.problems.append(context))
                loop.others = self._loops
                self._loops[name] = loop

    @property
    def now(self) -> int:
        """Network time in ns."""
        return self.network.now

    def loop(self, name: str) -> ComputerLoop:
        return self._loops[name]

    def start(self, name: str, program: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a program on a computer; it goes on when others are run."""
        return self._loops[name].create_task(program)

    def run(
        self, name: str, program: Coroutine[Any, Any, Result], *, limit: float = 3600
    ) -> Result:
        """Run a program on a computer until it ends; AssertionError after `limit` seconds."""
        task = self.start(name, program)
        self._director.run_until_complete(self._ended(task, limit))
        return task.result()

    def run_for(self, seconds: float) -> None:
        """Let everything go on for a time of the network."""
        self._director.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        """Cancel all programs; UnbalancedLinkError if a link lost a frame."""
        for name, loop in self._loops.items():
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                loop.call_soon(task.cancel)
            if tasks:
                self.run(name, _wait(tasks))
            self.run(name, loop.shutdown_asyncgens())
        for loop in self._loops.values():
            self._timeline.leave(loop)
            loop.close()
            # The end of the process would wait for workers of executors.
            left_as_they_stood.extend(loop.strands.bury())
        self._director.close()
        for account in self.network.accounts().values():
            account.check()

    async def _ended(self, task: asyncio.Task[Any], limit: float) -> None:
        ended = asyncio.Event()
        task.add_done_callback(lambda _: ended.set())
        async with asyncio.timeout(limit) as deadline:
            await ended.wait()
        assert not deadline.expired(), f"still waiting after {limit} s of network time"


async def _wait(tasks: set[asyncio.Task[Any]]) -> None:
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


async def settle() -> None:
    """Until everything has arrived that is on its way on a loopback, a computer's or the kernel's.

    The kernel's is no way at all: what was sent is there to be read in the loop's next rounds.
    """
    if hasattr(asyncio.get_running_loop(), "timeline"):
        await asyncio.sleep(0.03)
    else:
        for _ in range(50):
            await asyncio.sleep(0)
