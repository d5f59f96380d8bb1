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
from collections.abc import Callable, Sequence
from typing import Any, Final

import setproctitle

from netsim.gateway.published_ports import PublishedPort, open_ports
from netsim.interception.process_calls import ExecCalls
from netsim.node.attached_node import AttachedNode
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.realtime import host_name
from netsim.realtime.blueprint import Blueprint
from netsim.realtime.channel import Channel
from netsim.realtime.cut import Counters
from netsim.realtime.engine import Engine
from netsim.realtime.event_loop import NodeLoop, SiteSelector, SlowNodeLoop
from netsim.realtime.forwarded_lines import ForwardedLines
from netsim.realtime.jobs import Jobs
from netsim.realtime.orphans import Orphans
from netsim.realtime.outside_sockets import DialledSockets
from netsim.realtime.process_state import ProcessState
from netsim.realtime.program_lives import ProgramLives
from netsim.realtime.shared_counters import SharedCounters
from netsim.realtime.site_observations import SiteObservations
from netsim.realtime.standing import tell_when_asked
from netsim.realtime.tap_device import TapDevice
from netsim.site import messages
from netsim.site.directories import ComputerDirectory
from netsim.site.end_of_programs import cancellations_unlogged, close_logs
from netsim.site.messages import Boot
from netsim.site.programs import exit_code, exit_words, start_failure
from netsim.sockets import installation

STOP_GRACE: Final = 1.0
"""Seconds that programs get to shut down before the process ends without them."""
_CLOSING: Final = 0.3
"""Seconds in which the peers of a machine that shuts down may acknowledge its FINs."""

_log = logging.getLogger("netsim.realtime")


def preload() -> None:
    """For the zygote: import what nodes need, the modules above and these used by few, and put in
    place what they exchange."""
    import netsim.services.files
    import netsim.services.httpbin  # noqa: F401

    installation.prepare()


def run(blueprint: Blueprint, boot: Boot, descriptors: list[int]) -> int:
    """Be a node until the supervisor says stop or is gone; returns the exit code.

    `descriptors` are those of the channel, of the memory for its counters, of its TAP device where
    it is attached to one, of the real ports that it publishes, and of the receiving and the sending
    end of the wires at each port, if it has any yet.
    """
    plan = blueprint.plan.node(boot.node)
    setproctitle.setproctitle(f"netsim:{blueprint.plan.name}/{boot.node}")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    shared = ""
    if blueprint.network is not None:
        shared = blueprint.network.leave(for_another=plan.traits.runs_programs)
    os.environ.update(plan.env)
    host_name.take(boot.node)
    if blueprint.folder is not None:
        sys.path.insert(0, blueprint.folder)
    channel, counters, *wires = descriptors
    tap = None if plan.tap is None else wires.pop(0)
    bound = [socket.socket(fileno=wires.pop(0)) for _ in plan.ports]
    process = SiteProcess(blueprint, boot, channel, counters, tap, bound)
    process.connect(wires)
    process.occupy()
    if shared:
        _log.warning(
            "C code of its programs, and what they start, meet that of other nodes at one "
            "loopback, as it can have none of its own: %s",
            shared,
        )
    return process.run()


