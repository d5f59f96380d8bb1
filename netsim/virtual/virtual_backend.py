"""All nodes of a network in this process, on one site, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from netsim.core.errors import WrongTimeError
from netsim.core.garbage import without_collections
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.interception.environment import WALL_EPOCH_NS
from netsim.node.port import Port
from netsim.observe.captured import CapturedBatch, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.frame_log import FrameRecord
from netsim.observe.hop_events import HopBatch, HopFilter
from netsim.observe.late import Late
from netsim.observe.link_account import LinkAccount
from netsim.observe.measurement import Batch, Watched
from netsim.observe.pcapng import CaptureTarget
from netsim.site.accounting import Accounting
from netsim.site.backend import LinkChange, Progress, Reports, ToolRun
from netsim.site.driver import LOOKAHEAD
from netsim.site.site import Site, sources_of
from netsim.topology.plan import NetworkPlan, RouteChange
from netsim.virtual.computer_calls import call_on
from netsim.virtual.director_loop import DirectorLoop
from netsim.virtual.virtual_fleet import VirtualFleet


class VirtualBackend:
    """Implements `Backend` on the timeline of the loop it is started on."""

    def __init__(self, plan: NetworkPlan, reports: Reports) -> None:
        self._reports = reports
        director = _director()
        self._timeline = director.timeline
        self._site = Site(
            plan,
            self._timeline.agenda,
            self.now,
            first_source=self._timeline.allocate_sources(sources_of(plan)),
        )
        with without_collections():
            for node in plan.nodes:
                self._site.add(node.name)
        self._site.on_carrier_changed = self._carrier_changed
        self._site.recorder.goes_on = lambda own: len(self._timeline.agenda) > own
        self._accounting = Accounting(plan)
        self._fleet = VirtualFleet(plan, self._site, self._accounting, director, reports)

    # Nodes

    async def start(self, on_progress: Progress | None) -> None:
        await self._fleet.start(on_progress)

    async def stop(self, grace: float) -> None:
        await self._fleet.stop(grace)

    def kill(self) -> None:
        self._fleet.kill()

    async def crash(self, node: str) -> None:
        await self._fleet.crash(node)

    async def kill_program(self, node: str) -> None:
        await self._fleet.kill_program(node)

    async def start_program(self, node: str) -> None:
        await self._fleet.start_program(node)

    async def pause(self, node: str, paused: bool) -> None:
        await self._fleet.pause(node, paused)

    async def stop_node(self, node: str, grace: float) -> None:
        await self._fleet.stop_node(node, grace)

    async def start_node(
        self,
        node: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        await self._fleet.start_node(node, conditions, connect)

    def now(self) -> int:
        return self._timeline.now

    async def line_of(self, node: str) -> str:
        """Who does not give way holds up everybody, and nobody could ask."""
        return ""

    def pid(self, node: str) -> int | None:
        return None

    def ports(self, node: str) -> list[tuple[str, int]]:
        """None is open in virtual time."""
        return []

    def _carrier_changed(self, node: str, port: Port, now: int) -> None:
        self._reports.carrier_changed(node, port.name, port.up, now)

    # Links and routes

    def change_links(self, at: int, changes: list[LinkChange]) -> Awaitable[None]:
        self._site.change_links(at, changes)
        return self._until(at)

    def set_faults(self, at: int, faults: Mapping[str, HostFaults]) -> Awaitable[None]:
        self._site.set_faults(at, faults)
        return self._until(at)

    def _until(self, at: int) -> Awaitable[None]:
        """Done when all that the network does at `at` is."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_: int, __: object, ___: bytes) -> None:
            if not over.done():
                over.set_result(None)

        self._site.schedule(at, end, None)
        return over

    def lead_ns(self, nodes: int, parts: int) -> int:
        """Time stands still while nodes are told."""
        return LOOKAHEAD

    def install_routes(
        self, at: int, changes: Mapping[str, RouteChange], dead: frozenset[int]
    ) -> None:
        self._site.install_routes(at, changes, dead)

    # Watching

    async def facts(self, node: str) -> dict[str, Any]:
        self._fleet.check_up(node)
        return self._site.facts(node)

    async def accounts(self) -> list[LinkAccount]:
        return self._accounting.accounts(self._site.counters())

    def begin_capture(self, capture: int, points: Points, expression: Expression | None) -> None:
        def deliver(batch: CapturedBatch) -> bool:
            self._reports.captured(capture, batch)
            return True

        self._site.live_taps.begin(capture, points, expression, deliver, lambda _: self.now())

    async def end_capture(self, capture: int) -> list[CapturedBatch]:
        return [self._site.live_taps.end(capture)]

    def record(self, recording: int, watched: Watched, every_ns: int, at: int) -> None:
        deliver = partial(self._reports.recorded, recording)
        self._site.recorder.begin(recording, watched, every_ns, at, deliver)

    async def end_recording(self, recording: int) -> list[Batch]:
        return [self._site.recorder.end(recording)]

    async def capture(
        self,
        node: str,
        path: str,
        numbers: Mapping[str, int],
        expression: Expression | None,
    ) -> None:
        self._fleet.check_up(node)
        self._site.capture(node, CaptureTarget(path, numbers, WALL_EPOCH_NS, expression))

    def late(self) -> dict[str, Late]:
        """Time waits for everybody."""
        return {}

    def unrepeatable(self) -> list[str]:
        return [str(finding) for finding in self._timeline.findings]

    def observe_frames(self) -> None:
        observers = self._site.watch.observers
        if self._timeline.note_frame not in observers:
            observers.append(self._timeline.note_frame)
        self._site.observe_frames()

    async def recent_frames(self) -> list[FrameRecord]:
        return self._site.watch.recent_frames()

    async def begin_hops(self, number: int, chosen: HopFilter) -> None:
        self._site.begin_hops(number, chosen)

    async def end_hops(self, number: int) -> list[HopBatch]:
        return [self._site.end_hops(number)]

    def trace_frames(self, path: str) -> None:
        trace = self._site.watch.trace(path)
        self._timeline.choices.on_swap = lambda swap: trace.write({"swap": swap.as_dict()})
        self.observe_frames()

    # Doing

    async def exec(self, node: str, run: ToolRun) -> int:
        self._fleet.check_up(node)
        computer = self._fleet.computers.get(node)
        if computer is None:
            return await self._site.run_tool(node, run, drain=_no_wait, wall_clock=self.now)
        interrupted = asyncio.Event()
        running = computer.spawn(
            self._site.run_tool(
                node, replace(run, interrupt=interrupted), drain=_no_wait, wall_clock=self.now
            )
        )
        waiting: asyncio.Future[Any] = asyncio.create_task(run.interrupt.wait())
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                computer.loop.call_soon(interrupted.set)
            return await running
        finally:
            waiting.cancel()

    async def call(
        self,
        node: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        computer = self._fleet.computers.get(node)
        if computer is None:
            raise ConnectionError(f"{node} is not running")
        self._fleet.settle(node)
        return await call_on(computer, self._fleet.modules, function, args, kwargs)


async def _no_wait() -> None:
    """Output is taken at once."""


def _director() -> DirectorLoop:
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        if isinstance(loop, DirectorLoop):
            return loop
    raise WrongTimeError(
        'a network with time="virtual" runs inside netsim.run(main()), or in a test with the '
        "marker netsim of netsim's pytest plugin"
    )
