"""Many routers change their routes together, in processes."""

from __future__ import annotations

import asyncio

import pytest
from networks import StartNetwork

from netsim import Network

pytestmark = pytest.mark.asyncio

ROUTERS = 16
TRIES = 10


def ring(routers: int) -> str:
    lines = ["name: ring", "nodes:"]
    lines += [f"  r{index}: {{kind: router}}" for index in range(routers)]
    lines += ["links:"]
    lines += [f"  - [r{index}, r{(index + 1) % routers}]" for index in range(routers)]
    return "\n".join(lines)


async def tables(network: Network) -> tuple[list[object], int]:
    """The routes of every node, and how many events were restamped because they came too late."""
    nodes = (await network.inspect())["nodes"]
    return [node["routes"] for node in nodes], sum(node["lateness"]["resynced"] for node in nodes)


async def test_a_change_that_concerns_everybody_is_in_force_at_one_time(
    start_network: StartNetwork,
) -> None:
    """Nobody hears of it too late: a busy machine may be late once, but not every time."""
    async with start_network(ring(ROUTERS)) as network:
        resynced = []
        for attempt in range(TRIES):
            before, late_before = await tables(network)
            cut = network.link("r3", "r4")
            await (cut.up() if attempt % 2 else cut.down())
            async with asyncio.timeout(10):
                while True:
                    after, late = await tables(network)
                    if all(old != new for old, new in zip(before, after, strict=True)):
                        break
            resynced.append(late - late_before)
            if not resynced[-1]:
                return
        raise AssertionError(f"somebody was late each time: {resynced}")
