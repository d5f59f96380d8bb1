"""The process of a node: a site of one, its programs, and a channel to the supervisor.

What the two say to each other is in `netsim.site.messages`.
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
from typing import Any, Final

import setproctitle

from netsim.core.errors import NetsimError
from netsim.gateway.published_ports import PublishedPort, open_port
from netsim.node.attached_node import AttachedNode
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.observe.measurement import Batch
from netsim.realtime.channel import Channel
from netsim.realtime.cut import Counters
from netsim.realtime.engine import Engine
from netsim.realtime.event_loop import NodeLoop, SiteSelector
from netsim.realtime.orphans import Orphans
from netsim.realtime.shared_counters import SharedCounters
from netsim.realtime.standing import tell_when_asked
from netsim.realtime.tap_device import TapDevice
from netsim.site import messages
from netsim.site.backend import ToolRun
from netsim.site.calls import failure, run_call
from netsim.site.end_of_programs import cancellations_unlogged
from netsim.site.messages import Boot, Stream
from netsim.site.paths import PathFinder
from netsim.site.program_output import standard_streams
from netsim.site.programs import Programs, exit_code, exit_words, start_failure
from netsim.topology.plan import NetworkPlan

STOP_GRACE: Final = 1.0
"""Seconds that programs get to shut down before the process ends without them."""
_UNTAKEN: Final = 256 * 1024
"""Bytes that a tool may print before it waits for who reads."""
_CLOSING: Final = 0.3
"""Seconds in which the peers of a machine that shuts down may acknowledge its FINs."""


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
        self.folder = str(Path(plan.file).parent) if plan.file else None
        """Where the topology file and the users' modules are."""


def run(blueprint: Blueprint, boot: Boot, descriptors: list[int]) -> int:
    """Be a node until the supervisor says stop or is gone; returns the exit code.

    `descriptors` are those of the channel, of the memory for its counters, of its TAP device where
    it is attached to one, and of the receiving and the sending end of the wires at each port, if it
    has any yet.
    """
    plan = blueprint.plan.node(boot.node)
    setproctitle.setproctitle(f"netsim:{blueprint.plan.name}/{boot.node}")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(plan.env)
    if blueprint.folder is not None:
        sys.path.insert(0, blueprint.folder)
    channel, counters, *wires = descriptors
    tap = None if plan.tap is None else wires.pop(0)
    process = SiteProcess(blueprint, boot, channel, counters, tap)
    process.connect(wires)
    process.occupy()
    return process.run()


