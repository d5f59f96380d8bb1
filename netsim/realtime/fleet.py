"""The processes of a network: started all or none, wired to each other, ended without a trace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from netsim.core.errors import NotRespondingError, StartError
from netsim.core.link_attributes import LinkCondition
from netsim.core.os_words import in_words
from netsim.gateway.real_ports import PublishedPortError
from netsim.observe.late import Late
from netsim.realtime import cabling
from netsim.realtime.launcher import Launcher
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.node_handle import NodeHandle
from netsim.realtime.node_launches import Launches
from netsim.realtime.shared_counters import read_counters
from netsim.realtime.standing import line_of
from netsim.site import messages
from netsim.site.accounting import Accounting
from netsim.site.backend import Progress
from netsim.site.directories import Directories
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


class Fleet:
    """Every node's process. What nodes that are gone had counted is in `accounting`.

    `on_message(node, message)` hears what nodes say of their own accord; `on_ended(node)` is
    called when a process has ended, `on_launcher_lost(text)` when the launcher has, with all nodes,
    and `on_notice(text)` for what a person should know of all of them.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        on_message: Callable[[NodeHandle, Any], None],
        on_ended: Callable[[NodeHandle], None],
        on_launcher_lost: Callable[[str], None] = lambda text: None,
        on_notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._plan = plan
        self._launches = Launches(plan, self)
        self._on_message = on_message
        self._on_ended = on_ended
        self._on_launcher_lost = on_launcher_lost
        self._on_notice = on_notice
        self.accounting = Accounting(plan)
        self.nodes = {node.name: NodeHandle(node.name) for node in plan.nodes}
        """The present boot of every node, or the last."""
        self.changes = 0
        """Grows whenever a node ends or is connected."""
        self._launching: asyncio.Task[None] | None = None
        self._directories = Directories(plan.name, plan.seed, plan.file)
        self._directory = ""
        self._answered: asyncio.Queue[NodeHandle] = asyncio.Queue()

    # All of them

    async def start(
        self,
        launcher: Launcher,
        clock: NetworkClock,
        on_progress: Progress | None,
        new_launcher: Callable[[], Launcher],
    ) -> None:
        """Launch every node and wait until all are ready.

        `new_launcher` makes another one, for nodes that start after the first is gone. StartError
        names the first node that did not come up and the reason; `stop` has to be called then, too.
        """
        cabling.raise_descriptor_limit()
        self._launches.open(launcher, clock, new_launcher)
        self._directory = self._directories.claim()
        self._launching = asyncio.create_task(self._launch_all())
        self._speed = float(clock.speed)
        limit = (START_TIMEOUT + START_TIMEOUT_PER_NODE * len(self.nodes)) / self._speed
        try:
            async with asyncio.timeout(limit):
                await self._all_ready(on_progress)
        except TimeoutError:
            silent = [node for node in self.nodes.values() if not node.ready][:5]
            names = ", ".join(node.name for node in silent)
            where = [words for node in silent if (words := await _standing(node))]
            raise StartError(
                f"{names} did not answer within {limit:.0f} s{''.join(where[:1])}"
            ) from None
        finally:
            self._launching.cancel()
        await asyncio.gather(
            *(self._start_programs(node) for node in self.nodes.values() if node.alive)
        )

    async def stop(self, grace: float) -> None:
        """Let programs shut down for `grace` seconds, then SIGKILL; nothing is left."""
        self._launches.ending = True
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
        await self._launches.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_TIMEOUT):
                for node in launched:
                    # The end of file proves it gone, even if nobody reaped it.
                    await node.gone.wait()
        for node in self.nodes.values():
            node.close()
            node.close_counters()
        self._launches.close()
        self._directories.remove()

    @property
    def start_limit(self) -> float:
        """Seconds within which a node has told how its services and programs began."""
        return READY_TIMEOUT / self._speed + _LATE

    def late(self) -> dict[str, Late]:
        """What nodes were late with since this was last asked."""
        return self._launches.late.take()

    def kill(self) -> None:
        """SIGKILL everything now; `stop` still has to be awaited."""
        self._launches.kill()

    async def _launch_all(self) -> None:
        for plan in self._plan.nodes:
            node = self.nodes[plan.name]
            try:
                await self._launches.launch(node, Boot(plan.name, directory=self._directory))
            except Exception as error:  # noqa: BLE001  # the start has failed, whatever it is
                node.failure = in_words(error)
                if not isinstance(error, PublishedPortError):
                    node.failure = f"cannot be launched: {node.failure}"
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
        launcher = self._launches.launcher_name
        if node.counters < 0 or launcher is None:
            return
        self._launches.kill_node(name)
        try:
            async with asyncio.timeout(KILL_TIMEOUT):
                await node.ended.wait()
        except TimeoutError:
            raise NotRespondingError(
                f"{name} has not ended yet: {launcher}, which kills and reaps nodes, does not "
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

        `connect` plugs them in. StartError when it is not down, or does not come up;
        NotRespondingError when it was stopped, and its end is not reported still.
        """
        old = self.nodes[name]
        if self._launches.ending:
            raise StartError(f"{name} cannot start: the network is stopping")
        if not old.ended.is_set():
            if not old.stopped:
                raise StartError(f"{name} is up already; crash or stop it first")
            await self.kill_node(name)  # who stopped it was told that it had not ended yet
        node = self.nodes[name] = NodeHandle(name, old.boots + 1)
        node.ports = old.ports
        node.captures = old.captures
        try:
            # What it said last may still be on its way.
            await _wait(old.gone)
            old.close()
            listen = tuple(port for _, port in old.ports)
            captures = tuple(old.captures)
            boot = Boot(name, node.boots, conditions, captures, self._directory)
            await self._launches.launch(node, boot, listen)
            async with asyncio.timeout(START_TIMEOUT / self._speed):
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
            where = await _standing(node) if isinstance(error, TimeoutError) else ""
            await asyncio.shield(self._undo_start(node))
            if isinstance(error, TimeoutError):
                text = f"{name} did not answer within {START_TIMEOUT / self._speed:.0f} s{where}"
                launcher = self._launches.launcher_name
                if node.pid is None and launcher is not None:
                    text += f": nor did {launcher}, which starts nodes"
                raise StartError(text) from None
            if isinstance(error, PublishedPortError):
                raise StartError(f"{name}: {error}") from error
            if isinstance(error, OSError):
                raise StartError(f"{name}: cannot be launched: {in_words(error)}") from error
            raise

    async def _start_programs(self, node: NodeHandle) -> None:
        """Have `run:` start; StartError when what says that it serves does not come true."""
        plan = self._plan.node(node.name)
        if not plan.run and plan.ready is None:
            return
        limit = FIRST_STEPS if plan.ready is None else self.start_limit
        try:
            async with asyncio.timeout(limit):
                failure = await node.question(messages.StartPrograms(node.next_number()))
        except TimeoutError:
            if plan.ready is None:
                return  # one that blocks its computer is no reason for the others not to start
            failure = f"`ready: {plan.ready}` was not answered within {limit:g} s"
            failure += await _standing(node)
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
        for name, interface, descriptors in self._launches.cabling.new_ends(link):
            self.nodes[name].send(messages.AttachWires(name, interface), descriptors)

    # Reports of launches

    def heard(self, node: NodeHandle, message: Any) -> None:
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

    def launched(self, node: NodeHandle) -> None:
        if node.ready:
            self._has_answered(node)  # it was ready before the launcher had said so much

    def ended(self, node: NodeHandle) -> None:
        if self.nodes[node.name] is node:
            self._ended(node)
        else:
            node.close_counters()  # another boot has taken its place

    def shares_network(self, reason: str) -> None:
        self._on_notice(
            "C code of programs, and what they start, can reach this machine's network, as none of "
            f"their own can be had: {reason}"
        )

    def launcher_lost(self, text: str | None) -> None:
        if text is not None:
            self._on_launcher_lost(text)
        for node in self.nodes.values():
            if not node.ended.is_set():
                self._ended(node)

    def _ended(self, node: NodeHandle) -> None:
        self.changes += 1
        if node.counters >= 0:
            interfaces = [each.name for each in self._plan.node(node.name).interfaces]
            self.accounting.close(node.name, read_counters(node.counters, interfaces))
            node.close_counters()
        node.ended.set()
        self._launches.carrier_lost(node.name)
        for interface in self._plan.node(node.name).interfaces:
            gone = messages.NeighbourGone(interface.peer, interface.peer_interface)
            self.nodes[interface.peer].send(gone)
        self._has_answered(node)
        self._on_ended(node)


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


async def _standing(node: NodeHandle) -> str:
    """Which line of a user's keeps a node from answering, to be appended; empty if unknown."""
    line = "" if node.pid is None else await line_of(node.pid)
    return f"; {blocks(line)}" if line else ""
