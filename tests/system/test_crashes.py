"""Processes of nodes killed at any instant, and started again: nothing else dies or stalls."""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from networks import HTTPBIN, StartNetwork, campus_text, check_accounts, tool, two_computers

from netsim import NetsimError, Network, StartError
from netsim.realtime.launcher import START_METHODS, StartMethod

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


async def test_a_crash_in_the_middle_of_a_transfer(start_network: StartNetwork) -> None:
    """What the killed router and its wires held is lost, and counted; then TCP goes on."""
    async with start_network(SMALL) as network:
        transfer = asyncio.create_task(network["alice"].transfer("web", "20MiB"))
        for _ in range(3):
            before = await delivered(network, "s1/eth1")
            while await delivered(network, "s1/eth1") < before + 500:
                assert not transfer.done()
            await network.crash("r1")
            await check_accounts(network)
            await network.start_node("r1")
        assert (await transfer).size == 20 * 2**20
        assert await check_accounts(network) > 0


async def delivered(network: Network, direction: str) -> int:
    (account,) = [each for each in await network.accounts() if each.name == direction]
    return account.delivered


async def test_both_neighbours_crash_at_once(start_network: StartNetwork) -> None:
    async with (
        start_network(SMALL) as network,
        in_background(fetch_for_ever(network, "alice", "http://web/bytes/100000")),
    ):
        for _ in range(5):
            await asyncio.sleep(0.05)
            await asyncio.gather(network.crash("s1"), network.crash("r1"))
            await check_accounts(network)
            await asyncio.gather(network.start_node("r1"), network.start_node("s1"))
        await reach_everybody(network)
        await check_accounts(network)


async def test_a_neighbour_that_comes_back_before_its_death_was_noticed(
    start_network: StartNetwork,
) -> None:
    """A node that is busy finds a new process at the other end of its cable, and no old words."""
    async with start_network(SMALL) as network:
        await reach_everybody(network)
        alice = psutil.Process(await pid_of(network, "alice"))
        async with in_background(fetch_for_ever(network, "web", "http://web/bytes/1000")):
            alice.suspend()
            await network.crash("s1")
            starting = asyncio.create_task(network.start_node("s1"))
            # Both ends of the new cable are changed at one time; alice's has to come for that.
            await asyncio.wait([starting], timeout=0.2)
            alice.resume()
            async with asyncio.timeout(10):
                await starting
        await reach_everybody(network)
        await check_accounts(network)


async def test_neighbours_see_the_carrier_go_and_come(start_network: StartNetwork) -> None:
    async with start_network(SMALL) as network, asyncio.timeout(10):
        events = network.subscribe()
        await network.crash("s1")
        await network.start_node("s1")
        seen: set[str] = set()
        while len(seen) < 4:
            event = await anext(events)
            if event["kind"] == "carrier" and event["node"] != "s1":
                seen.add(event["text"])
        assert seen == {
            "alice:eth0 carrier lost",
            "alice:eth0 carrier up",
            "r1:eth0 carrier lost",
            "r1:eth0 carrier up",
        }


async def test_what_a_program_has_forked_keeps_no_cable_up(tmp_path: Path) -> None:
    program = (
        "import asyncio, logging, os, time\nasync def run():\n"
        "    if os.fork() == 0: time.sleep(60)\n"
        "    logging.getLogger().info('forked')\n    await asyncio.Event().wait()\n"
    )
    file = two_computers(tmp_path, alice="run: 'program:run'", program=program)
    async with Network(file) as network, asyncio.timeout(20):
        for boots in range(1, 3):
            forked = [line["text"] for line in network.logs("alice")["lines"]]
            assert forked == ["forked"] * boots
            await reach_everybody(network)
            await network.crash("alice")
            await check_accounts(network)
            assert not (await network.inspect_node("web"))["interfaces"][0]["up"]
            await network.start_node("alice")