class SiteProcess:
    """A site with its engine, loop, programs and channel."""

    def __init__(
        self, blueprint: Blueprint, boot: Boot, channel: int, counters: int, tap: int | None
    ) -> None:
        plan = self._plan = blueprint.plan
        self._boot = boot
        self._node_plan = plan.node(boot.node)
        self._engine = Engine(
            plan, blueprint.epoch, paths=blueprint.paths, counters=SharedCounters(counters)
        )
        self._site = self._engine.site
        self._node = self._engine.add(boot.node, boot.boots, boot.conditions)
        if tap is not None:
            assert isinstance(self._node, AttachedNode), "only an attached node has a TAP device"
            self._engine.attach(self._node, TapDevice(tap))
        self._site.on_carrier_changed = self._report_carrier
        self._engine.on_cut = self._report_cut
        self._loop = self._new_loop()
        self._channel = Channel(
            socket.socket(fileno=channel), self._loop, self._handle, self._loop.stop
        )
        self._programs = self._new_programs()
        self._published: list[PublishedPort] = []
        self._running: dict[int, asyncio.Event] = {}
        """What interrupts the tools that run."""
        self._untaken: dict[int, asyncio.Event] = {}
        """Of tools that wait until what they have printed is taken."""
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._may_start = asyncio.Event()
        self._unlogged = 0
        """Lines lost since one was sent."""
        self._exit_code = 0

    def connect(self, wires: list[int]) -> None:
        """Attach wires to all ports."""
        if wires:
            ends = zip(self._node.ports, wires[::2], wires[1::2], strict=True)
            for port, receiving, sending in ends:
                self._engine.connect(port, receiving, sending)

    def occupy(self) -> None:
        """Make event loop, output and children of the whole process those of the node."""
        asyncio.set_event_loop(self._loop)
        Orphans(self._loop).install()
        self._forward_output()
        tell_when_asked()

    def close(self) -> None:
        """Give the descriptors back, where the process goes on."""
        self._channel.close()
        self._engine.close()
        self._loop.close()

    def run(self) -> int:
        """Serve until stopped."""
        self._continue_captures()
        self._spawn(self._start())
        try:
            self._loop.run_forever()
        except SystemExit as error:
            # A program has ended its computer.
            self._exit_code = exit_code(error)
            if words := exit_words(error):
                self._log(logging.WARNING, words)
        finally:
            # A program that ends, whichever way, leaves its sockets to its kernel.
            if isinstance(self._loop, NodeLoop):
                self._loop.close_sockets()
        return self._exit_code

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        node = self._node
        if not isinstance(node, HostNode):
            return asyncio.SelectorEventLoop(SiteSelector(self._engine, lambda: False))
        loop = NodeLoop(self._engine, node.name)
        paths = self._site.paths
        loop.attach_host(node.host, paths.hosts_table_of(node.name), path_finder=paths.path)
        self._site.loops[node.name] = loop
        return loop

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Starting and stopping

    async def _start(self) -> None:
        if self._boot.conditions is not None:
            self._channel.send(messages.Booted(self._boot.node))
            await self._may_start.wait()
        try:
            await self._programs.start_services()
            for index, port in enumerate(self._node_plan.ports):
                assert isinstance(self._loop, NodeLoop), "a switch publishes no ports"
                number = self._boot.listen[index] if self._boot.listen else port.listen_port
                self._published.append(
                    await open_port(self._loop, port.listen_host, number, port.host, port.port)
                )
        except Exception as error:  # noqa: BLE001  # users' programs may raise anything
            self._channel.send(messages.Failed(self._boot.node, start_failure(error)))
            await self._channel.drain()
            self._exit_code = 1
            self._loop.stop()
            return
        listening = tuple(port.listen for port in self._published)
        self._channel.send(messages.Ready(self._boot.node, listening))

    async def _stop(self) -> None:
        for port in self._published:
            port.close()
        with contextlib.suppress(TimeoutError), cancellations_unlogged(self._loop):
            async with asyncio.timeout(STOP_GRACE):
                await self._programs.stop()
        await self._close_connections()
        await self._channel.drain()
        self._loop.stop()

    async def _close_connections(self) -> None:
        if isinstance(self._loop, NodeLoop):
            self._loop.close_sockets()
            await self._site.until_closed(self._node.name, _CLOSING)

    # Messages

    def _handle(self, message: Any) -> None:
        handle = _HANDLERS.get(type(message))
        assert handle is not None, f"the supervisor sent {message!r}"
        handle(self, message)

    def _start_services(self, message: messages.StartServices) -> None:
        self._may_start.set()

    def _new_programs(self) -> Programs:
        name = self._boot.node
        programs = self._site.programs[name] = Programs(
            self._node_plan,
            lambda text: self._channel.send(messages.ProgramFailed(name, text)),
        )
        return programs

    def _start_programs(self, message: messages.StartPrograms) -> None:
        self._spawn(self._run_programs(message.number))

    async def _run_programs(self, number: int) -> None:
        try:
            await self._programs.start_run(self._listened_at)
        except NetsimError as error:
            self._answer(number, str(error))
        else:
            self._answer(number, None)

    def _listened_at(self, port: int) -> list[bytes | None]:
        return self._node.host.tcp.listened_at(port) if isinstance(self._node, HostNode) else []

    def _begin_stop(self, message: messages.Stop) -> None:
        self._spawn(self._stop())

    def _attach_wires(self, message: messages.AttachWires) -> None:
        receiving, sending = (self._channel.take_descriptor() for _ in range(2))
        port = self._site.port(message.node, message.interface)
        self._engine.connect(port, receiving, sending)

    def _hang_up(self, message: messages.NeighbourGone) -> None:
        self._engine.hang_up(self._site.port(message.node, message.interface))

    def _change_links(self, message: messages.ChangeLinks) -> None:
        self._site.change_links(message.at, message.changes)
        self._site.schedule(message.at, self._answer_when_due, message.number)

    def _set_faults(self, message: messages.SetFaults) -> None:
        self._site.set_faults(message.at, message.faults)
        self._site.schedule(message.at, self._answer_when_due, message.number)

    def _kill_program(self, message: messages.KillProgram) -> None:
        loop = self._loop
        assert isinstance(loop, NodeLoop), "no program runs on a switch"
        ours = {*self._tasks, *self._calls.values(), asyncio.current_task(loop)}
        for task in asyncio.all_tasks(loop) - ours:
            task.cancel()
        for number, task in self._calls.items():
            task.cancel()
            self._answer(number, failure(ConnectionError(f"what ran on {message.node} was killed")))
        for interrupt in self._running.values():
            interrupt.set()
        loop.close_sockets()
        self._programs = self._new_programs()
        self._answer(message.number, None)

    def _start_program(self, message: messages.StartProgram) -> None:
        self._spawn(self._start_again(message.number))

    async def _start_again(self, number: int) -> None:
        try:
            await self._programs.start_services()
        except Exception as error:  # noqa: BLE001  # users' programs may raise anything
            self._answer(number, start_failure(error))
        else:
            await self._run_programs(number)

    def _pause(self, message: messages.Pause) -> None:
        loop = self._loop
        assert isinstance(loop, NodeLoop), "no program runs on a switch"
        loop.is_paused = message.paused
        self._engine.set_mute(message.node, message.paused)
        self._answer(message.number, None)

    def _install_routes(self, message: messages.InstallRoutes) -> None:
        self._site.install_routes(message.at, message.changes, message.dead)

    def _tell_facts(self, message: messages.AskFacts) -> None:
        facts = self._site.facts(message.node)
        lost = self._engine.lost(message.node)
        for interface, reasons in zip(facts["interfaces"], lost, strict=True):
            interface["tx"]["dropped"] |= reasons
        facts["lateness"] = {**self._engine.lateness.summary(), "resynced": self._engine.resynced}
        self._answer(message.number, facts)

    def _capture(self, message: messages.Capture) -> None:
        try:
            self._site.capture(message.node, message.target)
        except OSError as error:
            self._answer(message.number, f"{message.target.path}: {error.strerror}")
        else:
            self._answer(message.number, None)

    def _continue_captures(self) -> None:
        for target in self._boot.captures:
            try:
                self._site.capture(self._boot.node, target)
            except OSError as error:
                self._log(logging.WARNING, f"the capture ends: {target.path}: {error.strerror}")

    def _record(self, message: messages.Record) -> None:
        recording = message.recording

        def tell(batch: Batch) -> None:
            self._channel.send(messages.Recorded(recording, batch))

        self._site.recorder.begin(recording, message.watched, message.every_ns, message.at, tell)

    def _end_recording(self, message: messages.EndRecording) -> None:
        self._answer(message.number, self._site.recorder.end(message.recording))

    def _observe_frames(self, message: messages.ObserveFrames) -> None:
        self._site.observe_frames()

    def _tell_frames(self, message: messages.AskFrames) -> None:
        self._answer(message.number, self._site.watch.recent_frames())

    def _cut(self, message: messages.Cut) -> None:
        self._engine.cut(message.number)

    def _run_tool(self, message: messages.RunTool) -> None:
        # Made here: an interrupt may follow at once, before the tool has begun.
        interrupt = self._running[message.number] = asyncio.Event()
        self._spawn(self._execute(message, interrupt))

    def _go_on(self, message: messages.OutputTaken) -> None:
        if message.number in self._untaken:
            self._untaken.pop(message.number).set()

    def _interrupt(self, message: messages.Interrupt) -> None:
        if message.number in self._running:
            self._running[message.number].set()

    def _begin_call(self, message: messages.Call) -> None:
        self._calls[message.number] = self._spawn(self._call(message))

    def _cancel_call(self, message: messages.CancelCall) -> None:
        if message.number in self._calls:
            self._calls[message.number].cancel()

    def _answer(self, number: int, value: Any) -> None:
        self._channel.send(messages.Answer(number, value))

    def _answer_when_due(self, now: int, number: int, _: bytes) -> None:
        self._answer(number, None)

    async def _call(self, message: messages.Call) -> None:
        try:
            self._answer(message.number, await run_call(message.call))
        finally:
            del self._calls[message.number]

    async def _execute(self, message: messages.RunTool, interrupt: asyncio.Event) -> None:
        number = message.number
        printed = 0

        def output(stream: Stream, data: bytes) -> None:
            nonlocal printed
            printed += len(data)
            self._channel.send(messages.Output(number, stream, data))

        async def drain() -> None:
            nonlocal printed
            await self._channel.drain()
            if printed > _UNTAKEN:
                printed = 0
                taken = self._untaken[number] = asyncio.Event()
                self._channel.send(messages.AskTaken(number))
                await taken.wait()

        code = 1
        try:
            code = await self._site.run_tool(
                message.node,
                ToolRun(
                    argv=message.argv,
                    cwd=message.cwd,
                    output=output,
                    interrupt=interrupt,
                    json=message.json,
                ),
                drain=drain,
                wall_clock=time.monotonic_ns,
            )
        finally:
            del self._running[number]
            self._untaken.pop(number, None)
            self._channel.send(messages.Exited(number, code))

    # Reports

    def _report_carrier(self, node: str, port: Port, now: int) -> None:
        self._channel.send(messages.CarrierChanged(node, port.name, port.up, now))

    def _report_cut(self, number: int, counters: Counters) -> None:
        self._channel.send(messages.CutDone(number, counters))

    def _forward_output(self) -> None:
        """Send everything that this process logs or prints to the supervisor."""
        root = logging.getLogger()
        # Handlers of the supervisor's, if any, belong to its files: they are not even closed.
        root.handlers = [_LogHandler(self._log)]
        root.setLevel(logging.INFO)
        sys.stdout, sys.stderr = standard_streams(self._log)

    def _log(self, level: int, text: str) -> None:
        """Send a line to the supervisor, unless it is too far behind: then it is counted."""
        if self._channel.congested:
            self._unlogged += 1
            return
        if self._unlogged:
            lost, self._unlogged = self._unlogged, 0
            self._log(logging.WARNING, f"{lost} lines came too fast: lost")
        self._channel.send(messages.Logged(self._boot.node, level, text))


