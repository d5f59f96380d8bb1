"""Nodes of a network that go and come, and what runs on them: started, killed, paused, called."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from netsim.core.errors import (
    AlreadyRunningError,
    InvalidValueError,
    NetsimError,
    NotRespondingError,
    StartError,
)
from netsim.core.process_end import how_it_ended
from netsim.network.events import Event
from netsim.network.network_events import ERRORS
from netsim.network.network_in_force import NetworkInForce
from netsim.network.restart import Restarts
from netsim.site.backend import ToolRun
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node

STOP_GRACE: Final = 2.0
"""Seconds that programs get to shut down."""


class NetworkNodes(NetworkInForce):
    """The nodes of a network, each of which may be down while the others run."""

    def __init__(self, plan: NetworkPlan, speed: float = 1.0) -> None:
        super().__init__(plan, speed)
        self._restarts = Restarts(plan, self.now, self.start_node, speed)
        self.paused: set[str] = set()
        """Computers whose programs stand still."""
        self.without_program: set[str] = set()
        """Computers whose programs were killed, and are not up again."""
        self.failed_programs = 0
        """How many programs under `run` have ended with an exception."""
        self.how_ended: dict[str, str] = {}
        """Of nodes that have died, and are not up again: in words."""
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Of each node, held while it is stopped or started: one after the other, or an end that
        comes late would be taken for that of the next boot."""
        self._ended_early: dict[str, tuple[str, int | None]] = {}
        """Nodes that ended while they, or others, still came up; how, and the exit code."""

    async def crash(self, node: str) -> None:
        """Cut the power of a node, SIGKILL to its process; returns when it is gone."""
        check_node(self.plan, node)
        if node not in self._outages.nodes:
            await self._backend.crash(node)

    async def stop_node(self, node: str, *, grace: float = STOP_GRACE) -> None:
        """Let the programs of a node shut down for `grace` seconds, then end it."""
        check_node(self.plan, node)
        async with self._changing[node]:
            await self._stop_node(node, grace)

    async def _stop_node(self, node: str, grace: float) -> None:
        if node in self._outages.nodes:
            return
        await self._resume_to_end(node)
        self._outages.node_gone(node, stopped=True)
        await self._backend.stop_node(node, grace)
        self._gone(node, "node-stopped", f"{node} has stopped", stopped=True)

    async def start_node(self, node: str) -> None:
        """Start a node that is down; returns when it is up and its services listen.

        AlreadyRunningError when it is not down; StartError when it does not come up.
        """
        check_node(self.plan, node)
        self._check_down(node)
        async with self._changing[node]:
            await self._start_node(node)

    def _check_down(self, node: str) -> None:
        if node not in self._outages.nodes or self._outages.state(node) == "starting":
            raise AlreadyRunningError(f"{node} is up already, or about to be")

    async def _start_node(self, node: str) -> None:
        self._check_down(node)
        self._restarts.forget(node)

        async def connect() -> None:
            self._outages.node_plugged_in(node)
            self._rerouting.node_started(node)
            await self._put_in_force(self._conditions.of_node(node))
            faults = self._traffic_faults.of(node)
            if faults.packets or faults.connections:
                await self.set_host_faults({node: faults})

        self._outages.node_boots(node)
        try:
            await self._backend.start_node(node, self._conditions.unplugged(node), connect)
        except BaseException as error:
            self._ended_early.pop(node, None)
            self._gone(node, "node-died", f"{node} did not start{_because(node, error)}")
            if isinstance(error, StartError):
                raise self._with_log(error) from error.__cause__
            raise
        self._outages.node_started(node)
        self.how_ended.pop(node, None)
        self.fault_history.ended(("node", node), self.now())
        self._publish("node-started", node, f"{node} is up")
        self._restarts.started(node)
        if self.state == "degraded" and not self._outages.nodes:
            self.state = "running"
        self._rerouting.soon()
        self._report_early_end(node)

    async def restart_node(self, node: str) -> None:
        """Stop it, if it is up, and start it again."""
        check_node(self.plan, node)
        async with self._changing[node]:
            await self._stop_node(node, STOP_GRACE)
            await self._start_node(node)

    # What runs on them

    async def exec(self, node: str, run: ToolRun) -> int:
        """Run a tool at a node and return its exit code."""
        check_node(self.plan, node)
        try:
            return await self._run_tool(node, run)
        except ConnectionError as error:
            run.output("stderr", f"{error}\n".encode())
            return 1

    async def _run_tool(self, node: str, run: ToolRun) -> int:
        return await self._backend.exec(node, run)

    async def call(
        self,
        node: str,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run a function on a computer or router, with its network: on its loop, or where it is no
        coroutine function in a thread.

        Arguments and result are copied (CopyError). What it raises is raised; ConnectionError
        when the node is or goes down.
        """
        check_node(self.plan, node)
        return await self._backend.call(node, function, args, kwargs or {})

    async def kill_program(self, node: str) -> None:
        """End what runs on a computer, as SIGKILL does: the process dies, and the machine lives.

        Its sockets are closed as a kernel closes them. InvalidValueError where no program runs,
        ConnectionError when the node is down, NotRespondingError when it does not answer.
        """
        self._check_programs(node)
        await self._backend.kill_program(node)
        await self._resume_to_end(node)
        self.without_program.add(node)
        self._began("program", node, f"what ran on {node} was killed")

    async def start_program(self, node: str) -> None:
        """Start what runs on a computer again, after `kill_program`; StartError."""
        self._check_programs(node)
        await self._backend.start_program(node)
        self._has_program(node)
        self._publish("notice", node, f"what runs on {node} was started")

    async def pause(self, node: str) -> None:
        """Let what runs on a computer stand still, as SIGSTOP does; the machine lives.

        Connections are accepted and data is acknowledged, as far as buffers reach, and nobody
        answers. Errors as of `kill_program`.
        """
        self._check_programs(node)
        await self._backend.pause(node, True)
        self.paused.add(node)
        self._began("pause", node, f"what runs on {node} stands still")

    async def resume(self, node: str) -> None:
        """Let it go on, after `pause`."""
        self._check_programs(node)
        await self._backend.pause(node, False)
        self._goes_on(node)
        self._publish("notice", node, f"what runs on {node} goes on")

    async def _resume_to_end(self, node: str) -> None:
        """What stands still could neither shut down nor be killed as what runs is."""
        if node in self.paused:
            self._goes_on(node)
            with contextlib.suppress(ConnectionError, NotRespondingError):
                await self._backend.pause(node, False)

    def _goes_on(self, node: str) -> None:
        self.paused.discard(node)
        self.fault_history.ended(("pause", node), self.now())

    def _has_program(self, node: str) -> None:
        self.without_program.discard(node)
        self.fault_history.ended(("program", node), self.now())

    def _began(self, what: str, node: str, text: str) -> None:
        """What runs on a node is broken, while the machine lives."""
        self.fault_history.began((what, node), text, self.now())
        self._publish("notice", node, text)

    def _check_programs(self, node: str) -> None:
        check_node(self.plan, node)
        planned = self.plan.node(node)
        if not planned.traits.runs_programs:
            what = f"a {planned.kind}" if planned.tap is None else f"attached to tap:{planned.tap}"
            raise InvalidValueError(f"{node} is {what} and runs no program; write a computer")
        if node in self._outages.nodes:
            raise ConnectionError(f"{node} is not running; start it first")

    # Reports of the backend

    def node_ended(self, node: str, how: str, exit_code: int | None) -> None:
        if self.state == "starting" or self._outages.state(node) == "starting":
            self._ended_early[node] = how, exit_code
        elif self.is_running and node not in self._outages.nodes:
            text = f"{node} {how}"
            if exit_code:
                # A program's own end with an error, like an exception that nobody caught; a signal
                # that nobody here has sent is one, too: most come from C code.
                self.kept(node, logging.ERROR, how_it_ended(exit_code))
                if len(self.exits) < ERRORS:
                    self.exits.append(Event(self.now(), "node-died", node, text))
            self._gone(node, "node-died", text)
            if exit_code != 0:
                self._restarts.failed(node)

    def program_failed(self, node: str, text: str) -> None:
        self.failed_programs += 1
        self._publish("program-failed", node, f"{node}: {text}")

    def _report_early_end(self, node: str) -> None:
        if node in self._ended_early:
            self.node_ended(node, *self._ended_early.pop(node))

    def _gone(self, node: str, kind: str, text: str, *, stopped: bool = False) -> None:
        self._goes_on(node)
        self._has_program(node)
        self._outages.node_gone(node, stopped=stopped)
        if self.is_running:
            self.fault_history.began(("node", node), text, self.now())
            self.how_ended[node] = text
            self.state = "degraded"
            self._publish(kind, node, text)
            self._rerouting.soon()


def _because(node: str, error: BaseException) -> str:
    """`: no process for it: …`, where there is a reason; the first line of it."""
    reason = str(error).partition("\n")[0].removeprefix(f"{node}: ")
    return f": {reason}" if isinstance(error, NetsimError) else ""
