"""Processes of nodes killed at any instant, and started again: nothing else dies, stalls or lies."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from networks import StartNetwork, campus_text, tool

from netsim.core.errors import AlreadyRunningError, StartError
from netsim.runtime.network import Network
from netsim.runtime.process.launcher import START_METHODS, StartMethod

pytestmark = pytest.mark.asyncio

SMALL = """
name: small
defaults: {link: {delay: 1ms}}
nodes:
  alice: {kind: computer}
  s1: {kind: switch}
  r1: {kind: router}
  web:
    kind: computer
    ports: ["127.0.0.1:0:web:80"]
    services: {80: "netsim.services.httpbin:create_app"}
links: [[alice, s1], [s1, r1], [r1, web]]
"""


async def fetch_for_ever(network: Network, node: str, url: str) -> None:
    """Whatever happens on the way, ask again."""
    while True:
        code, _ = await tool(network, node, "curl", "-s", "-o", "/dev/null", "-m", "1", url)
        if code:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def in_background(*work: Any) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            assert not task.done(), task
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def check_accounts(network: Network) -> int:
    """Every frame is accounted for; how many were lost with nodes."""
    lost = 0
    for account in await network.accounts():
        account.check()
        lost += account.dropped.get("lost_with_node", 0)
    return lost


async def reach_everybody(network: Network) -> None:
    """All computers reach each other, once routes and neighbours have settled."""
    async with asyncio.timeout(20):
        while (await network.ping_all()).totals()["dropped_percent"]:
            pass


async def pid_of(network: Network, node: str) -> int:
    return int((await network.inspect_node(node))["pid"])


@pytest.mark.timeout(180)
async def test_two_hundred_crashes_under_load(start_network: StartNetwork) -> None:
    rng = random.Random(4)
    async with start_network(campus_text()) as network:
        names = list(network.kinds())
        load = [
            fetch_for_ever(network, client, url)
            for client in ("alice", "bob", "lab-1", "lab-2")
            for url in ("http://web/bytes/50000", "http://files/")
        ]
        # The clients' own computers go down too, and their tools with them.
        async with in_background(*load):
            for _ in range(200):
                node = rng.choice(names)
                await asyncio.sleep(rng.random() * 0.02)
                # Not always by netsim's own hand.
                if rng.random() < 0.5:
                    os.kill(await pid_of(network, node), signal.SIGKILL)
                await network.crash(node)
                await network.start_node(node)
        assert network.state == "running"
        await reach_everybody(network)
        assert await check_accounts(network) > 0