async def test_coming_and_going_costs_nothing_that_stays(start_network: StartNetwork) -> None:
    def descriptors() -> list[int]:
        return [process.num_fds() for process in (psutil.Process(), *neighbours)]

    async with start_network(SMALL) as network:
        neighbours = [psutil.Process(await pid_of(network, node)) for node in ("s1", "web")]
        seen = []
        for _ in range(4):
            await network.crash("r1")
            await network.start_node("r1")
            await check_accounts(network)
            seen.append(descriptors())
        assert seen[1] == seen[3]


async def test_a_node_that_is_killed_while_it_starts(tmp_path: Path) -> None:
    program = (
        "import asyncio, logging\nfrom aiohttp import web\nfrom pathlib import Path\n"
        "async def create_app():\n"
        "    if Path(__file__).with_name('slow').exists():\n"
        "        logging.getLogger().info('there')\n"
        "        await asyncio.Event().wait()\n"
        "    return web.Application()\n"
    )
    file = two_computers(tmp_path, web="services: {80: 'slow:create_app'}", slow=program)
    async with Network(file) as network, asyncio.timeout(20):
        await network.crash("web")
        (tmp_path / "slow").touch()
        lines = network.subscribe_to_logs()
        starting = asyncio.create_task(network.start_node("web"))
        assert (await anext(lines))["text"] == "there"
        await network.crash("web")
        with pytest.raises(StartError, match="web: its process ended before it was ready"):
            await starting
        (tmp_path / "slow").unlink()
        await network.start_node("web")
        await reach_everybody(network)
        await check_accounts(network)


