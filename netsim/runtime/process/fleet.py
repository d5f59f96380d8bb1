"""The processes of a network: started all or none, wired to each other, ended without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable
from typing import Any, Final

from netsim.core.errors import StartError
from netsim.runtime.process.launcher import Launcher
from netsim.runtime.process.node_handle import NodeHandle
from netsim.runtime.process.wire import WireQueue
from netsim.topology.plan import NetworkPlan, NodePlan

START_TIMEOUT: Final = 30.0
"""Seconds that a network of any size gets to come up, plus `START_TIMEOUT_PER_NODE` for each."""
START_TIMEOUT_PER_NODE: Final = 0.1
_GONE_TIMEOUT: Final = 1.0
"""Seconds to wait for the channels of killed nodes to end: what a program has forked may hold
one, and does not hold up the end of the network."""
_LAUNCHES_AT_ONCE: Final = 32
"""Launches under way: their descriptors are in flight, which the kernel limits."""

Progress = Callable[[int, int], None]
"""Takes the number of nodes that are ready, and of all."""


class Fleet:
    """Every node's process.

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
        self.nodes = {node.name: NodeHandle(node.name, node.kind) for node in plan.nodes}
        self._by_pid: dict[int, NodeHandle] = {}
        self._launches = asyncio.Semaphore(_LAUNCHES_AT_ONCE)
        self._launching: asyncio.Task[None] | None = None
        self._answered: asyncio.Queue[NodeHandle] = asyncio.Queue()
        self._wires: dict[int, tuple[WireQueue, WireQueue]] = {}

    async def start(self, launcher: Launcher, epoch: int, on_progress: Progress | None) -> None:
        """Launch every node and wait until all are ready.

        StartError names the first node that did not come up and the reason; `stop` has to be
        called then, too.
        """
        _raise_descriptor_limit()
        self._launcher = launcher
        launcher.open(self._plan, epoch, self)
        self._launching = asyncio.create_task(self._launch_all(launcher))
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
            node.state = "running"
            node.send("go")

    async def stop(self, grace: float) -> None:
        """Let programs shut down for `grace` seconds, then SIGKILL; nothing is left."""
        if self._launching is not None:
            self._launching.cancel()
        launched = [node for node in self.nodes.values() if node.pid is not None]
        for node in launched:
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
        for wires in self._wires.values():
            for wire in wires:
                wire.close_reader()
                wire.close_writer()
        self._wires.clear()

    def kill(self) -> None:
        """SIGKILL everything now; `stop` still has to be awaited."""
        if self._launcher is not None:
            self._launcher.kill()

    async def _launch_all(self, launcher: Launcher) -> None:
        for plan in self._plan.nodes:
            await self._launches.acquire()
            try:
                self._launch(launcher, plan)
            except Exception as error:  # noqa: BLE001  # the start has failed, whatever it is
                node = self.nodes[plan.name]
                node.failure = f"cannot be launched: {error}"
                self._answered.put_nowait(node)
                return
            await asyncio.sleep(0)

    def _launch(self, launcher: Launcher, plan: NodePlan) -> None:
        ours, theirs = socket.socketpair()
        self.nodes[plan.name].attach(ours, self._hear)
        closing: list[Callable[[], None]] = [theirs.close]
        descriptors = []
        try:
            for interface in plan.interfaces:
                from_a, from_b = self._wire(interface.link)
                if self._plan.links[interface.link].a == (plan.name, interface.name):
                    inbound, outbound = from_b, from_a
                else:
                    inbound, outbound = from_a, from_b
                descriptors += [inbound.reader_fileno, outbound.writer_fileno]
                closing += [inbound.close_reader, outbound.close_writer]
            launcher.launch(plan.name, theirs.fileno(), descriptors)
        finally:
            for close in closing:
                close()

    def _wire(self, link: int) -> tuple[WireQueue, WireQueue]:
        """The two directions of a link, from `a` and from `b`; made when first needed.

        Asked for twice, once by each end; the ends are closed here as they are handed out.
        """
        wires = self._wires.pop(link, None)
        if wires is None:
            wires = self._wires[link] = (WireQueue(), WireQueue())
        return wires

    async def _all_ready(self, on_progress: Progress | None) -> None:
        for ready in range(1, len(self.nodes) + 1):
            node = await self._answered.get()
            if node.alive and not node.ready and node.failure is None:
                # It has ended, but what it said last may still be on its way.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_GONE_TIMEOUT):
                        await node.gone.wait()
            _check_up(node)
            if on_progress is not None:
                on_progress(ready, len(self.nodes))
        for node in self.nodes.values():
            _check_up(node)

    def _hear(self, node: NodeHandle, message: tuple[Any, ...]) -> None:
        match message:
            case ("ready", ports):
                node.ports = ports
                node.ready = True
                self._answered.put_nowait(node)
            case ("failed", reason):
                node.failure = reason
                self._answered.put_nowait(node)
            case _:
                self._on_message(node, message)

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
        for node in self.nodes.values():
            if not node.ended.is_set():
                self._ended(node)

    def _ended(self, node: NodeHandle) -> None:
        node.ended.set()
        self._answered.put_nowait(node)
        self._on_ended(node)


def _check_up(node: NodeHandle) -> None:
    if not node.ready:
        reason = node.failure or "its process ended before it was ready"
        raise StartError(f"{node.name}: {reason}")
    if node.ended.is_set():
        raise StartError(f"{node.name}: its process ended before the others were ready")


def _raise_descriptor_limit() -> None:
    """Each node costs the supervisor a channel, and each link four ends while it is made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
