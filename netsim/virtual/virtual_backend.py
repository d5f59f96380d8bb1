"""All nodes of a network in this process, on one site, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from netsim.core.errors import NetsimError, StartError, WrongTimeError
from netsim.core.garbage import without_collections
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.interception.environment import WALL_EPOCH_NS, Environment
from netsim.node.host_node import HostNode
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
from netsim.site.build import node_streams
from netsim.site.calls import checked, name_of, pack, unpack
from netsim.site.driver import LOOKAHEAD
from netsim.site.program_output import standard_streams
from netsim.site.programs import Programs, exit_code, exit_words, start_failure
from netsim.site.site import Site, sources_of
from netsim.topology.plan import NetworkPlan, RouteChange
from netsim.virtual.computer import VirtualComputer
from netsim.virtual.computer_loop import ComputerLoop, DrawnLoop
from netsim.virtual.director_loop import DirectorLoop
from netsim.virtual.modules import ModulesBeside
from netsim.virtual.node_logs import NodeLogs

_CLOSING: Final = 1.0
"""Seconds of network time in which the peers of a machine that shuts down may acknowledge its
FINs."""


class VirtualBackend:
    """Implements `Backend` on the timeline of the loop it is started on."""

    def __init__(self, plan: NetworkPlan, reports: Reports) -> None:
        self._plan = plan
        self._reports = reports
        self._director = _director()
        self._timeline = self._director.timeline
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
        self._computers: dict[str, VirtualComputer] = {}
        self._boots: dict[str, int] = {}
        """How often nodes have started again."""
        self._runs: dict[str, int] = {}
        """How often the programs of nodes were killed, though these lived."""
        self._exit_codes: dict[str, int] = {}
        """With which programs have ended their nodes, by node; of the last boot that did."""
        self._modules = ModulesBeside(plan.file)
        self._environ = dict(os.environ)
        self._logs = NodeLogs(reports.logged)

    # Starting and ending

    async def start(self, on_progress: Progress | None) -> None:
        self._modules.enter()
        self._logs.install()
        self._timeline.findings.note_order()
        total = len(self._plan.nodes)
        with without_collections():
            for ready, node in enumerate(self._plan.nodes, 1):
                await self._boot(node.name)
                if on_progress is not None:
                    on_progress(ready, total)
        await asyncio.gather(*map(self._start_run, list(self._computers)))

    async def _start_run(self, name: str) -> None:
        plan, computer = self._plan.node(name), self._computers.get(name)
        if computer is None or not (plan.run or plan.ready is not None):
            return
        try:
            await computer.start_run()
        except ConnectionError as error:
            # It has ended, and was reported like any end.
            if plan.ready is None:
                return
            code = self._exit_codes.get(name)
            how = "has crashed" if code is None else f"ended with exit code {code}"
            raise StartError(f"{name}: {how}", logged_by=name) from error
        except NetsimError as error:
            raise StartError(f"{name}: {error}") from error

    async def stop(self, grace: float) -> None:
        try:
            with without_collections():
                await asyncio.gather(
                    *(computer.stop(grace) for computer in self._computers.values())
                )
        finally:
            self._computers.clear()
            self._site.close()
            self._logs.uninstall()
            self._modules.leave()

    def kill(self) -> None:
        for computer in self._computers.values():
            computer.crash()
        self._computers.clear()

    def now(self) -> int:
        return self._timeline.now

    async def crash(self, node: str) -> None:
        if node in self._site.nodes:
            self._remove(node)
            self._reports.node_ended(node, "has crashed", None)

    async def kill_program(self, node: str) -> None:
        self._check_up(node)
        self._computers.pop(node).crash()
        host_node = self._close_sockets(node)
        assert host_node is not None, "programs run on nothing else"
        self._runs[node] = self._runs.get(node, 0) + 1
        self._new_computer(node, host_node)  # for tools, and for whoever is called

    async def start_program(self, node: str) -> None:
        self._check_up(node)
        computer = self._computers[node]
        try:
            await computer.start_services()
        except Exception as error:
            raise StartError(f"{node}: {start_failure(error)}") from error
        await self._start_run(node)

    async def pause(self, node: str, paused: bool) -> None:
        self._check_up(node)
        loop = self._computers[node].loop
        loop.is_paused = paused
        loop.wake()

    async def stop_node(self, node: str, grace: float) -> None:
        if node in self._computers:
            await self._computers[node].stop(grace)
            self._close_sockets(node)
            await self._site.until_closed(node, _CLOSING)
        self._remove(node)

    async def start_node(
        self,
        node: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        self._boots[node] = self._boots.get(node, 0) + 1
        self._site.add(node, self._boots[node], conditions)
        try:
            await connect()
            await self._boot(node)
            await self._start_run(node)
        except BaseException:
            self._remove(node)
            raise

    async def line_of(self, node: str) -> str:
        """Who does not give way holds up everybody, and nobody could ask."""
        return ""

    def pid(self, node: str) -> int | None:
        return None

    def ports(self, node: str) -> list[tuple[str, int]]:
        """None is open in virtual time."""
        return []

    async def _boot(self, name: str) -> None:
        """Have a node that is built run its programs."""
        node = self._site.nodes[name]
        if not isinstance(node, HostNode):
            return
        computer = self._new_computer(name, node)
        self._exit_codes.pop(name, None)
        try:
            await computer.start_services()
        except Exception as error:
            raise StartError(f"{name}: {start_failure(error)}") from error

    def _new_computer(self, name: str, node: HostNode) -> VirtualComputer:
        """A loop for what runs on a node, on which nothing runs yet."""
        plan = self._plan
        node_plan = plan.node(name)
        stdout, stderr = standard_streams(
            lambda level, line: self._reports.logged(name, level, line)
        )
        environment = Environment(
            node_streams(plan, name, self._boots.get(name, 0)).below(
                f"programs/{runs}" if (runs := self._runs.get(name)) else "programs"
            ),
            {**self._environ, **node_plan.env},
            self.now,
            stdout,
            stderr,
            name=name,
        )
        order = self._timeline.choices.order_of(
            name,
            node_plan.order,
            node_streams(plan, name, self._boots.get(name, 0)).stream("order"),
        )
        runs_on = self._timeline, node, self._site.drivers[name], environment, self._site.paths
        loop = ComputerLoop(*runs_on) if order is None else DrawnLoop(*runs_on, order)
        self._site.loops[name] = loop
        self._logs.loops.add(loop)
        loop.set_debug(self._director.get_debug())
        loop.on_error = lambda context: self._complain(loop, context)
        loop.on_exit = lambda error: self._exited(name, error)
        programs = self._site.programs[name] = Programs(
            node_plan, lambda text: self._reports.program_failed(name, text)
        )
        computer = self._computers[name] = VirtualComputer(loop, programs)
        return computer

    def _close_sockets(self, name: str) -> HostNode | None:
        """As a kernel does for a program that has ended; the node, where it has a stack."""
        node = self._site.nodes.get(name)
        if not isinstance(node, HostNode):
            return None
        node.host.close_sockets(self.now())
        self._site.drivers[name].flush(self.now())
        return node

    def _remove(self, name: str) -> None:
        computer = self._computers.pop(name, None)
        if computer is not None:
            computer.crash()
        if name in self._site.nodes:
            self._accounting.close(name, self._site.remove(name))

    def _exited(self, name: str, error: SystemExit) -> None:
        if words := exit_words(error):
            self._reports.logged(name, logging.WARNING, words)
        self._close_sockets(name)
        self._remove(name)
        code = exit_code(error)
        self._exit_codes[name] = code
        self._reports.node_ended(name, f"ended with exit code {code}", code)

    def _complain(self, loop: ComputerLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), SystemExit):
            return  # it has ended the computer, and that was told
        with self._logs.speaking(loop):
            asyncio.BaseEventLoop.default_exception_handler(loop, context)

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
        self._check_up(node)
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
        self._check_up(node)
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
        self._check_up(node)
        computer = self._computers.get(node)
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
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        computer = self._computers.get(node)
        if computer is None:
            raise ConnectionError(f"{node} is not running")
        arguments = pack("an argument", (args, kwargs))

        async def run() -> bytes:
            args, kwargs = unpack(arguments)
            given = function(*args, **kwargs)
            return pack("the result", await checked(name_of(function), given))

        return unpack(await computer.spawn(run()))

    def _check_up(self, node: str) -> None:
        if node not in self._site.nodes:
            raise ConnectionError(f"{node} is not running")


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
