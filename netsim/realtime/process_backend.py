"""A network in real time: a process for each node, and this one to watch over them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Final

from netsim.core.errors import (
    NetsimError,
    NotInRealTimeError,
    StartError,
)
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.observe.captured import CapturedBatch, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.frame_log import FrameRecord
from netsim.observe.hop_events import HopBatch, HopFilter
from netsim.observe.late import Late
from netsim.observe.link_account import LinkAccount
from netsim.observe.measurement import Batch, Watched
from netsim.realtime.fleet import Fleet
from netsim.realtime.fleet_observations import FleetObservations
from netsim.realtime.launcher import Launcher, StartMethod
from netsim.realtime.multiprocess_launcher import MultiprocessLauncher
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.node_handle import ANSWER_TIMEOUT, NodeHandle
from netsim.realtime.outside_sockets import Dialler
from netsim.realtime.standing import line_of
from netsim.realtime.zygote import Zygote
from netsim.site import messages
from netsim.site.accounting import NodeCounters
from netsim.site.backend import LinkChange, Progress, Reports, ToolRun
from netsim.site.calls import pack_call, unpack_outcome
from netsim.topology.plan import NetworkPlan, RouteChange

LEAD: Final = 5 * MILLISECOND
LEAD_PER_NODE: Final = 500 * MICROSECOND
"""What it takes to tell one: the message is written here, and its process wakes up and reads."""
LEAD_PER_PART: Final = 4 * MICROSECOND
"""What it takes to write, read and keep a route or a condition."""
ROUTES_AT_ONCE: Final = 2000
"""As many are told before the loop does something else: some milliseconds."""
NODE_IN_ROUTES: Final = 50
"""As many routes take the time of a message."""
LONGEST_GRACE: Final = 8.0
"""Seconds of the machine's clock that slow motion makes of the time to shut down, at most."""


