"""What runs in the process of one node.

The supervisor and the node exchange tuples over a channel, named in the tables below.

    to the node                                from the node
    ("go",)                                    ("ready", ports)
    ("stop",)                                  ("failed", reason)
    ("routes", at, own, all)                   ("carrier", interface, up, at)
    ("ask", number, what)                      ("answer", number, facts)
    ("capture", number, interface, path)       ("answer", number, None or an error's text)
    ("cut", number)                            ("books", number, books)
    ("exec", number, argv, cwd, json)          ("output", number, stream, data)
    ("interrupt", number)                      ("exit", number, code)
                                               ("log", level, text)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import setproctitle

from netsim.core.errors import NetsimError
from netsim.gateway.ports import Port as GatewayPort
from netsim.gateway.ports import open_port
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.observe.capture import PcapngTap
from netsim.runtime.build import build_node, direction_source, install_routes, node_source
from netsim.runtime.facts import node_facts
from netsim.runtime.paths import PathFinder
from netsim.runtime.process.channel import Channel
from netsim.runtime.process.engine import Engine
from netsim.runtime.process.node_log import forward_logs
from netsim.runtime.process.node_loop import NodeLoop
from netsim.runtime.process.programs import Programs
from netsim.runtime.process.selector import NodeSelector
from netsim.runtime.process.wire import WireReceiver, WireSender
from netsim.tools.context import Context, SwitchContext
from netsim.tools.program import run_tool
from netsim.topology.plan import NetworkPlan, RoutePlan

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


def run(blueprint: Blueprint, name: str, descriptors: list[int]) -> int:
    """Be the node `name` until the supervisor says stop or is gone; returns the exit code."""
    setproctitle.setproctitle(f"netsim: {blueprint.plan.name}/{name}")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel, *wires = descriptors
    process = NodeProcess(blueprint, name, channel, wires[::2], wires[1::2])
    return process.run()


class NodeProcess:
    """One node with its engine, loop, programs and channel."""

    def __init__(
        self,
        blueprint: Blueprint,
        name: str,
        channel: int,
        receivers: list[int],
        senders: list[int],
    ) -> None:
        plan = self._plan = blueprint.plan
        self._node_plan = plan.node(name)
        self._paths = blueprint.paths
        self._node = build_node(plan, name)
        self._engine = Engine(
            self._node,
            node_source(plan, name),
            [direction_source(self._node_plan, each, plan) for each in self._node_plan.interfaces],
            blueprint.epoch,
        )
        self._engine.connect(
            [WireReceiver(descriptor) for descriptor in receivers],
            [WireSender(descriptor) for descriptor in senders],
        )
        self._engine.on_carrier_lost = self._report_carrier
        self._engine.on_cut = lambda number, books: self._channel.send(("books", number, books))
        self._loop = self._new_loop()
        self._channel = Channel(
            socket.socket(fileno=channel), self._loop, self._handle, self._loop.stop
        )
        self._programs = Programs(self._node_plan, plan.file)
        self._ports: list[GatewayPort] = []
        self._executing: dict[int, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._exit_code = 0

    def run(self) -> int:
        """Serve until stopped."""
        asyncio.set_event_loop(self._loop)
        forward_logs(lambda level, text: self._channel.send(("log", level, text)))
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

    def _spawn(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        try:
            await self._programs.start_services()
            for port in self._node_plan.ports:
                assert isinstance(self._loop, NodeLoop), "a switch has no ports in its plan"
                self._ports.append(
                    await open_port(
                        self._loop, port.listen_host, port.listen_port, port.host, port.port
                    )
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
            case ("go",):
                self._programs.start_run()
            case ("stop",):
                self._spawn(self._stop())
            case ("routes", at, own, everybody):
                self._engine.at(at, self._install_routes, (own, everybody))
            case ("ask", number):
                self._channel.send(("answer", number, self._facts()))
            case ("capture", number, interface, path):
                self._channel.send(("answer", number, self._capture(interface, path)))
            case ("cut", number):
                self._engine.cut(number)
            case ("exec", number, argv, cwd, json):
                # Made here: an interrupt may follow at once, before the tool has begun.
                interrupted = self._executing[number] = asyncio.Event()
                self._spawn(self._execute(number, argv, cwd, json, interrupted))
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

    def _install_routes(
        self,
        now: int,
        routes: tuple[tuple[RoutePlan, ...], dict[str, tuple[RoutePlan, ...]]],
        _: bytes,
    ) -> None:
        own, everybody = routes
        self._paths.routes = everybody
        if isinstance(self._node, HostNode):
            install_routes(self._node, own)

    def _report_carrier(self, port: Port, now: int) -> None:
        self._channel.send(("carrier", port.name, port.up, now))

    def _facts(self) -> dict[str, Any]:
        facts = node_facts(self._node, self._engine.program_time())
        for interface, lost in zip(facts["interfaces"], self._engine.lost(), strict=True):
            interface["tx"]["dropped"] |= lost
        facts["lateness"] = {**self._engine.lateness.summary(), "resynced": self._engine.resynced}
        return facts

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