class _LogHandler(logging.Handler):
    def __init__(self, forward: Callable[[int, str], None]) -> None:
        super().__init__()
        self._forward = forward

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            self._forward(record.levelno, line)


_HANDLERS: Final[dict[type, Callable[[SiteProcess, Any], None]]] = {
    messages.StartServices: SiteProcess._start_services,
    messages.StartPrograms: SiteProcess._start_programs,
    messages.Stop: SiteProcess._begin_stop,
    messages.AttachWires: SiteProcess._attach_wires,
    messages.NeighbourGone: SiteProcess._hang_up,
    messages.ChangeLinks: SiteProcess._change_links,
    messages.SetFaults: SiteProcess._set_faults,
    messages.KillProgram: SiteProcess._kill_program,
    messages.StartProgram: SiteProcess._start_program,
    messages.Pause: SiteProcess._pause,
    messages.InstallRoutes: SiteProcess._install_routes,
    messages.AskFacts: SiteProcess._tell_facts,
    messages.Capture: SiteProcess._capture,
    messages.Record: SiteProcess._record,
    messages.EndRecording: SiteProcess._end_recording,
    messages.ObserveFrames: SiteProcess._observe_frames,
    messages.AskFrames: SiteProcess._tell_frames,
    messages.Cut: SiteProcess._cut,
    messages.RunTool: SiteProcess._run_tool,
    messages.OutputTaken: SiteProcess._go_on,
    messages.Interrupt: SiteProcess._interrupt,
    messages.Call: SiteProcess._begin_call,
    messages.CancelCall: SiteProcess._cancel_call,
}
