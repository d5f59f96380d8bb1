"""The processes of a network come into being by a launcher, each with the descriptors it needs, and
what the launcher tells of them is told of nodes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, Protocol

from netsim.core.errors import StartError
from netsim.gateway.real_ports import bind_all
from netsim.realtime import cabling
from netsim.realtime.cabling import Cabling
from netsim.realtime.late_record import LateReaders
from netsim.realtime.launcher import Launcher
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.node_handle import NodeHandle
from netsim.realtime.shared_counters import new_memory
from netsim.realtime.tap_device import TapDevice, open_tap, set_mtu
from netsim.site import messages
from netsim.site.messages import Boot
from netsim.topology.plan import NetworkPlan

_AT_ONCE: Final = 32
"""Launches under way: their descriptors are in flight, which the kernel limits."""


class NodeReports(Protocol):
    """Who is told of nodes."""

    def heard(self, node: NodeHandle, message: Any) -> None:
        """A node has said something that answers nothing."""

    def launched(self, node: NodeHandle) -> None:
        """It has a process."""

    def ended(self, node: NodeHandle) -> None:
        """Its process has ended and is reaped, or there is none."""

    def shares_network(self, reason: str) -> None:
        """Nodes are in the machine's network, for a reason that a person may read."""

    def launcher_lost(self, text: str | None) -> None:
        """All have ended with the launcher; the text tells a person, where nobody wanted that."""


class Launches:
    """Those of one network, with one launcher at a time."""

    def __init__(self, plan: NetworkPlan, reports: NodeReports) -> None:
        self._plan = plan
        self._reports = reports
        self._clock: NetworkClock
        self._new_launcher: Callable[[], Launcher]
        self._launcher: Launcher | None = None
        self._lost: list[asyncio.Task[None]] = []
        """What cleans up after launchers that are gone."""
        self._by_pid: dict[int, NodeHandle] = {}
        self._asked: dict[str, deque[NodeHandle]] = {}
        """Boots that the launcher has not answered for yet, which it does in this order. One that
        stood still may do so when another boot of the node is under way."""
        self._under_way = asyncio.Semaphore(_AT_ONCE)
        self._taps: dict[str, TapDevice] = {}
        """By node."""
        self.cabling = Cabling(plan)
        self.late = LateReaders()
        self.ending = False
        """Nothing is launched any more."""

    def open(
        self, launcher: Launcher, clock: NetworkClock, new_launcher: Callable[[], Launcher]
    ) -> None:
        """Get ready; `new_launcher` makes another one, for nodes that start after it is gone."""
        self._launcher, self._clock, self._new_launcher = launcher, clock, new_launcher
        launcher.open(self._plan, clock, self)

    @property
    def launcher_name(self) -> str | None:
        """What a person may call it; None while there is none."""
        return None if self._launcher is None else self._launcher.name

    async def launch(self, node: NodeHandle, boot: Boot, listen: Sequence[int] = ()) -> None:
        """Start a process; `launched` or `ended` is told. `listen` are the real ports at which it
        listened before.

        StartError while the network ends, PublishedPortError, OSError where there is no descriptor
        left, and what a launcher raises.
        """
        await self._under_way.acquire()
        if self.ending:
            raise StartError(f"{node.name}: the network is stopping")
        if self._launcher is None:
            self._launcher = self._new_launcher()
            self._launcher.open(self._plan, self._clock, self)
        ours, theirs = socket.socketpair()
        node.attach(ours, self._reports.heard)
        closing: list[Callable[[], None]] = [theirs.close]
        try:
            node.counters = new_memory(len(self._plan.node(node.name).interfaces))
            self.late.open(node.name, node.counters)
            descriptors = [theirs.fileno(), node.counters]
            tap = self._plan.node(node.name).tap
            if tap is not None:
                descriptors.append(self._open_tap(node, tap))
            for bound in bind_all(self._plan.node(node.name).ports, listen):
                descriptors.append(bound.fileno())
                closing.append(bound.close)
            if boot.conditions is None:
                for ends in self.cabling.first_ends(node.name):
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
            node.close_counters()
            self._under_way.release()
            raise
        finally:
            for close in closing:
                close()

    def kill_node(self, name: str) -> None:
        """SIGKILL the process of a node, if there is one; `ended` is told."""
        if self._launcher is not None:
            self._launcher.kill_node(name)

    def kill(self) -> None:
        """SIGKILL every process now; `end` still has to be awaited."""
        self.ending = True
        if self._launcher is not None:
            self._launcher.kill()

    async def end(self) -> None:
        """Kill and reap what is left, and what launchers have left."""
        self.ending = True
        if self._launcher is not None:
            await self._launcher.end()
        await asyncio.gather(*self._lost)

    def close(self) -> None:
        """Give back what was never handed out, and TAP devices."""
        for tap in self._taps.values():
            os.close(tap.descriptor)
        self._taps.clear()
        self.late.close()
        self.cabling.close()

    def carrier_lost(self, name: str) -> None:
        """The TAP device of a node, if it has one, leads nowhere now."""
        if name in self._taps:
            self._taps[name].set_carrier(False)

    def _open_tap(self, node: NodeHandle, tap: str) -> int:
        """The TAP device of a node. It stays ours, so that what was set at it outlives the node."""
        if node.name not in self._taps:
            self._taps[node.name] = TapDevice(open_tap(tap))
            for interface in self._plan.node(node.name).interfaces:
                hint = set_mtu(tap, interface.egress.mtu)
                if hint is not None:
                    self._reports.heard(node, messages.Logged(node.name, logging.WARNING, hint))
        return self._taps[node.name].descriptor

    # What the launcher reports

    def launched(self, node: str, pid: int) -> None:
        self._under_way.release()
        handle = self._asked[node].popleft()
        handle.pid = pid
        self._by_pid[pid] = handle
        self._reports.launched(handle)

    def not_launched(self, node: str, reason: str) -> None:
        self._under_way.release()
        handle = self._asked[node].popleft()
        handle.failure = reason
        self._reports.ended(handle)

    def exited(self, pid: int, code: int) -> None:
        handle = self._by_pid.pop(pid)
        handle.exit_code = code
        self._reports.ended(handle)

    def shares_network(self, reason: str) -> None:
        self._reports.shares_network(reason)

    def launcher_lost(self, reason: str | None) -> None:
        lost, self._launcher = self._launcher, None
        if reason is not None:
            for handle in chain.from_iterable(self._asked.values()):
                handle.failure = f"cannot be launched: {reason}"
        self._asked.clear()
        text = None
        if not self.ending and lost is not None:
            self._under_way = asyncio.Semaphore(_AT_ONCE)
            self._lost.append(asyncio.ensure_future(lost.end()))
            text = (
                f"{lost.name} has ended, and all nodes with it; `netsim node NAME start` starts "
                "one again, with a new zygote"
            )
        self._reports.launcher_lost(text)
