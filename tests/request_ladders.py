"""Requests that are traced in virtual time, and where their golden ladders are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import networkx

from netsim import Network, run

GOLDEN = Path(__file__).parent / "network" / "golden"
LOSSY = """\
name: lossy
nodes:
  alice: {kind: computer}
  r1: {kind: router}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links:
  - {endpoints: [alice, r1], delay: 1ms}
  - {endpoints: [r1, web], delay: 10ms, bandwidth: 5mbit, loss: 8%, queue: 20}
"""
Result = TypeVar("Result")


def on(
    topology: Path | networkx.Graph[str],
    work: Callable[[Network], Awaitable[Result]],
    seed: int = 3,
) -> Result:
    """What work on a network comes to."""
    found: list[Result] = []

    async def main() -> None:
        async with Network(topology, time="virtual", seed=seed) as network:
            found.append(await work(network))

    run(main())
    return found[0]
