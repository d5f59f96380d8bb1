"""Tools run at the nodes of a network in one memory.

    lab = make_lab(plan_of("alice r1", "r1 web"))
    outcome = lab.run("alice", "ping", "-c", "1", "web")

A test module imports the fixture `make_lab` from here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from memory_network import MemoryNetwork
from virtual_computers import ComputerLoop, World

from netsim import NetworkPlan
from netsim.site.paths import PathFinder
from netsim.tools.context import Context, SwitchContext
from netsim.tools.named_tools import run_tool

Result = TypeVar("Result")

WALL_PER_READING = 1_000
"""The watcher's clock in these tests: so many ns pass between two looks at it."""


@dataclass
class Outcome:
    """What a tool left behind."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.decode().splitlines()

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


class Lab:
    """A network with loops, and somebody who types commands."""

    def __init__(self, plan: NetworkPlan, cwd: Path) -> None:
        self.cwd = cwd
        self._world = World(plan)
        self._name_of = PathFinder(plan).owner
        self._hosts = [each.name for each in plan.nodes if each.kind != "switch"]
        self._wall = 0

    @property
    def network(self) -> MemoryNetwork:
        return self._world.network

    def loop(self, name: str) -> ComputerLoop:
        return self._world.loop(name)

    def call(self, name: str, program: Coroutine[Any, Any, Result]) -> Result:
        """Run a program at a node until it ends."""
        return self._world.run(name, program)

    def context(self, node: str, **given: Any) -> Context:
        """A terminal at that node; `given` goes over what is usual."""

        loop = self.loop(node)
        own = {
            "loop": loop,
            "host": loop.host,
            "ports": self.network.nodes[node].ports,
            "name_of": self._name_of,
        }
        return Context(**(self._terminal(node) | own | given))

    def switch_context(self, node: str, **given: Any) -> SwitchContext:
        """The same at a switch."""
        own = {"switch": self.network.nodes[node], "now": lambda: self.network.now}
        return SwitchContext(**(self._terminal(node) | own | given))

    def _terminal(self, node: str) -> dict[str, Any]:
        async def drain() -> None:
            await asyncio.sleep(0)

        return {
            "node": node,
            "cwd": self.cwd,
            "stdout": lambda data: None,
            "stderr": lambda data: None,
            "drain": drain,
            "interrupted": asyncio.Event(),
            "wall_clock": self._wall_clock,
        }

    def run(
        self,
        node: str,
        *argv: str,
        json: bool = False,
        interrupt_after: float | None = None,
        meanwhile: Callable[[Context], None] = lambda context: None,
    ) -> Outcome:
        """Run a tool at a node; `interrupt_after` is in seconds of the network."""
        stdout, stderr = bytearray(), bytearray()

        async def execute() -> int:
            given: dict[str, Any] = {"stdout": stdout.extend, "stderr": stderr.extend, "json": json}
            if node not in self._hosts:
                return await run_tool(argv[0], argv[1:], self.switch_context(node, **given))
            context = self.context(node, **given)
            if interrupt_after is not None:
                context.loop.call_later(interrupt_after, context.interrupted.set)
            meanwhile(context)
            return await run_tool(argv[0], argv[1:], context)

        # A switch has no loop: its tools do not wait for anything.
        code = self.call(node if node in self._hosts else self._hosts[0], execute())
        return Outcome(code, bytes(stdout), stderr.decode())

    def close(self) -> None:
        """Every program has ended well, and every frame is accounted for."""
        self._world.close()
        assert self._world.problems == []

    def _wall_clock(self) -> int:
        self._wall += WALL_PER_READING
        return self._wall


MakeLab = Callable[[NetworkPlan], Lab]


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """`make_lab(plan)`: a lab that is closed when the test ends."""
    labs: list[Lab] = []

    def make(plan: NetworkPlan) -> Lab:
        labs.append(Lab(plan, tmp_path))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()
