"""The programs of a node, whose lives begin and end while its process lives on.

`node NAME kill --program` ends one life: tasks, threads, sockets, tools and calls, and what it has
changed in the process. The next one finds everything as the first did.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Set
from typing import Any, Final

from netsim.core.errors import NetsimError
from netsim.node.host_node import HostNode
from netsim.realtime.channel import Channel
from netsim.realtime.event_loop import NodeLoop
from netsim.realtime.forwarded_lines import ForwardedLines
from netsim.realtime.jobs import Jobs, Spawn
from netsim.realtime.killed_threads import (
    dismiss_workers,
    end_threads,
    told_of,
    working_threads,
)
from netsim.realtime.process_state import ProcessState
from netsim.site import messages
from netsim.site.programs import Programs, start_failure
from netsim.site.site import Site
from netsim.topology.plan import NodePlan

_THREADS_END: Final = 1.0
"""Seconds that threads of a killed program have to end by themselves, and then by SystemExit."""


class ProgramLives:
    """Those of one node: at any time there is one."""

    def __init__(
        self,
        plan: NodePlan,
        site: Site,
        loop: asyncio.AbstractEventLoop,
        channel: Channel,
        jobs: Jobs,
        lines: ForwardedLines,
        state: ProcessState,
        spawn: Spawn,
        own: Set[asyncio.Task[None]],
    ) -> None:
        self._plan = plan
        self._site = site
        self._loop = loop
        self._channel = channel
        self._jobs = jobs
        self._lines = lines
        self._state = state
        self._spawn = spawn
        self._own = own
        """Tasks of the process itself."""
        self._starting: dict[int, asyncio.Task[None]] = {}
        """By the number of the question that each answers."""
        self._programs = self._new_programs()

    async def begin(self) -> None:
        """The first one: have every service listen; ProgramError, OSError, or a program's error."""
        self._state.begin(self._plan.env)
        await self._programs.start_services()

    async def stop(self) -> None:
        """Let the programs shut down."""
        await self._programs.stop()

    def start_run(self, message: messages.StartPrograms) -> None:
        """Start `run:`, and answer when it serves."""
        self._begin_start(message.number, self._start_run)

    def kill(self, message: messages.KillProgram) -> None:
        """End the life; who waits for its start is told."""
        loop = self._loop
        assert isinstance(loop, NodeLoop), "no program runs on a switch"
        for task in asyncio.all_tasks(loop) - {*self._own, asyncio.current_task(loop)}:
            task.cancel()
        for number, starting in list(self._starting.items()):
            starting.cancel()
            self._started(number, "killed as it started")
        dismiss_workers(loop)
        loop.call_later(_THREADS_END, self._end_threads, loop, working_threads())
        self._jobs.kill(message.node)
        self._programs.kill()
        loop.close_sockets()
        self._state.restore()
        self._lines.start_again()
        self._programs = self._new_programs()
        self._answer(message.number, None)

    def start_again(self, message: messages.StartProgram) -> None:
        """Begin the next one, and answer when it serves."""
        self._begin_start(message.number, self._start_again)

    def _new_programs(self) -> Programs:
        name = self._plan.name
        programs = self._site.programs[name] = Programs(
            self._plan,
            lambda text: self._channel.send(messages.ProgramFailed(name, text)),
        )
        return programs

    def _begin_start(self, number: int, start: Callable[[], Awaitable[str | None]]) -> None:
        async def answer() -> None:
            self._started(number, await start())

        self._starting[number] = self._spawn(answer())

    def _started(self, number: int, failure: str | None) -> None:
        if self._starting.pop(number, None) is not None:
            self._answer(number, failure)

    async def _start_run(self) -> str | None:
        """Why it does not serve, for a person to read."""
        try:
            await self._programs.start_run(self._listened_at)
        except NetsimError as error:
            return str(error)
        return None

    def _listened_at(self, port: int) -> list[bytes | None]:
        node = self._site.nodes[self._plan.name]
        return node.host.tcp.listened_at(port) if isinstance(node, HostNode) else []

    async def _start_again(self) -> str | None:
        try:
            await self._programs.start_services()
        except Exception as error:  # noqa: BLE001  # users' programs may raise anything
            return start_failure(error)
        return await self._start_run()

    def _end_threads(self, loop: NodeLoop, threads: list[threading.Thread]) -> None:
        end_threads(threads)
        loop.call_later(_THREADS_END, self._tell_of_threads, threads)

    def _tell_of_threads(self, threads: list[threading.Thread]) -> None:
        for line in told_of(threads):
            self._lines.log(logging.WARNING, line)

    def _answer(self, number: int, value: Any) -> None:
        self._channel.send(messages.Answer(number, value))
