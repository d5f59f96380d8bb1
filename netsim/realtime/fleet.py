"""The processes of a network: started all or none, wired to each other, ended without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from netsim.core.errors import NotRespondingError, StartError
from netsim.core.link_attributes import LinkCondition
from netsim.realtime import cabling
from netsim.realtime.cabling import Cabling
from netsim.realtime.launcher import Launcher
from netsim.realtime.node_handle import NodeHandle
from netsim.realtime.shared_counters import new_memory, read_counters
from netsim.realtime.standing import line_of
from netsim.realtime.tap_device import TapDevice, open_tap, set_mtu
from netsim.site import messages
from netsim.site.accounting import Accounting
from netsim.site.backend import Progress
from netsim.site.messages import READY_TIMEOUT, Boot
from netsim.site.users_lines import blocks
from netsim.topology.plan import NetworkPlan

START_TIMEOUT: Final = 30.0
"""Seconds that a network of any size gets to come up, plus `START_TIMEOUT_PER_NODE` for each."""
START_TIMEOUT_PER_NODE: Final = 0.1
_GONE_TIMEOUT: Final = 1.0
"""Seconds to wait for the channels of killed nodes to end: what a program has forked may hold
one, and does not hold up the end of the network."""
FIRST_STEPS: Final = 1.0
"""Seconds that programs get to begin, where nothing says when they serve."""
_LATE: Final = 10.0
"""Seconds in which a node tells that `ready` did not come true: one that is blocked never does."""
KILL_TIMEOUT: Final = 5.0
"""Seconds within which a process that was killed is reported as ended."""
_LAUNCHES_AT_ONCE: Final = 32
"""Launches under way: their descriptors are in flight, which the kernel limits."""


class Fleet:
    """Every node's process. What nodes that are gone had counted is in `accounting`.

    `on_message(node, message)` hears what nodes say of their own accord; `on_ended(node)` is
    called when a process has ended, `on_launcher_lost(text)` when the launcher has, with all nodes.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        on_message: Callable[[NodeHandle, Any], None],
        on_ended: Callable[[NodeHandle], None],
        on_launcher_lost: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._plan = plan
        self._epoch = 0
        self._new_launcher: Callable[[], Launcher]
        self._lost: list[asyncio.Task[None]] = []
        """What cleans up after launchers that are gone."""
        self._launcher: Launcher | None = None
        self._on_message = on_message
        self._on_ended = on_ended
        self._on_launcher_lost = on_launcher_lost
        self.accounting = Accounting(plan)
        self.nodes = {node.name: NodeHandle(node.name) for node in plan.nodes}
        """The present boot of every node, or the last."""
        self.changes = 0
        """Grows whenever a node ends or is connected."""
        self._by_pid: dict[int, NodeHandle] = {}
        self._asked: dict[str, deque[NodeHandle]] = {}
        """Boots that the launcher has not answered for yet, which it does in this order. One that
        stood still may do so when another boot of the node is under way."""
        self._launches = asyncio.Semaphore(_LAUNCHES_AT_ONCE)
        self._launching: asyncio.Task[None] | None = None
        self._answered: asyncio.Queue[NodeHandle] = asyncio.Queue()
        self._cabling = Cabling(plan)
        self._taps: dict[str, TapDevice] = {}
        """By node."""
        self._ending = False

    # All of them

    async def start(
        self,
        launcher: Launcher,
        epoch: int,
        on_progress: Progress | None,
        new_launcher: Callable[[], Launcher],
    ) -> None:
        """Launch every node and wait until all are ready.

        `new_launcher` makes another one, for nodes that start after the first is gone. StartError
        names the first node that did not come up and the reason; `stop` has to be called then, too.
        """
        cabling.raise_descriptor_limit()
        self._launcher, self._epoch, self._new_launcher = launcher, epoch, new_launcher
        launcher.open(self._plan, epoch, self)
        self._launching = asyncio.create_task(self._launch_all())
        limit = START_TIMEOUT + START_TIMEOUT_PER_NODE * len(self.nodes)
        try:
            async with asyncio.timeout(limit):
                await self._all_ready(on_progress)
        except TimeoutError:
            silent = [node.name for node in self.nodes.values() if not node.ready]
            raise StartError(
                f"{', '.join(silent[:5])} did not answer within {limit:.0f} s"
            ) from None
        finally:
            self._launching.cancel()
        await asyncio.gather(
            *(self._start_programs(node) for node in self.nodes.values() if node.alive)
        )

    async def stop(self, grace: float) -> None:
        """Let programs shut down for `grace` seconds, then SIGKILL; nothing is left."""
        self._ending = True
        if self._launching is not None:
            self._launching.cancel()
        launched = [node for node in self.nodes.values() if node.pid is not None]
        for node in launched:
            node.stopped = node.stopped or not node.ended.is_set()
            node.send(messages.Stop())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                for node in launched:
                    await node.ended.wait()
        if self._launcher is not None:
            await self._launcher.end()
        await asyncio.gather(*self._lost)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_TIMEOUT):
                for node in launched:
                    # The end of file proves it gone, even if nobody reaped it.
                    await node.gone.wait()
        for node in self.nodes.values():
            node.close()
            self._close_counters(node)
        for tap in self._taps.values():
            os.close(tap.descriptor)
        self._taps.clear()
        self._cabling.close()

    def kill(self) -> None:
        """SIGKILL everything now; `stop` still has to be awaited."""
        self._ending = True
        if self._launcher is not None:
            self._launcher.kill()

    async def _launch_all(self) -> None:
        for plan in self._plan.nodes:
            node = self.nodes[plan.name]
            try:
                await self._launch(node, Boot(plan.name))
            except Exception as error:  # noqa: BLE001  # the start has failed, whatever it is
                node.failure = f"cannot be launched: {error}"
                self._has_answered(node)
                return
            await asyncio.sleep(0)

    async def _all_ready(self, on_progress: Progress | None) -> None:
        for ready in range(1, len(self.nodes) + 1):
            node = await self._answered.get()
            await _hear_out(node)
            _check_up(node)
            if on_progress is not None:
                on_progress(ready, len(self.nodes))
        for node in self.nodes.values():
            _check_up(node)

    # One of them

    async def kill_node(self, name: str) -> None:
        """SIGKILL a node's process; returns when it is gone and its counters are read.

        NotRespondingError when its end is not reported.
        """
        node = self.nodes[name]
        if node.counters < 0 or self._launcher is None:
            return
        self._launcher.kill_node(name)
        try:
            async with asyncio.timeout(KILL_TIMEOUT):
                await node.ended.wait()
        except TimeoutError:
            raise NotRespondingError(
                f"{name} was killed, and {self._launcher.name}, which reaps nodes, does not "
                "answer; kill -CONT lets a stopped process go on"
            ) from None

    async def stop_node(self, name: str, grace: float) -> None:
        """Let a node's programs shut down for `grace` seconds, and end it."""
        node = self.nodes[name]
        if node.ended.is_set():
            return
        node.stopped = True
        node.send(messages.Stop())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await node.ended.wait()
        await self.kill_node(name)

    async def start_node(
        self,
        name: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        """Start a node again, with new wires to those of its neighbours that are up.

        `connect` plugs them in. StartError when it is not down, or does not come up.
        """
        old = self.nodes[name]
        if not old.ended.is_set():
            raise StartError(f"{name} is up already; crash or stop it first")
        if self._ending:
            raise StartError(f"{name} cannot start: the network is stopping")
        node = self.nodes[name] = NodeHandle(name, old.boots + 1)
        node.ports = old.ports
        node.captures = old.captures
        try:
            # What it said last may still be on its way.
            await _wait(old.gone)
            old.close()
            listen = tuple(port for _, port in old.ports)
            captures = tuple(old.captures)
            await self._launch(node, Boot(name, node.boots, conditions, listen, captures))
            async with asyncio.timeout(START_TIMEOUT):
                await node.booted.wait()
                if node.up:
                    for interface in self._plan.node(name).interfaces:
                        if self.nodes[interface.peer].up:
                            self._connect(interface.link)
                    await connect()
                node.send(messages.StartServices(name))
                await node.answered.wait()
                await _hear_out(node)
            _check_up(node)
            await self._start_programs(node)
        except BaseException as error:
            await asyncio.shield(self._undo_start(node))
            if isinstance(error, TimeoutError):
                text = f"{name} did not answer within {START_TIMEOUT:.0f} s"
                if node.pid is None and self._launcher is not None:
                    text += f": nor did {self._launcher.name}, which starts nodes"
                raise StartError(text) from None
            if isinstance(error, OSError):
                raise StartError(f"{name}: cannot be launched: {error}") from error
            raise

    async def _start_programs(self, node: NodeHandle) -> None:
        """Have `run:` start; StartError when what says that it serves does not come true."""
        plan = self._plan.node(node.name)
        if not plan.run and plan.ready is None:
            return
        limit = FIRST_STEPS if plan.ready is None else READY_TIMEOUT + _LATE
        try:
            async with asyncio.timeout(limit):
                failure = await node.question(messages.StartPrograms(node.next_number()))
        except TimeoutError:
            if plan.ready is None:
                return  # one that blocks its computer is no reason for the others not to start
            failure = f"`ready: {plan.ready}` was not answered within {limit:g} s"
            if node.pid is not None and (line := await line_of(node.pid)):
                failure += f"; {blocks(line)}"
        except ConnectionError as error:
            # It is gone, and is reported like any end.
            await _wait(node.ended)
            if plan.ready is None:
                return
            raise StartError(f"{node.name}: {node.how_it_ended}", logged_by=node.name) from error
        if failure is not None:
            raise StartError(f"{node.name}: {failure}")

    async def _undo_start(self, node: NodeHandle) -> None:
        with contextlib.suppress(NotRespondingError):
            await self.kill_node(node.name)
        node.close()
        node.ended.set()

    def _connect(self, link: int) -> None:
        """Two new wires between two nodes that are up."""
        self.changes += 1
        for name, interface, descriptors in self._cabling.new_ends(link):
            self.nodes[name].send(messages.AttachWires(name, interface), descriptors)

    async def _launch(self, node: NodeHandle, boot: Boot) -> None:
        await self._launches.acquire()
        if self._ending:
            raise StartError(f"{node.name}: the network is stopping")
        if self._launcher is None:
            self._launcher = self._new_launcher()
            self._launcher.open(self._plan, self._epoch, self)
        ours, theirs = socket.socketpair()
        node.attach(ours, self._hear)
        closing: list[Callable[[], None]] = [theirs.close]
        try:
            node.counters = new_memory(len(self._plan.node(node.name).interfaces))
            descriptors = [theirs.fileno(), node.counters]
            tap = self._plan.node(node.name).tap
            if tap is not None:
                descriptors.append(self._open_tap(node, tap))
            if boot.conditions is None:
                for ends in self._cabling.first_ends(node.name):
                    descriptors += cabling.descriptors(ends)
                    closing.append(partial(cabling.close, ends))
            asked = self._asked.setdefault(node.name, deque())
            asked.append(node)
            try:
                self._launcher.launch(boot, descriptors)
            except BaseException:
                if node in asked:
                    asked.remove(node)
                raise
        except BaseException:
            self._close_counters(node)
            self._launches.release()
            raise
        finally:
            for close in closing:
                close()

    def _open_tap(self, node: NodeHandle, tap: str) -> int:
        """The TAP device of a node. It stays ours, so that what was set at it outlives the node."""
        if node.name not in self._taps:
            self._taps[node.name] = TapDevice(open_tap(tap))
            for interface in self._plan.node(node.name).interfaces:
                hint = set_mtu(tap, interface.egress.mtu)
                if hint is not None:
                    self._on_message(node, messages.Logged(node.name, logging.WARNING, hint))
        return self._taps[node.name].descriptor

    def _hear(self, node: NodeHandle, message: Any) -> None:
        match message:
            case messages.Booted():
                node.booted.set()
            case messages.Ready(_, ports):
                node.ports = list(ports)
                node.ready = True
                if node.pid is not None:
                    self._has_answered(node)
            case messages.Failed(_, reason):
                node.failure = reason
                self._has_answered(node)
            case _:
                self._on_message(node, message)

    def _has_answered(self, node: NodeHandle) -> None:
        node.booted.set()
        node.answered.set()
        self._answered.put_nowait(node)

    # What the launcher reports

    def launched(self, node: str, pid: int) -> None:
        self._launches.release()
        handle = self._asked[node].popleft()
        handle.pid = pid
        self._by_pid[pid] = handle
        if handle.ready:
            self._has_answered(handle)  # it was ready before the launcher had said so much

    def not_launched(self, node: str, reason: str) -> None:
        self._launches.release()
        handle = self._asked[node].popleft()
        handle.failure = reason
        self._has_ended(handle)

    def exited(self, pid: int, code: int) -> None:
        node = self._by_pid.pop(pid)
        node.exit_code = code
        self._has_ended(node)

    def launcher_lost(self) -> None:
        lost, self._launcher = self._launcher, None
        self._asked.clear()
        if not self._ending and lost is not None:
            self._launches = asyncio.Semaphore(_LAUNCHES_AT_ONCE)
            self._lost.append(asyncio.ensure_future(lost.end()))
            self._on_launcher_lost(
                f"{lost.name} has ended, and all nodes with it; `netsim node NAME start` starts "
                "one again, with a new zygote"
            )
        for node in self.nodes.values():
            if not node.ended.is_set():
                self._ended(node)

    def _has_ended(self, node: NodeHandle) -> None:
        if self.nodes[node.name] is node:
            self._ended(node)
        else:
            self._close_counters(node)  # another boot has taken its place

    def _ended(self, node: NodeHandle) -> None:
        self.changes += 1
        if node.counters >= 0:
            interfaces = [each.name for each in self._plan.node(node.name).interfaces]
            self.accounting.close(node.name, read_counters(node.counters, interfaces))
            self._close_counters(node)
        node.ended.set()
        if node.name in self._taps:
            self._taps[node.name].set_carrier(False)
        for interface in self._plan.node(node.name).interfaces:
            gone = messages.NeighbourGone(interface.peer, interface.peer_interface)
            self.nodes[interface.peer].send(gone)
        self._has_answered(node)
        self._on_ended(node)

    def _close_counters(self, node: NodeHandle) -> None:
        if node.counters >= 0:
            os.close(node.counters)
            node.counters = -1


async def _hear_out(node: NodeHandle) -> None:
    """A node has answered or ended; if it has ended, what it said last may be on its way."""
    if node.alive and not node.ready and node.failure is None:
        await _wait(node.gone)


async def _wait(event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GONE_TIMEOUT):
            await event.wait()


def _check_up(node: NodeHandle) -> None:
    if not node.ready:
        reason = node.failure or "its process ended before it was ready"
        raise StartError(f"{node.name}: {reason}")
    if node.ended.is_set():
        raise StartError(f"{node.name}: its process ended before the others were ready")
