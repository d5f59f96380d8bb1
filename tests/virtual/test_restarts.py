"""`restart: on-failure`: nodes that come back by themselves, and those that do not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from plans import plan_of

from netsim import Network, run
from netsim.core.time import MILLISECOND

TOPOLOGY = """
name: phoenix
defaults: {link: {delay: 1ms}}
nodes:
  alice: {kind: computer}
  web: {kind: computer, restart: on-failure, services: {80: "netsim.services.httpbin:create_app"}}
  mortal: {kind: computer}
  s1: {kind: switch}
links: [[alice, s1], [web, s1], [mortal, s1]]
"""


async def started(network: Network) -> int:
    """When the next node is up, ns."""
    subscription = network.subscribe()
    try:
        async for event in subscription:
            if event["kind"] == "node-started":
                return network.now()
    finally:
        subscription.close()
    raise AssertionError("the network has stopped")


def network_of(folder: Path) -> Network:
    (folder / "phoenix.yaml").write_text(TOPOLOGY)
    return Network(folder / "phoenix.yaml", time="virtual")


def test_a_crashed_node_is_back_after_100_ms_and_later_after_longer(tmp_path: Path) -> None:
    async def main() -> None:
        async with network_of(tmp_path) as network:
            for delay in (100, 200, 400):
                await network.crash("web")
                crashed = network.now()
                assert network.state == "degraded"
                back = asyncio.create_task(started(network))
                assert delay <= (await back - crashed) / MILLISECOND < delay + 3
                assert (await network["alice"].get("http://web/ip")).status == 200
            await asyncio.sleep(10)
            await network.crash("web")
            crashed = network.now()
            assert (await started(network) - crashed) / MILLISECOND <= 102, "it has lived long"

    run(main())


def test_others_stay_down_and_so_does_one_that_was_stopped(tmp_path: Path) -> None:
    async def main() -> None:
        async with network_of(tmp_path) as network:
            await network.crash("mortal")
            await network.stop_node("web")
            await asyncio.sleep(60)
            assert network.describe("mortal")["state"] != "running"
            assert network.describe("web")["state"] != "running"

    run(main())


def test_whoever_is_quicker_starts_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with network_of(tmp_path) as network:
            await network.crash("web")
            await network.start_node("web")
            await asyncio.sleep(60)
            assert [event.kind for event in network.timeline].count("node-started") == 1

    run(main())


def test_the_end_of_the_network_is_the_end_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with network_of(tmp_path) as network:
            await network.crash("web")
        await asyncio.sleep(60)
        assert network.state == "stopped"

    run(main())


async def leave(code: int) -> None:
    sys.exit(code)


def test_a_program_that_ends_its_node_in_order_has_not_failed(tmp_path: Path) -> None:
    async def main() -> None:
        async with network_of(tmp_path) as network:
            for code, state in ((0, "degraded"), (3, "running")):
                with pytest.raises(ConnectionError):
                    await network["web"].run(leave, code)
                await asyncio.sleep(60)
                assert network.state == state
                if code == 0:
                    await network.start_node("web")

    run(main())


def test_a_node_that_started_is_reached_when_routes_have_converged() -> None:
    async def main() -> None:
        async with Network(
            plan_of("alice r1 delay=1ms", "r1 r2 delay=20ms", "r2 web delay=1ms"), time="virtual"
        ) as network:
            await network.converged()
            assert network.now() == 0
            await network["web"].crash()
            await network.converged()
            assert (await network["alice"].ping("web", count=1)).received == 0
            await network["web"].start()
            await network.converged()
            assert (await network["alice"].ping("web", count=1)).received == 1

    run(main())
