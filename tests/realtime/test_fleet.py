"""Starting all or none: what a fleet makes of what its launcher and its nodes report."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest
from plans import chain

from netsim.core.errors import StartError
from netsim.realtime.encoding import encode
from netsim.realtime.fleet import Fleet
from netsim.realtime.launcher import Reports
from netsim.realtime.network_clock import NetworkClock
from netsim.site.messages import Boot, Failed, Ready
from netsim.topology.plan import NetworkPlan

pytestmark = pytest.mark.asyncio


class Stage:
    """A launcher whose nodes are sockets in this process; they say and do what a test wants."""

    def __init__(self) -> None:
        self.pids: dict[str, int] = {}
        self.cannot_launch = ""
        self.refused = ""
        self.slow_to_tell = ""
        self.all_launched = asyncio.Event()
        self._nodes: dict[str, socket.socket] = {}
        self._reports: Reports
        self.name = "the stage"

    def open(self, plan: NetworkPlan, clock: NetworkClock, reports: Reports) -> None:
        self._reports = reports
        self._last = plan.nodes[-1].name

    def launch(self, boot: Boot, descriptors: list[int]) -> None:
        node, channel = boot.node, descriptors[0]
        if node == self.cannot_launch:
            raise OSError(24, "Too many open files")
        if node == self.refused:
            self._reports.not_launched(node, "no process for it")
            return
        self.pids[node] = len(self.pids) + 1
        self._nodes[node] = socket.socket(fileno=os.dup(channel))
        if node != self.slow_to_tell:
            self._reports.launched(node, self.pids[node])
        if node == self._last:
            self.all_launched.set()

    async def end(self) -> None:
        for node in list(self._nodes):
            self.die(node)

    def kill(self) -> None: ...

    def kill_node(self, node: str) -> None:
        self.die(node)

    def tell(self, node: str) -> None:
        self._reports.launched(node, self.pids[node])

    def say(self, node: str, message: Any) -> None:
        self._nodes[node].sendall(encode(message))

    def die(self, node: str) -> None:
        self._nodes.pop(node).close()
        self._reports.exited(self.pids[node], -9)


async def start_error(fleet: Fleet, starting: asyncio.Task[None]) -> str:
    async with asyncio.timeout(10):
        with pytest.raises(StartError) as caught:
            await starting
    await fleet.stop(grace=0)
    return str(caught.value)


def begin(stage: Stage) -> tuple[Fleet, asyncio.Task[None]]:
    fleet = Fleet(chain(), lambda *_: None, lambda _: None)
    return fleet, asyncio.create_task(fleet.start(stage, NetworkClock(0), None, Stage))


async def test_a_node_that_dies_while_others_start() -> None:
    stage = Stage()
    fleet, starting = begin(stage)
    await stage.all_launched.wait()
    first, *others = fleet.nodes
    stage.say(first, Ready(first, ()))
    while not fleet.nodes[first].ready:
        await asyncio.sleep(0)
    stage.die(first)
    for node in others:
        stage.say(node, Ready(node, ()))
    message = await start_error(fleet, starting)
    assert message == f"{first}: its process ended before the others were ready"


async def test_a_node_that_is_ready_before_its_launcher_has_told_its_number() -> None:
    stage = Stage()
    fleet, starting = begin(stage)
    *others, last = fleet.nodes
    stage.slow_to_tell = last
    await stage.all_launched.wait()
    for node in (last, *others):
        stage.say(node, Ready(node, ()))
    while not all(node.ready for node in fleet.nodes.values()):
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not starting.done(), "nobody knows its pid yet"
    stage.tell(last)
    async with asyncio.timeout(10):
        await starting
    assert fleet.nodes[last].pid == stage.pids[last]
    await fleet.stop(grace=0)


async def test_a_node_that_cannot_be_launched() -> None:
    stage = Stage()
    fleet, starting = begin(stage)
    stage.cannot_launch = list(fleet.nodes)[1]
    message = await start_error(fleet, starting)
    assert message.startswith(f"{stage.cannot_launch}: cannot be launched: ")
    assert message.endswith("Too many open files; ulimit -n raises the limit")


async def test_a_node_whose_process_the_kernel_refuses() -> None:
    stage = Stage()
    stage.refused = "r1"
    fleet, starting = begin(stage)
    assert await start_error(fleet, starting) == "r1: no process for it"


async def test_the_reason_is_heard_when_the_death_is_known_first() -> None:
    stage = Stage()
    fleet, starting = begin(stage)
    await stage.all_launched.wait()
    web = list(fleet.nodes)[-1]
    stage.say(web, Failed(web, "no stock"))
    # Reported before the loop has looked at the channel.
    stage.die(web)
    assert await start_error(fleet, starting) == f"{web}: no stock"


async def test_a_stop_while_nodes_start() -> None:
    stage = Stage()
    fleet, starting = begin(stage)
    await stage.all_launched.wait()
    await fleet.stop(grace=0)
    assert "ended before it was ready" in await start_error(fleet, starting)