class SiteProcess:
    """A site with its engine, loop, programs and channel."""

    def __init__(
        self,
        blueprint: Blueprint,
        boot: Boot,
        channel: int,
        counters: int,
        tap: int | None = None,
        bound: Sequence[socket.socket] = (),
    ) -> None:
        plan = self._plan = blueprint.plan
        self._boot = boot
        self._node_plan = plan.node(boot.node)
        self._engine = Engine(
            plan, blueprint.clock, paths=blueprint.paths, counters=SharedCounters(counters)
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
        self._dialled = DialledSockets(boot.node, self._channel)
        if isinstance(self._loop, NodeLoop):
            self._loop.outside.dial = self._dialled.dial
        self._jobs = Jobs(self._site, self._channel, self._spawn)
        self._lines = ForwardedLines(boot.node, self._channel)
        self._observations = SiteObservations(self._site, self._channel)
        self._bound = bound
        """What it is to publish ports at."""
        self._published: list[PublishedPort] = []
        self._tasks: set[asyncio.Task[None]] = set()
        directory = None
        if boot.directory and isinstance(self._node, HostNode):
            directory = ComputerDirectory(os.path.join(boot.directory, boot.node))
        self._lives = ProgramLives(
            self._node_plan,
            self._site,
            self._loop,
            self._channel,
            self._jobs,
            self._lines,
            ProcessState(blueprint.folder, directory),
            self._spawn,
            self._tasks,
        )
        self._handlers = self._new_handlers()
        self._may_start = asyncio.Event()
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
        if isinstance(loop := self._loop, NodeLoop):
            # Whatever runs here is the node's, in whichever thread.
            machine = None if self._node_plan.outside else loop
            installation.install(lambda: machine)
            ExecCalls().install()
        Orphans(self._loop).install()
        self._lines.forward()
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
                self._lines.log(logging.WARNING, words)
        finally:
            # A program that ends, whichever way, leaves its sockets to its kernel.
            if isinstance(self._loop, NodeLoop):
                self._loop.close_sockets()
        return self._exit_code

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        node = self._node
        if not isinstance(node, HostNode):
            return asyncio.SelectorEventLoop(SiteSelector(self._engine, lambda: False))
        kind_of_loop = SlowNodeLoop if self._engine.is_slow else NodeLoop
        loop = kind_of_loop(self._engine, node.name)
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
            await self._lives.begin()
            if self._node_plan.ports:
                assert isinstance(self._loop, NodeLoop), "a switch publishes no ports"
                self._published = await open_ports(self._loop, self._node_plan.ports, self._bound)
        except Exception as error:  # noqa: BLE001  # users' programs may raise anything
            self._channel.send(messages.Failed(self._boot.node, start_failure(error)))
            await self._channel.drain()
            self._exit_code = 1
            self._loop.stop()
            return
        listening = tuple(port.listen for port in self._published)
        self._channel.send(messages.Ready(self._boot.node, listening))

    def _continue_captures(self) -> None:
        for target in self._boot.captures:
            try:
                self._site.capture(self._boot.node, target)
            except OSError as error:
                self._lines.log(
                    logging.WARNING, f"the capture ends: {target.path}: {error.strerror}"
                )

    async def _stop(self) -> None:
        for port in self._published:
            port.close()
        with contextlib.suppress(TimeoutError), cancellations_unlogged(self._loop):
            async with asyncio.timeout(STOP_GRACE):
                await self._lives.stop()
        if self._lines.is_forwarding:
            close_logs()
        await self._close_connections()
        self._site.live_taps.flush()
        self._site.watch.finish_captures()
        await self._channel.drain()
        self._loop.stop()

    async def _close_connections(self) -> None:
        if isinstance(self._loop, NodeLoop):
            self._loop.close_sockets()
            await self._site.until_closed(self._node.name, _CLOSING)

    # Messages

    def _handle(self, message: Any) -> None:
        handle = self._handlers.get(type(message))
        assert handle is not None, f"the supervisor sent {message!r}"
        handle(message)

    def _new_handlers(self) -> dict[type, Callable[[Any], None]]:
        return {
            messages.StartServices: self._start_services,
            messages.StartPrograms: self._lives.start_run,
            messages.Stop: self._begin_stop,
            messages.AttachWires: self._attach_wires,
            messages.NeighbourGone: self._hang_up,
            messages.ChangeLinks: self._change_links,
            messages.SetFaults: self._set_faults,
            messages.KillProgram: self._lives.kill,
            messages.StartProgram: self._lives.start_again,
            messages.Pause: self._pause,
            messages.InstallRoutes: self._install_routes,
            messages.AskFacts: self._tell_facts,
            messages.Capture: self._observations.capture,
            messages.BeginCapture: self._observations.begin_capture,
            messages.EndCapture: self._observations.end_capture,
            messages.BeginHops: self._observations.begin_hops,
            messages.EndHops: self._observations.end_hops,
            messages.Record: self._observations.record,
            messages.EndRecording: self._observations.end_recording,
            messages.ObserveFrames: self._observations.observe_frames,
            messages.AskFrames: self._observations.tell_frames,
            messages.Cut: self._cut,
            messages.Dialled: self._dialled.dialled,
            messages.RunTool: self._jobs.run_tool,
            messages.OutputTaken: self._jobs.output_taken,
            messages.Interrupt: self._jobs.interrupt,
            messages.Call: self._jobs.call,
            messages.CancelCall: self._jobs.cancel_call,
        }

    def _start_services(self, message: messages.StartServices) -> None:
        self._may_start.set()

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

    def _cut(self, message: messages.Cut) -> None:
        self._engine.cut(message.number)

    def _answer(self, number: int, value: Any) -> None:
        self._channel.send(messages.Answer(number, value))

    def _answer_when_due(self, now: int, number: int, _: bytes) -> None:
        self._answer(number, None)

    # Reports

    def _report_carrier(self, node: str, port: Port, now: int) -> None:
        self._channel.send(messages.CarrierChanged(node, port.name, port.up, now))

    def _report_cut(self, number: int, counters: Counters) -> None:
        self._channel.send(messages.CutDone(number, counters))
