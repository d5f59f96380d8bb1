"""A play that is repeated: `python repeated_play.py TOPOLOGY TRACE SEED`, the seed "-" for its own.

Everything that could make two runs differ takes part: the environment of programs, sets of tasks,
loss, jitter and reordering, connections that are kept alive, and faults while they are in use.
It writes the trace of every frame, and prints JSON with what the programs saw.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp

from netsim import Network, run


async def ask(times: int) -> list[Any]:
    """Each answer, or the kind of failure."""
    found: list[Any] = []
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for _ in range(times):
            try:
                async with session.get("http://web/") as response:
                    found.append(await response.json())
            except (aiohttp.ClientError, TimeoutError) as error:
                found.append(type(error).__name__)
            await asyncio.sleep(0.05)
    return found


async def play(topology: str, trace: str, seed: int | None) -> None:
    async with Network(topology, time="virtual", seed=seed) as network:
        network.trace_frames(trace)
        asked = [
            asyncio.create_task(network[name].run(ask, times))
            for name, times in (("alice", 12), ("bob", 9), ("alice", 5))
        ]
        pinging = asyncio.create_task(network["alice"].ping("web", count=500, interval=0.004))
        await asyncio.sleep(0.5)
        await network.link("bob", "r1").set(loss="30%", jitter="5ms", reorder="10%")
        async with network.link("alice", "r1").down():
            await asyncio.sleep(0.3)
        async with network.link("r1", "web").hold():
            await asyncio.sleep(0.1)
        await network["web"].crash()
        await asyncio.sleep(0.2)
        await network["web"].start()
        answers = await asyncio.gather(*asked)
        pings = await pinging
        for account in await network.accounts():
            account.check()
        lines = [[line.time_ns, line.node, line.text] for line in network.errors]
        seen = [answers, pings.rtts_ns, lines, network.unrepeatable, network.now()]
        sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    _, topology, trace, seed = sys.argv
    run(play(topology, trace, None if seed == "-" else int(seed)))
