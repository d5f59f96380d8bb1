"""Faults of a network of real processes: links, partitions and nodes that go and come."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from networks import StartNetwork, held_frames

from netsim import HttpFailedError, Network, NoPathError
from netsim.core.time import MILLISECOND

pytestmark = pytest.mark.asyncio

RING = """
name: ring
convergence: 20ms
nodes:
  alice: {kind: computer}
  web:
    kind: computer
    services: {80: "netsim.services.httpbin:create_app"}
  r1: {kind: router}
  r2: {kind: router}
  r3: {kind: router}
links:
  - [alice, r1]
  - [web, r2]
  - {endpoints: [r1, r2], delay: 1ms}
  - {endpoints: [r1, r3], delay: 1ms}
  - {endpoints: [r3, r2], delay: 1ms}
"""


async def until_path_is(network: Network, *routers: str) -> None:
    """Routes follow a little later."""
    async with asyncio.timeout(10):
        while True:
            try:
                if await network["alice"].path("web") == list(routers):
                    return
            except NoPathError:
                continue


async def reaches_web(network: Network, timeout: float = 5.0) -> bool:
    return (await network["alice"].ping("web", count=1, timeout=timeout)).received == 1


async def test_links_that_are_down_held_and_slow(start_network: StartNetwork) -> None:
    async with start_network(RING) as network:
        alice = network["alice"]
        assert await alice.path("web") == ["r1", "r2"]

        # Down: there is another way, and without one there is no answer.
        await network.link("r1", "r2").down()
        await until_path_is(network, "r1", "r3", "r2")
        ends = [
            interface["up"]
            for node, peer in (("r1", "r2"), ("r2", "r1"))
            for interface in (await network.inspect_node(node))["interfaces"]
            if interface["peer"] == peer
        ]
        assert ends == [False, False]
        async with network.link("alice", "r1").down():
            assert not await reaches_web(network, timeout=0.2)
        await until_path_is(network, "r1", "r3", "r2")
        await network.link("r1", "r2").up()
        await until_path_is(network, "r1", "r2")

        # Slow: what is set is what is measured, and for one direction only where that is said.
        # On a busy machine most round trips take longer than the delays, but none is shorter.
        async with network.link("r1", "r2").set(delay="31ms", from_="r2"), asyncio.timeout(30):
            shortest = None
            while shortest is None or shortest >= 42 * MILLISECOND:
                shortest = (await alice.ping("web", count=5, interval=0.02)).min_ns
            assert shortest >= 32 * MILLISECOND

        # Held: everything comes, late, and the queue's limit does not matter.
        link = network.link("r1", "r2")
        await link.set(queue=2, bandwidth="100mbit", from_="r1")
        await link.hold()
        pings = asyncio.create_task(alice.ping("web", count=10, interval=0.02, timeout=10))
        async with asyncio.timeout(10):
            while await held_frames(network, "r1", "r2") < 10:
                pass
        assert not pings.done()
        await link.release()
        report = await pings
        assert (report.sent, report.received) == (10, 10)
        assert min(report.rtts_ns) < max(report.rtts_ns) - 5 * 20 * MILLISECOND
        await link.reset()
        assert network.condition(link.index, "r1") == network.planned_condition(link.index, "r1")


async def test_nodes_that_go_and_come_and_partitions(start_network: StartNetwork) -> None:
    async with start_network(RING) as network:
        await network.link("r1", "r2").down()
        await until_path_is(network, "r1", "r3", "r2")

        pings = asyncio.create_task(network["alice"].ping("web", count=1000, interval=0.01))
        old = network.describe("r3")
        await network.crash("r3")
        assert network.describe("r3") == {"kind": "router", "pid": None, "state": "dead"}
        assert str(network.state) == "degraded"
        assert not await reaches_web(network, timeout=0.2)
        await network.start_node("r3")
        assert network.describe("r3")["pid"] not in (None, old["pid"])
        assert network.state == "running"
        await until_path_is(network, "r1", "r3", "r2")
        pings.cancel()
        assert (await network["alice"].get("http://web/ip")).status == 200
        await network.restart_node("web")
        await until_path_is(network, "r1", "r3", "r2")
        assert (await network["alice"].get("http://web/ip")).status == 200

        # r1–r2 is down for another reason: it is no path, and repair leaves it.
        await network.partition(["alice"], ["web", "r2"])
        assert network.down_links() == [0, 2]
        assert not await reaches_web(network, timeout=0.2)
        await network.repair()
        assert network.down_links() == [2]
        await until_path_is(network, "r1", "r3", "r2")


async def test_packets_and_connections_that_go_wrong(start_network: StartNetwork) -> None:
    async with start_network(RING) as network:
        alice, web = network["alice"], network.connections("web", 80)
        async with network.isolate(["alice"], ["web"]):
            assert not await reaches_web(network, timeout=0.2)
            assert all(link["up"] for link in network.links())
        assert await reaches_web(network)
        async with web.refuse(first=1):
            with pytest.raises(HttpFailedError, match="connection refused"):
                await alice.get("http://web/get")
            assert (await alice.get("http://web/get")).status == 200
        async with web.cut(after=100):
            with pytest.raises(HttpFailedError):
                await alice.get("http://web/get")
        async with web.stall():
            with pytest.raises(HttpFailedError, match="timed out"):
                await alice.get("http://web/get", timeout=0.3)
        asking = asyncio.create_task(alice.get("http://web/delay/9"))
        while not asking.done():  # it may not be connected yet
            await web.reset()
            await asyncio.wait({asking}, timeout=0.05)
        with pytest.raises(HttpFailedError, match="connection reset by peer"):
            await asking
        # A node that starts again suffers what is in force.
        await network.drop("alice", "web", protocol="icmp")
        await network["web"].restart()
        async with asyncio.timeout(10):
            while True:  # until there is a route again
                with contextlib.suppress(HttpFailedError):
                    assert (await alice.get("http://web/get", timeout=1)).status == 200
                    break
        assert not await reaches_web(network, timeout=0.2)
        await network.repair()
        assert await reaches_web(network)


async def test_programs_die_and_stand_still(start_network: StartNetwork) -> None:
    async with start_network(RING) as network:
        alice, web = network["alice"], network["web"]
        asking = asyncio.create_task(alice.get("http://web/delay/9"))
        called = asyncio.create_task(web.run(asyncio.sleep, 60))
        await asyncio.sleep(0)
        # These come after both: a node does things in the order in which it was told.
        await alice.get("http://web/get")
        await web.run(asyncio.sleep, 0)
        pid = network.describe("web")["pid"]
        async with web.kill_program():
            with pytest.raises(HttpFailedError, match=r"empty reply|connection refused"):
                await asking
            with pytest.raises(ConnectionError, match="killed"):
                await called
            with pytest.raises(HttpFailedError, match="connection refused"):
                await alice.get("http://web/get")
            assert await reaches_web(network)
        assert (await alice.get("http://web/get")).status == 200
        assert network.describe("web")["pid"] == pid

        async with web.pause():
            asking = asyncio.create_task(alice.get("http://web/get"))
            await asyncio.wait({asking}, timeout=0.5)
            assert not asking.done()
            assert await reaches_web(network)
        assert (await asking).status == 200
        assert network.errors == []
