"""All nodes of a network in this process, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, Any, TextIO, cast

from netsim.core.errors import NetsimError, StartError, WrongTimeError
from netsim.core.link_attributes import LinkCondition
from netsim.interception.environment import WALL_EPOCH_NS, Environment
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.observe.capture import PcapngTap
from netsim.observe.frame_log import RECENT_FRAMES, FrameRecord, FrameTrace, Observer, RecentFrames
from netsim.observe.link_account import LinkAccount
from netsim.site.backend import LinkChange, Output, Progress, Reports
from netsim.site.build import change_routes, node_streams
from netsim.site.calls import pack, unpack
from netsim.site.driver import LOOKAHEAD
from netsim.site.frame_observer import PortObserver
from netsim.site.line_stream import LineStream
from netsim.site.node_facts import node_facts
from netsim.site.paths import PathFinder
from netsim.site.programs import Programs
from netsim.tools.context import Context, SwitchContext
from netsim.tools.program import run_tool
from netsim.topology.plan import NetworkPlan, RouteChange
from netsim.virtual.computer import VirtualComputer
from netsim.virtual.loops import ComputerLoop, DirectorLoop
from netsim.virtual.memory_network import MemoryNetwork
from netsim.virtual.modules import ModulesBeside
from netsim.virtual.node_logs import NodeLogs


class VirtualBackend:
    """Implements `Backend` on the timeline of the loop it is started on."""

    def __init__(self, plan: NetworkPlan, reports: Reports) -> None:
        self._plan = plan
        self._reports = reports
        self._director = _director()
        self._timeline = self._director.timeline
        first = self._timeline.allocate_sources(2 * len(plan.links) + len(plan.nodes))
        self._network = MemoryNetwork(plan, self._timeline, first)
        self._paths = PathFinder(plan)
        self._computers: dict[str, VirtualComputer] = {}
        self._booting: set[str] = set()
        self._stopped: set[str] = set()
        """As they were told to."""
        self._modules = ModulesBeside(plan.file)
        self._environ = dict(os.environ)
        self._logs = NodeLogs(reports.logged)
        self._files: list[IO[Any]] = []
        self._recent = RecentFrames(RECENT_FRAMES)
        self._observers: list[Observer] = [self._recent]
        self._observing = False

    # Life

    async def start(self, on_progress: Progress | None) -> None:
        """See `Backend`."""
        self._modules.enter()
        self._logs.install()
        total = len(self._plan.nodes)
        for ready, node in enumerate(self._plan.nodes, 1):
            await self._boot(node.name)
            if on_progress is not None:
                on_progress(ready, total)
        for computer in self._computers.values():
            computer.start_run()

    async def stop(self, grace: float) -> None:
        """See `Backend`."""
        try:
            await asyncio.gather(*(computer.stop(grace) for computer in self._computers.values()))
        finally:
            self._computers.clear()
            self._stopped |= self._network.nodes.keys()
            for name in list(self._network.drivers):
                self._network.forget(self._network.drivers[name])
            for file in self._files:
                file.close()
            self._logs.uninstall()
            self._modules.leave()

    def kill(self) -> None:
        """See `Backend`."""
        for computer in self._computers.values():
            computer.crash()
        self._computers.clear()

    def now(self) -> int:
        """See `Backend`."""
        return self._timeline.now

    async def crash(self, node: str) -> None:
        """See `Backend`."""
        if node in self._network.nodes:
            self._remove(node)
            self._reports.node_ended(node, "has crashed", failed=True)

    async def stop_node(self, node: str, grace: float) -> None:
        """See `Backend`."""
        if node in self._computers:
            await self._computers[node].stop(grace)
        self._remove(node)
        self._stopped.add(node)

    async def start_node(
        self,
        node: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        """See `Backend`."""
        self._stopped.discard(node)
        self._booting.add(node)
        self._network.restore(node, conditions)
        if self._observing:
            self._observe(node)
        try:
            await connect()
            await self._boot(node)
        except BaseException:
            self._remove(node)
            raise
        finally:
            self._booting.discard(node)
        if node in self._computers:
            self._computers[node].start_run()

    def describe(self, node: str) -> dict[str, Any]:
        """See `Backend`."""
        if node in self._stopped:
            state = "stopped"
        elif node not in self._network.nodes:
            state = "dead"
        else:
            state = "starting" if node in self._booting else "running"
        return {"pid": None, "state": state}

    def ports(self, node: str) -> list[tuple[str, int]]:
        """See `Backend`: none is open in virtual time."""
        return []

    async def _boot(self, name: str) -> None:
        """Have a node that is built run its programs."""
        node = self._network.nodes[name]
        if not isinstance(node, HostNode):
            return
        plan = self._plan
        node_plan = plan.node(name)
        streams = node_streams(plan, name, self._network.lives(name)).below("programs")
        environment = Environment(
            streams,
            {**self._environ, **node_plan.env},
            self.now,
            self._prints(name, logging.INFO),
            self._prints(name, logging.WARNING),
            name=name,
        )
        loop = ComputerLoop(
            self._timeline,
            node,
            self._network.drivers[name],
            environment,
            plan.hosts,
            self._paths.path,
        )
        self._logs.loops.add(loop)
        loop.set_debug(self._director.get_debug())
        loop.set_exception_handler(self._complain)
        loop.on_exit = lambda error: self._exited(name, error)
        computer = self._computers[name] = VirtualComputer(loop, Programs(node_plan))
        try:
            await computer.start_services()
        except Exception as error:
            expected = isinstance(error, NetsimError | OSError)
            reason = str(error) if expected else f"{type(error).__name__}: {error}"
            raise StartError(f"{name}: {reason}") from error

    def _prints(self, name: str, level: int) -> TextIO:
        return cast(TextIO, LineStream(lambda line: self._reports.logged(name, level, line)))

    def _remove(self, name: str) -> None:
        computer = self._computers.pop(name, None)
        if computer is not None:
            computer.crash()
        if name not in self._network.nodes:
            return
        for port in self._network.nodes[name].ports:
            if port.up:
                self._reports.carrier_changed(port.peer, port.peer_port, False, self._timeline.now)
        self._network.remove(name)

    def _exited(self, name: str, error: SystemExit) -> None:
        self._remove(name)
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        self._reports.node_ended(name, f"ended with exit code {code}", failed=code != 0)

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        assert isinstance(loop, ComputerLoop), "it was set for no other"
        with self._logs.speaking(loop):
            loop.default_exception_handler(context)

    # Links and routes

    def change_links(self, at: int, changes: list[LinkChange]) -> Awaitable[None]:
        """See `Backend`."""
        for link, sender, condition in changes:
            if sender in self._network.nodes:
                self._network.drivers[sender].change_at(self._port(link, sender), condition, at)
        return self._at(at)

    def lead_ns(self, nodes: int, parts: int) -> int:
        """Time stands still while nodes are told."""
        return LOOKAHEAD

    def install_routes(
        self, at: int, changes: Mapping[str, RouteChange], dead: frozenset[int]
    ) -> None:
        def install(_: int, __: object, ___: bytes) -> None:
            self._paths.set_dead(dead)
            for name, change in changes.items():
                node = self._network.nodes.get(name)
                if isinstance(node, HostNode):
                    change_routes(node, change)

        self._timeline.schedule(at, install, None)

    async def _at(self, at: int) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_: int, __: object, ___: bytes) -> None:
            if not over.done():
                over.set_result(None)

        self._timeline.schedule(at, end, None)
        await over

    def _port(self, link: int, node: str) -> Port:
        plan = self._plan.links[link]
        return self._network.port(*(plan.a if plan.a[0] == node else plan.b))

    # Looking

    async def facts(self, node: str) -> dict[str, Any]:
        """See `Backend`."""
        if node not in self._network.nodes:
            raise ConnectionError(f"{node} is not running")
        return node_facts(self._network.nodes[node], self._timeline.now)

    async def accounts(self) -> list[LinkAccount]:
        """See `Backend`."""
        return list(self._network.accounts().values())

    async def capture(self, node: str, interface: str | None, path: str) -> None:
        """See `Backend`."""
        if node not in self._network.nodes:
            raise ConnectionError(f"{node} is not running")
        file = open(path, "wb")  # noqa: SIM115  # open as long as the network
        self._files.append(file)
        tap = PcapngTap(file, hostname=node, epoch_ns=WALL_EPOCH_NS)
        for port in self._network.nodes[node].ports:
            if interface in (None, port.name):
                port.taps.append(tap)

    def unrepeatable(self) -> list[str]:
        """See `Backend`."""
        return [str(finding) for finding in self._timeline.findings]

    def observe_frames(self) -> None:
        """See `Backend`."""
        if not self._observing:
            self._observing = True
            for name in self._network.nodes:
                self._observe(name)

    async def recent_frames(self) -> list[FrameRecord]:
        """See `Backend`."""
        return self._recent.records()

    def trace_frames(self, path: str) -> None:
        """See `Backend`."""
        file = open(path, "w", encoding="ascii")  # noqa: SIM115  # open as long as the network
        self._files.append(file)
        self._observers.append(FrameTrace(file))
        self.observe_frames()

    def _observe(self, name: str) -> None:
        for port, interface in zip(
            self._network.nodes[name].ports, self._plan.node(name).interfaces, strict=True
        ):
            PortObserver(name, port, interface.link, self._saw)

    def _saw(self, record: FrameRecord) -> None:
        for observer in self._observers:
            observer(record)

    # Doing

    async def exec(
        self,
        node: str,
        argv: list[str],
        *,
        cwd: str,
        output: Output,
        interrupt: asyncio.Event,
        json: bool,
    ) -> int:
        """See `Backend`."""
        found = self._network.nodes.get(node)
        if found is None:
            raise ConnectionError(f"{node} is not running")
        interrupted = asyncio.Event()
        terminal: dict[str, Any] = {
            "node": node,
            "cwd": Path(cwd),
            "stdout": lambda data: output("stdout", data),
            "stderr": lambda data: output("stderr", data),
            "drain": _no_wait,
            "interrupted": interrupted,
            "wall_clock": self.now,
            "json": json,
        }
        if isinstance(found, Switch):
            context = SwitchContext(switch=found, now=self.now, **terminal)
            return await run_tool(argv[0], argv[1:], context)
        assert isinstance(found, HostNode), "every other kind has a protocol stack"
        computer = self._computers[node]
        running = computer.spawn(
            run_tool(
                argv[0],
                argv[1:],
                Context(loop=computer.loop, host=found.host, name_of=self._paths.owner, **terminal),
            )
        )
        waiting: asyncio.Future[Any] = asyncio.create_task(interrupt.wait())
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
        """See `Backend`."""
        computer = self._computers.get(node)
        if computer is None:
            raise ConnectionError(f"{node} is not running")
        arguments = pack("an argument", (args, kwargs))

        async def run() -> bytes:
            args, kwargs = unpack(arguments)
            return pack("the result", await function(*args, **kwargs))

        return unpack(await computer.spawn(run()))


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