@pytest.mark.parametrize("method", START_METHODS)
async def test_a_node_comes_back_by_every_start_method(method: StartMethod, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    async with Network(tmp_path / "small.yaml", start_method=method) as network:
        await reach_everybody(network)
        before = {name: await pid_of(network, name) for name in network.kinds()}
        ports = network.ports()
        for node in before:
            await network.crash(node)
            await network.start_node(node)
        await reach_everybody(network)
        assert not {await pid_of(network, name) for name in before} & set(before.values())
        assert network.ports() == ports, "where it could be entered it still can"
        assert (await network["alice"].get("http://web/ip")).status == 200
        await check_accounts(network)


async def test_a_program_runs_again_and_finds_its_network(tmp_path: Path) -> None:
    program = (
        "import asyncio, logging\nimport aiohttp\n"
        "async def run():\n"
        "    async with aiohttp.ClientSession() as session:\n"
        "        async with session.get('http://web/ip') as reply:\n"
        "            status = reply.status\n"
        "    try:\n"
        "        logging.getLogger().info('got %s', status)\n"
        "        await asyncio.Event().wait()\n"
        "    finally:\n        logging.getLogger().info('good bye')\n"
    )
    file = two_computers(tmp_path, alice="run: 'program:run'", web=HTTPBIN, program=program)
    async with Network(file) as network, asyncio.timeout(20):
        lines = network.subscribe_to_logs()
        assert (await anext(lines))["text"] == "got 200"
        await network.crash("alice")
        await network.start_node("alice")
        assert (await anext(lines))["text"] == "got 200", "and no good bye: a power cut has none"
        await network.stop_node("alice")
        assert (await anext(lines))["text"] == "good bye"
        assert (await network.inspect_node("alice"))["state"] == "stopped"
        await network.start_node("alice")
        assert (await anext(lines))["text"] == "got 200"


async def test_a_computer_that_fails_is_started_again(tmp_path: Path) -> None:
    program = (
        "import asyncio, logging, os\nasync def run():\n"
        "    logging.getLogger().info('up')\n    await asyncio.sleep(0.05)\n    os._exit(3)\n"
    )
    file = two_computers(tmp_path, alice="restart: on-failure, run: 'program:run'", program=program)
    async with Network(file) as network, asyncio.timeout(20):
        events = network.subscribe()
        told: list[tuple[str, int]] = []
        while len(told) < 5:
            event = await anext(events)
            if event["kind"] in ("node-died", "node-started"):
                told.append((event["kind"], event["time_ns"]))
        assert [kind for kind, _ in told] == [*("node-died", "node-started") * 2, "node-died"]
        assert told[1][1] - told[0][1] >= 100_000_000
        assert told[3][1] - told[2][1] >= 200_000_000
        await check_accounts(network)


async def test_the_supervisor_is_killed_while_nodes_come_and_go(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\nfrom netsim.network.network import Network\n"
        "async def main():\n"
        f"    async with Network({str(tmp_path / 'small.yaml')!r}) as network:\n"
        "        while True:\n"
        "            for node in network.kinds():\n"
        "                print('up', flush=True)\n"
        "                await network.crash(node)\n"
        "                await network.start_node(node)\n"
        "asyncio.run(main())\n"
    )
    (tmp_path / "small.yaml").write_text(SMALL)
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert supervisor.stdout is not None
    for _ in range(4):
        assert await supervisor.stdout.readline() == b"up\n"
    others = psutil.Process(supervisor.pid).children(recursive=True)
    assert len(others) >= 4
    supervisor.kill()
    await supervisor.wait()
    _, left = await asyncio.to_thread(psutil.wait_procs, others, 5)
    assert not left


async def test_calls_find_modules_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "shop_checks.py").write_text(
        "import asyncio, logging, os\n"
        "async def who(greeting):\n"
        "    server = await asyncio.start_server(lambda r, w: w.close(), '0.0.0.0', 7)\n"
        "    return greeting, os.environ['NAME'], os.getpid(), server.sockets[0].getsockname()[1]\n"
        "async def wait():\n"
        "    logging.getLogger().info('waiting')\n"
        "    try:\n        await asyncio.Event().wait()\n"
        "    finally:\n        logging.getLogger().info('waited')\n"
    )
    file = tmp_path / "t.yaml"
    file.write_text(
        "name: t\nnodes:\n  alice: {kind: computer, env: {NAME: alice}}\n"
        "  s1: {kind: switch}\nlinks: [[alice, s1]]\n"
    )
    sys.modules.pop("shop_checks", None)
    sys.path.insert(0, str(tmp_path))
    try:
        shop_checks = importlib.import_module("shop_checks")
    finally:
        sys.path.remove(str(tmp_path))
    async with Network(file) as network, asyncio.timeout(10):
        expected = ("hello", "alice", await pid_of(network, "alice"), 7)
        assert await network.call("alice", shop_checks.who, ("hello",)) == expected
        lines = network.subscribe_to_logs()
        call = asyncio.create_task(network.call("alice", shop_checks.wait, ()))
        assert (await anext(lines))["text"] == "waiting"
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await anext(lines))["text"] == "waited"
        with pytest.raises(NetsimError, match="s1 is a switch"):
            await network.call("s1", shop_checks.who, ("hello",))
        call = asyncio.create_task(network.call("alice", shop_checks.wait, ()))
        assert (await anext(lines))["text"] == "waiting"
        await network.crash("alice")
        with pytest.raises(ConnectionError):
            await call
        await network.start_node("alice")
        assert await network.call("alice", shop_checks.who, ("again",))
        texts = [line["text"] for line in network.logs("alice")["lines"]]
        assert texts.count("waited") == 1, "a power cut lets nobody clear up"


async def test_a_program_that_prints_without_end_neither_grows_nor_stalls(tmp_path: Path) -> None:
    program = (
        "import asyncio\nasync def run():\n"
        "    while True:\n"
        "        for _ in range(20_000): print('x' * 100)\n"
        "        await asyncio.sleep(0)\n"
    )
    file = two_computers(tmp_path, alice="run: 'loud:run'", loud=program)
    async with Network(file) as network, asyncio.timeout(30):
        lines = network.subscribe_to_logs()
        alice = psutil.Process(await pid_of(network, "alice"))
        before = alice.memory_info().rss
        async for line in lines:
            if line["text"].endswith("lines came too fast: lost"):
                break
        assert alice.memory_info().rss < before + 16 * 2**20
