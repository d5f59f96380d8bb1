"""What runs in the process of one node.

The supervisor and the node exchange tuples over a channel, named in the tables below.

    to the node                                from the node
    ("start",)                                 ("born",), if it starts later than the network
    ("go",)                                    ("ready", ports)
    ("stop",)                                  ("failed", reason)
    ("routes", at, change, dead links)         ("carrier", interface, up, at)
    ("gone", interface), of the neighbour there
    ("wires", interface) with two descriptors
    ("conditions", number, at, by interface)   ("answer", number, None) when `at` has come
    ("ask", number)                            ("answer", number, facts)
    ("capture", number, interface, path)       ("answer", number, None or an error's text)
    ("observe",)
    ("frames", number)                         ("answer", number, the last frames seen)
    ("cut", number)                            ("books", number, books)
    ("call", number, call)                     ("answer", number, outcome), see remote_call.py
    ("exec", number, argv, cwd, json)          ("output", number, stream, data)
    ("interrupt", number)                      ("exit", number, code)
    ("cancel", number)                         ("log", level, text)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import setproctitle

from netsim.core.errors import NetsimError
from netsim.gateway.published_ports import PublishedPort, open_port
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.observe.capture import PcapngTap
from netsim.observe.frame_log import RECENT_FRAMES, RecentFrames
from netsim.realtime.boot import Birth
from netsim.realtime.channel import Channel
from netsim.realtime.engine import Engine
from netsim.realtime.node_log import forward_logs
from netsim.realtime.node_loop import NodeLoop
from netsim.realtime.remote_call import run_call
from netsim.realtime.selector import NodeSelector
from netsim.realtime.shared_counters import SharedBooks
from netsim.site.build import build_node, change_routes, direction_source, node_source
from netsim.site.frame_observer import PortObserver
from netsim.site.node_facts import node_facts
from netsim.site.paths import PathFinder
from netsim.site.programs import Programs
from netsim.tools.context import Context, SwitchContext
from netsim.tools.program import run_tool
from netsim.topology.plan import NetworkPlan, RouteChange

STOP_GRACE: Final = 1.0
"""Seconds that programs get to shut down before the process ends without them."""


def preload() -> None:
    """Import what nodes need, for the zygote: the modules above, and these used by few."""
    import netsim.services.files
    import netsim.services.httpbin  # noqa: F401


class Blueprint:
    """What all nodes of a network share, made once by the zygote.

    A node that only reads what it needs of it leaves the rest in memory shared with all others.
    """

    def __init__(self, plan: NetworkPlan, epoch: int) -> None:
        self.plan = plan
        self.epoch = epoch
        self.paths = PathFinder(plan)


def run(blueprint: Blueprint, birth: Birth, descriptors: list[int]) -> int:
    """Be a node until the supervisor says stop or is gone; returns the exit code.

    `descriptors` are those of the channel, of the memory for its books, and of the receiving and
    the sending end of the wires at each port, if it has any yet.
    """
    setproctitle.setproctitle(f"netsim: {blueprint.plan.name}/{birth.node}")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel, books, *wires = descriptors
    process = NodeProcess(blueprint, birth, channel, books)
    process.connect(wires)
    try:
        return process.run()
    except SystemExit as error:
        # A program has ended its computer.
        return error.code if isinstance(error.code, int) else int(error.code is not None)


class NodeProcess:
    """One node with its engine, loop, programs and channel."""

    def __init__(self, blueprint: Blueprint, birth: Birth, channel: int, books: int) -> None:
        plan = self._plan = blueprint.plan
        name = birth.node
        self._birth = birth
        self._node_plan = plan.node(name)
        self._paths = blueprint.paths
        self._node = build_node(plan, name, birth.life)
        self._ports_by_name = {port.name: port for port in self._node.ports}
        self._engine = Engine(
            self._node,
            node_source(plan, name),
            [direction_source(self._node_plan, each, plan) for each in self._node_plan.interfaces],
            blueprint.epoch,
            SharedBooks(books),
        )
        if birth.conditions is not None:
            self._engine.begin_in(birth.conditions)
        self._engine.on_carrier_changed = self._report_carrier
        self._engine.on_cut = lambda number, books: self._channel.send(("books", number, books))
        self._loop = self._new_loop()
        self._channel = Channel(
            socket.socket(fileno=channel), self._loop, self._handle, self._loop.stop
        )
        os.environ.update(self._node_plan.env)
        if plan.file:
            sys.path.insert(0, str(Path(plan.file).parent))
        self._programs = Programs(self._node_plan)
        self._ports: list[PublishedPort] = []
        self._executing: dict[int, asyncio.Event] = {}
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recent = RecentFrames(RECENT_FRAMES)
        self._may_start = asyncio.Event()
        self._unlogged = 0
        """Lines lost since one was sent."""
        self._exit_code = 0

    def connect(self, wires: list[int]) -> None:
        """Attach wires to all ports."""
        for index, (receiving, sending) in enumerate(zip(wires[::2], wires[1::2], strict=True)):
            self._engine.connect(index, receiving, sending)

    def run(self) -> int:
        """Serve until stopped."""
        asyncio.set_event_loop(self._loop)
        forward_logs(self._log)
        self._spawn(self._start())
        self._loop.run_forever()
        return self._exit_code

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        node = self._node
        if not isinstance(node, HostNode):
            return asyncio.SelectorEventLoop(NodeSelector(self._engine, lambda: False))
        loop = NodeLoop(self._engine)
        loop.attach_host(node.host, self._plan.hosts, path_finder=self._paths.path)
        return loop

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start(self) -> None:
        if self._birth.conditions is not None:
            self._channel.send(("born",))
            await self._may_start.wait()
        try:
            await self._programs.start_services()
            for index, port in enumerate(self._node_plan.ports):
                assert isinstance(self._loop, NodeLoop), "a switch has no ports in its plan"
                number = self._birth.listen[index] if self._birth.listen else port.listen_port
                self._ports.append(
                    await open_port(self._loop, port.listen_host, number, port.host, port.port)
                )
        except Exception as error:  # noqa: BLE001  # users' programs may raise anything
            expected = isinstance(error, NetsimError | OSError)
            reason = str(error) if expected else f"{type(error).__name__}: {error}"
            self._channel.send(("failed", reason))
            await self._channel.drain()
            self._exit_code = 1
            self._loop.stop()
            return
        self._channel.send(("ready", [port.listen for port in self._ports]))

    async def _stop(self) -> None:
        for port in self._ports:
            port.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE):
                await self._programs.stop()
        await self._channel.drain()
        self._loop.stop()

    def _handle(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("start",):
                self._may_start.set()
            case ("go",):
                self._programs.start_run()
            case ("stop",):
                self._spawn(self._stop())
            case ("routes", at, change, dead):
                self._engine.at(at, self._change_routes, (change, dead))
            case ("gone", interface):
                self._engine.hang_up(self._ports_by_name[interface].index)
            case ("wires", interface):
                receiving, sending = (self._channel.take_descriptor() for _ in range(2))
                self._engine.connect(self._ports_by_name[interface].index, receiving, sending)
            case ("conditions", number, at, conditions):
                for interface, condition in conditions.items():
                    self._engine.change(self._ports_by_name[interface].index, condition, at)
                # Put into the agenda behind them, it happens right after them.
                self._engine.at(at, self._answer, number)
            case ("ask", number):
                self._channel.send(("answer", number, self._facts()))
            case ("capture", number, interface, path):
                self._channel.send(("answer", number, self._capture(interface, path)))
            case ("observe",):
                for port, interface in zip(
                    self._node.ports, self._node_plan.interfaces, strict=True
                ):
                    PortObserver(self._node.name, port, interface.link, self._recent)
            case ("frames", number):
                self._channel.send(("answer", number, self._recent.records()))
            case ("cut", number):
                self._engine.cut(number)
            case ("exec", number, argv, cwd, json):
                # Made here: an interrupt may follow at once, before the tool has begun.
                interrupted = self._executing[number] = asyncio.Event()
                self._spawn(self._execute(number, argv, cwd, json, interrupted))
            case ("call", number, call):
                self._calls[number] = self._spawn(self._call(number, call))
            case ("cancel", number):
                if number in self._calls:
                    self._calls[number].cancel()
            case ("interrupt", number):
                if number in self._executing:
                    self._executing[number].set()
            case _:
                raise AssertionError(f"the supervisor sent {message!r}")

    def _capture(self, interface: str | None, path: str) -> str | None:
        """Write every frame of one interface, or of all, to a pcapng file; an error's text."""
        try:
            # Unbuffered: a reader sees each frame at once, and none is lost with the process.
            file = open(path, "wb", buffering=0)  # noqa: SIM115  # open as long as the node
        except OSError as error:
            return f"{path}: {error.strerror}"
        started = time.time_ns() - self._engine.wall()
        tap = PcapngTap(file, hostname=self._node.name, epoch_ns=started)
        for port in self._node.ports:
            if interface in (None, port.name):
                port.taps.append(tap)
        return None

    def _change_routes(
        self, now: int, told: tuple[RouteChange | None, frozenset[int]], _: bytes
    ) -> None:
        change, dead = told
        self._paths.set_dead(dead)
        if change is not None and isinstance(self._node, HostNode):
            change_routes(self._node, change)

    def _answer(self, now: int, number: int, _: bytes) -> None:
        self._channel.send(("answer", number, None))

    def _log(self, level: int, text: str) -> None:
        """Send a line to the supervisor, unless it is too far behind: then it is counted."""
        if self._channel.congested:
            self._unlogged += 1
            return
        if self._unlogged:
            lost, self._unlogged = self._unlogged, 0
            self._channel.send(("log", logging.WARNING, f"{lost} lines came too fast: lost"))
        self._channel.send(("log", level, text))

    def _report_carrier(self, port: Port, now: int) -> None:
        self._channel.send(("carrier", port.name, port.up, now))

    def _facts(self) -> dict[str, Any]:
        facts = node_facts(self._node, self._engine.program_time())
        for interface, lost in zip(facts["interfaces"], self._engine.lost(), strict=True):
            interface["tx"]["dropped"] |= lost
        facts["lateness"] = {**self._engine.lateness.summary(), "resynced": self._engine.resynced}
        return facts

    async def _call(self, number: int, call: bytes) -> None:
        try:
            self._channel.send(("answer", number, await run_call(call)))
        finally:
            del self._calls[number]

    async def _execute(
        self, number: int, argv: list[str], cwd: str, json: bool, interrupted: asyncio.Event
    ) -> None:
        code = 1

        def write(stream: Literal["stdout", "stderr"], data: bytes) -> None:
            self._channel.send(("output", number, stream, data))

        try:
            context = self._terminal(write, interrupted, cwd, json)
            code = await run_tool(argv[0], argv[1:], context)
        except Exception as error:
            logging.getLogger("netsim.tools").exception("%s failed", argv[0])
            write("stderr", f"{argv[0]}: {error}\n".encode())
        finally:
            del self._executing[number]
            self._channel.send(("exit", number, code))

    def _terminal(
        self,
        write: Callable[[Literal["stdout", "stderr"], bytes], None],
        interrupted: asyncio.Event,
        cwd: str,
        json: bool,
    ) -> Context | SwitchContext:
        """What a tool gets to see of this node, and of whoever started it."""
        node, loop = self._node, self._loop
        common: dict[str, Any] = {
            "node": node.name,
            "cwd": Path(cwd),
            "stdout": lambda data: write("stdout", data),
            "stderr": lambda data: write("stderr", data),
            "drain": self._channel.drain,
            "interrupted": interrupted,
            "wall_clock": time.monotonic_ns,
            "json": json,
        }
        if isinstance(node, Switch):
            return SwitchContext(switch=node, now=self._engine.program_time, **common)
        assert isinstance(node, HostNode), "every other kind has a protocol stack"
        assert isinstance(loop, NodeLoop), "and a loop on top of it"
        return Context(loop=loop, host=node.host, name_of=self._paths.owner, **common)