class ProcessBackend:
    """Implements `Backend`.

    `start_method` is how node processes begin; a `launcher` made earlier saves the time that its
    imports take.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        reports: Reports,
        start_method: StartMethod = "fork",
        launcher: Launcher | None = None,
        speed: Fraction = Fraction(1),
    ) -> None:
        self._plan = plan
        self._start_method = start_method
        self._launcher = launcher
        self._reports = reports
        self._fleet = Fleet(
            plan, self._hear, self._ended, reports.failed, lambda text: reports.noticed("", text)
        )
        self._dialler = Dialler()
        self._speed = speed
        self._clock = NetworkClock(time.monotonic_ns(), speed)
        self.now = self._clock.reader()
        """Network time in ns."""
        self._cutting = asyncio.Lock()
        self._cuts = 0
        self._observations = FleetObservations(self._fleet, lambda: self.now())
        self._untold: deque[tuple[str, int, RouteChange | None, frozenset[int]]] = deque()
        """Who has still to be told what about routes, and when it comes into force."""

    # The network

    async def start(self, on_progress: Progress | None) -> None:
        self._clock = NetworkClock(time.monotonic_ns(), self._speed)
        self.now = self._clock.reader()
        new_launcher = partial(_new_launcher, self._start_method)
        launcher = self._launcher or new_launcher()
        await self._fleet.start(launcher, self._clock, on_progress, new_launcher)

    async def stop(self, grace: float) -> None:
        await self._fleet.stop(self._in_wall(grace))
        self._dialler.close()

    def kill(self) -> None:
        self._fleet.kill()

    def _in_wall(self, grace: float) -> float:
        """Programs shut down in network time, and nobody waits for them for minutes."""
        return min(grace / float(self._speed), max(grace, LONGEST_GRACE))

    # Links and routes

    def change_links(self, at: int, changes: list[LinkChange]) -> Awaitable[None]:
        of_node: dict[str, list[LinkChange]] = {}
        for change in changes:
            if self._fleet.nodes[change[1]].up:
                of_node.setdefault(change[1], []).append(change)
        answers = []
        for name, own in of_node.items():
            node = self._fleet.nodes[name]
            answers.append(node.question(messages.ChangeLinks(node.next_number(), at, tuple(own))))
        return _when_all_have(answers)

    def set_faults(self, at: int, faults: Mapping[str, HostFaults]) -> Awaitable[None]:
        answers = []
        for name, own in faults.items():
            node = self._fleet.nodes[name]
            if node.up:
                question = messages.SetFaults(node.next_number(), at, {name: own})
                answers.append(node.question(question))
        return _when_all_have(answers)

    def lead_ns(self, nodes: int, parts: int) -> int:
        lead = LEAD + nodes * LEAD_PER_NODE + parts * LEAD_PER_PART
        return int(lead * self._speed) or 1  # messages take the machine's time

    def install_routes(
        self, at: int, changes: Mapping[str, RouteChange], dead: frozenset[int]
    ) -> None:
        was_idle = not self._untold
        # Those with routes to change come first: they have more to do.
        for name in dict.fromkeys((*changes, *self._fleet.nodes)):
            self._untold.append((name, at, changes.get(name), dead))
        if was_idle:
            self._tell_routes()

    def _tell_routes(self) -> None:
        """Tell a few nodes, and the rest when the loop has done what else there is."""
        parts = 0
        while self._untold:
            if parts > ROUTES_AT_ONCE:
                asyncio.get_running_loop().call_soon(self._tell_routes)
                return
            name, at, change, dead = self._untold.popleft()
            node = self._fleet.nodes[name]
            if node.up and self._plan.node(name).traits.has_stack:
                own = {} if change is None else {name: change}
                node.send(messages.InstallRoutes(at, own, dead))
            parts += NODE_IN_ROUTES + (0 if change is None else len(change))

    # Watching

    def pid(self, node: str) -> int | None:
        return self._fleet.nodes[node].pid

    async def line_of(self, node: str) -> str:
        pid = self._fleet.nodes[node].pid
        return "" if pid is None else await line_of(pid)

    def ports(self, node: str) -> list[tuple[str, int]]:
        return self._fleet.nodes[node].ports

    async def facts(self, node: str) -> dict[str, Any]:
        handle = self._fleet.nodes[node]
        question = messages.AskFacts(handle.next_number(), node)
        facts: dict[str, Any] = await handle.ask(question, ANSWER_TIMEOUT)
        return facts

    async def accounts(self) -> list[LinkAccount]:
        """A node that goes or comes meanwhile makes it begin again."""
        async with self._cutting:
            while True:
                counters = await self._cut()
                if counters is not None:
                    return self._fleet.accounting.accounts(counters)

    async def _cut(self) -> dict[str, NodeCounters] | None:
        """Counters at one cut; None when it was not the same network from beginning to end."""
        changes = self._fleet.changes
        nodes = [node for node in self._fleet.nodes.values() if node.up]
        for node in self._fleet.nodes.values():
            if node.booted.is_set() and not node.alive and not node.ended.is_set():
                # It is gone, and will be reported in a moment.
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    await node.ended.wait()
                return None
        self._cuts += 1
        answers = await asyncio.gather(
            *(node.cut(self._cuts, ANSWER_TIMEOUT) for node in nodes), return_exceptions=True
        )
        if changes != self._fleet.changes:
            return None
        counters: dict[str, NodeCounters] = {}
        for answer in answers:
            if isinstance(answer, ConnectionError):
                return None
            if isinstance(answer, BaseException):
                raise answer
            counters |= answer
        return counters

    def late(self) -> dict[str, Late]:
        return self._fleet.late()

    def unrepeatable(self) -> list[str]:
        """Nothing repeats here, and nobody expects it."""
        return []

    def observe_frames(self) -> None:
        self._observations.observe_frames()

    async def recent_frames(self) -> list[FrameRecord]:
        return await self._observations.recent_frames()

    async def begin_hops(self, number: int, chosen: HopFilter) -> None:
        await self._observations.begin_hops(number, chosen)

    async def end_hops(self, number: int) -> list[HopBatch]:
        return await self._observations.end_hops(number)

    def record(self, recording: int, watched: Watched, every_ns: int, at: int) -> None:
        self._observations.record(recording, watched, every_ns, at)

    async def end_recording(self, recording: int) -> list[Batch]:
        return await self._observations.end_recording(recording)

    def begin_capture(self, capture: int, points: Points, expression: Expression | None) -> None:
        self._observations.begin_capture(capture, points, expression)

    async def end_capture(self, capture: int) -> list[CapturedBatch]:
        return await self._observations.end_capture(capture)

    async def capture(
        self,
        node: str,
        path: str,
        numbers: Mapping[str, int],
        expression: Expression | None,
    ) -> None:
        await self._observations.capture(node, path, numbers, expression)

    def trace_frames(self, path: str) -> None:
        """In real time no trace repeats, and no two nodes share a file."""
        raise NotInRealTimeError(
            "a trace of all frames needs virtual time; in real time write `capture`, at a node"
        )

    # Doing

    async def exec(self, node: str, run: ToolRun) -> int:
        return await self._fleet.nodes[node].run_tool(run)

    async def call(
        self,
        node: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """The function has to be importable; CopyError says what cannot be copied.

        Cancelling it cancels the function.
        """
        if not (planned := self._plan.node(node)).traits.has_stack:
            raise NetsimError(f"{node} is a {planned.kind}: no programs run on it")
        if planned.traits.attached:
            raise NetsimError(f"{node} is attached to tap:{planned.tap}: call programs elsewhere")
        return unpack_outcome(await self._fleet.nodes[node].call(pack_call(function, args, kwargs)))

    # Nodes that go and come

    async def crash(self, node: str) -> None:
        """SIGKILL its process."""
        self._fleet.nodes[node].killed = True
        await self._fleet.kill_node(node)
        self._report_end(self._fleet.nodes[node])

    async def kill_program(self, node: str) -> None:
        handle = self._fleet.nodes[node]
        await handle.order(messages.KillProgram(handle.next_number(), node))

    async def start_program(self, node: str) -> None:
        handle = self._fleet.nodes[node]
        question = messages.StartProgram(handle.next_number(), node)
        failure = await handle.order(question, self._fleet.start_limit)
        if failure is not None:
            raise StartError(f"{node}: {failure}")

    async def pause(self, node: str, paused: bool) -> None:
        handle = self._fleet.nodes[node]
        await handle.order(messages.Pause(handle.next_number(), node, paused))

    async def stop_node(self, node: str, grace: float) -> None:
        await self._fleet.stop_node(node, self._in_wall(grace))

    async def start_node(
        self,
        node: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        """It has a new process and new wires."""

        async def observe_and_connect() -> None:
            self._observations.go_on_at(node)
            await connect()

        await self._fleet.start_node(node, conditions, observe_and_connect)

    # Hearing

    def _hear(self, node: NodeHandle, message: Any) -> None:
        match message:
            case messages.CarrierChanged(name, interface, up, at):
                self._reports.carrier_changed(name, interface, up, at)
            case messages.ProgramFailed(name, text):
                self._reports.program_failed(name, text)
            case messages.Recorded(recording, batch):
                self._reports.recorded(recording, batch)
            case messages.Captured(capture, batch):
                self._reports.captured(capture, batch)
            case messages.Logged(name, level, text, goes_on):
                self._reports.logged(name, level, text, goes_on)
            case messages.Dial():
                self._dialler.dial(node, message)

    def _ended(self, node: NodeHandle) -> None:
        self._dialler.ended(node)
        if node.stopped or not node.ready:
            return
        self._report_end(node)

    def _report_end(self, node: NodeHandle) -> None:
        how = f"(pid {node.pid}) {node.how_it_ended}"
        self._reports.node_ended(node.name, how, None if node.killed else node.exit_code)


def _new_launcher(method: StartMethod) -> Launcher:
    return Zygote.start() if method == "fork" else MultiprocessLauncher(method)


def _when_all_have(answers: list[asyncio.Future[Any]]) -> Awaitable[None]:
    for answer in answers:
        # One that goes down meanwhile has nothing left to change.
        answer.add_done_callback(asyncio.Future.exception)
    return asyncio.ensure_future(_wait_for(answers))


async def _wait_for(answers: list[asyncio.Future[Any]]) -> None:
    """One node that does not answer holds up nobody: it will be late."""
    if answers:
        await asyncio.wait(answers, timeout=ANSWER_TIMEOUT)
