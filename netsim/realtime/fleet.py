"""The processes of a network: started all or none, wired to each other, ended without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from netsim.core.errors import StartError
from netsim.core.link_attributes import LinkCondition
from netsim.realtime import cabling
from netsim.realtime.boot import Birth
from netsim.realtime.cabling import Cabling
from netsim.realtime.launcher import Launcher
from netsim.realtime.node_handle import NodeHandle
from netsim.realtime.shared_counters import new_books, read_books
from netsim.site.accounting import Ledger
from netsim.site.backend import Progress
from netsim.topology.plan import NetworkPlan

START_TIMEOUT: Final = 30.0
"""Seconds that a network of any size gets to come up, plus `START_TIMEOUT_PER_NODE` for each."""
START_TIMEOUT_PER_NODE: Final = 0.1
_GONE_TIMEOUT: Final = 1.0
"""Seconds to wait for the channels of killed nodes to end: what a program has forked may hold
one, and does not hold up the end of the network."""
_LAUNCHES_AT_ONCE: Final = 32
"""Launches under way: their descriptors are in flight, which the kernel limits."""


class Fleet:
    """Every node's process. What nodes that are gone had counted is in `ledger`.

    `on_message(node, message)` hears what nodes say of their own accord; `on_ended(node)` is
    called when a process has ended.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        on_message: Callable[[NodeHandle, tuple[Any, ...]], None],
        on_ended: Callable[[NodeHandle], None],
    ) -> None:
        self._plan = plan
        self._launcher: Launcher | None = None
        self._on_message = on_message
        self._on_ended = on_ended
        self.ledger = Ledger(plan)
        self.nodes = {node.name: NodeHandle(node.name) for node in plan.nodes}
        """The present life of every node, or the last."""
        self.changes = 0
        """Grows whenever a node ends or is connected."""
        self._by_pid: dict[int, NodeHandle] = {}
        self._launches = asyncio.Semaphore(_LAUNCHES_AT_ONCE)
        self._launching: asyncio.Task[None] | None = None
        self._answered: asyncio.Queue[NodeHandle] = asyncio.Queue()
        self._cabling = Cabling(plan)
        self._ending = False

    # All of them

    async def start(self, launcher: Launcher, epoch: int, on_progress: Progress | None) -> None:
        """Launch every node and wait until all are ready.

        StartError names the first node that did not come up and the reason; `stop` has to be
        called then, too.
        """
        cabling.raise_descriptor_limit()
        self._launcher = launcher
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
        for node in self.nodes.values():
            node.send("go")

    async def stop(self, grace: float) -> None:
        """Let programs shut down for `grace` seconds, then SIGKILL; nothing is left."""
        self._ending = True
        if self._launching is not None:
            self._launching.cancel()
        launched = [node for node in self.nodes.values() if node.pid is not None]
        for node in launched:
            node.stopped = node.stopped or not node.ended.is_set()
            node.send("stop")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                for node in launched:
                    await node.ended.wait()
        if self._launcher is not None:
            await self._launcher.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_TIMEOUT):
                for node in launched:
                    # The end of file proves it gone, even if nobody reaped it.
                    await node.gone.wait()
        for node in self.nodes.values():
            node.close()
            self._close_books(node)
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
                await self._launch(node, Birth(plan.name))
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
        """SIGKILL a node's process; returns when it is gone and its books are closed."""
        node = self.nodes[name]
        if node.books < 0:
            return
        if self._launcher is not None:
            self._launcher.kill_node(name)
        await node.ended.wait()

    async def stop_node(self, name: str, grace: float) -> None:
        """Let a node's programs shut down for `grace` seconds, and end it."""
        node = self.nodes[name]
        if node.ended.is_set():
            return
        node.stopped = True
        node.send("stop")
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
            raise StartError(f"{name} is {old.state} already; crash or stop it first")
        if self._ending:
            raise StartError(f"{name} cannot start: the network is stopping")
        node = self.nodes[name] = NodeHandle(name, old.life + 1)
        node.ports = old.ports
        try:
            # What it said last may still be on its way.
            await _wait(old.gone)
            old.close()
            listen = tuple(port for _, port in old.ports)
            await self._launch(node, Birth(name, node.life, conditions, listen))
            async with asyncio.timeout(START_TIMEOUT):
                await node.born.wait()
                if node.up:
                    for interface in self._plan.node(name).interfaces:
                        if self.nodes[interface.peer].up:
                            self._connect(interface.link)
                    await connect()
                node.send("start")
                await node.answered.wait()
                await _hear_out(node)
            _check_up(node)
        except BaseException as error:
            await asyncio.shield(self._undo_start(node))
            if isinstance(error, TimeoutError):
                text = f"{name} did not answer within {START_TIMEOUT:.0f} s"
                raise StartError(text) from None
            if isinstance(error, OSError):
                raise StartError(f"{name}: cannot be launched: {error}") from error
            raise
        node.send("go")

    async def _undo_start(self, node: NodeHandle) -> None:
        await self.kill_node(node.name)
        node.close()
        node.ended.set()

    def _connect(self, link: int) -> None:
        """Two new wires between two nodes that are up."""
        self.changes += 1
        for name, interface, descriptors in self._cabling.new_ends(link):
            self.nodes[name].send("wires", interface, descriptors=descriptors)

    async def _launch(self, node: NodeHandle, birth: Birth) -> None:
        await self._launches.acquire()
        assert self._launcher is not None, "launched by one"
        if self._ending:
            raise StartError(f"{node.name}: the network is stopping")
        ours, theirs = socket.socketpair()
        node.attach(ours, self._hear)
        closing: list[Callable[[], None]] = [theirs.close]
        try:
            node.books = new_books(len(self._plan.node(node.name).interfaces))
            descriptors = [theirs.fileno(), node.books]
            if birth.conditions is None:
                for ends in self._cabling.first_ends(node.name):
                    descriptors += cabling.descriptors(ends)
                    closing.append(partial(cabling.close, ends))
            self._launcher.launch(birth, descriptors)
        except BaseException:
            self._close_books(node)
            self._launches.release()
            raise
        finally:
            for close in closing:
                close()

    def _hear(self, node: NodeHandle, message: tuple[Any, ...]) -> None:
        match message:
            case ("born",):
                node.born.set()
            case ("ready", ports):
                node.ports = ports
                node.ready = True
                self._has_answered(node)
            case ("failed", reason):
                node.failure = reason
                self._has_answered(node)
            case _:
                self._on_message(node, message)

    def _has_answered(self, node: NodeHandle) -> None:
        node.born.set()
        node.answered.set()
        self._answered.put_nowait(node)

    # What the launcher reports

    def launched(self, node: str, pid: int) -> None:
        """See `launcher.Reports`."""
        self._launches.release()
        handle = self.nodes[node]
        handle.pid = pid
        self._by_pid[pid] = handle

    def exited(self, pid: int, code: int) -> None:
        """See `launcher.Reports`."""
        node = self._by_pid.pop(pid)
        node.exit_code = code
        self._ended(node)

    def launcher_lost(self) -> None:
        """See `launcher.Reports`."""
        self._ending = True
        for node in self.nodes.values():
            if not node.ended.is_set():
                self._ended(node)

    def _ended(self, node: NodeHandle) -> None:
        self.changes += 1
        if node.books >= 0:
            interfaces = [each.name for each in self._plan.node(node.name).interfaces]
            self.ledger.close(node.name, read_books(node.books, interfaces))
            self._close_books(node)
        node.ended.set()
        for interface in self._plan.node(node.name).interfaces:
            self.nodes[interface.peer].send("gone", interface.peer_interface)
        self._has_answered(node)
        self._on_ended(node)

    def _close_books(self, node: NodeHandle) -> None:
        if node.books >= 0:
            os.close(node.books)
            node.books = -1


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
