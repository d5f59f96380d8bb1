"""Nodes that lose their power and come back, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from networks import check_accounts, play
from plans import plan_of

from netsim import HttpFailedError, Network, NoPathError
from netsim.aio.stream_server import Server
from netsim.aio.transport import StreamTransport
from netsim.core.time import MILLISECOND, SECOND
from netsim.interception.set_order import FilledOrder
from netsim.interception.task_order import StableFuture, StableOrder, StableTask
from netsim.network.events import Event
from netsim.network.fault_history import PastFault
from netsim.network.log_lines import LogLine
from netsim.site.driver import Driver
from netsim.site.site import Site
from netsim.stack.host import Host
from netsim.virtual.computer_loop import ComputerLoop
from netsim.virtual.timeline import Schedule, Timeline, Timer
from netsim.virtual.virtual_backend import VirtualBackend

RING = plan_of(
    "alice s1",
    "s1 r1 delay=1ms",
    "r1 r2 delay=1ms",
    "r1 r3 delay=1ms",
    "r3 r2 delay=1ms",
    "r2 s2 delay=1ms",
    "s2 web delay=1ms",
    "s2 wilma delay=1ms",
    nodes={"web": {"services": {80: "netsim.services.httpbin:create_app"}}},
    convergence="50ms",
)


def on_the_ring(test: Callable[[Network], Awaitable[None]]) -> None:
    play("virtual", RING, test)


async def up(network: Network, name: str) -> list[bool]:
    facts = await network.inspect_node(name)
    return [interface["up"] for interface in facts["interfaces"]]


def test_a_crash_runs_no_finally_and_takes_no_time() -> None:
    said: list[str] = []

    async def program(how: str) -> None:
        try:
            await (asyncio.Event().wait() if how == "event" else asyncio.sleep(1000))
        finally:
            said.append(how)

    async def test(network: Network) -> None:
        web = network["web"]
        running = [asyncio.create_task(web.run(program, how)) for how in ("event", "sleep")]
        await asyncio.sleep(1)
        start = network.now()
        await web.crash()
        assert network.now() == start
        for task in running:
            with pytest.raises(ConnectionError, match="web has crashed"):
                await task
        with pytest.raises(ConnectionError, match="web"):
            await web.run(program, "late")
        await web.start()
        await asyncio.sleep(2000)

    on_the_ring(test)
    assert said == []


def test_a_stop_lets_programs_shut_down() -> None:
    said: list[str] = []

    async def program() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.5)
            said.append("over")

    async def test(network: Network) -> None:
        running = asyncio.create_task(network["web"].run(program))
        await asyncio.sleep(1)
        await network["web"].stop()
        assert said == ["over"]
        assert running.done() or (await asyncio.wait([running], timeout=1))[0]
        assert any(event.kind == "node-stopped" for event in network.timeline)
        await network["web"].stop()
        await network["web"].start()
        assert (await network["alice"].get("http://web/ip")).status == 200

    on_the_ring(test)


def test_neighbours_lose_the_carrier_and_routes_follow() -> None:
    async def test(network: Network) -> None:
        alice = network["alice"]
        assert await alice.path("web") == ["r1", "r2"]
        await network.link("r1", "r2").down()
        await asyncio.sleep(1)
        assert await alice.path("web") == ["r1", "r3", "r2"]
        await network.link("r1", "r2").up()
        await asyncio.sleep(1)
        at = network.now()
        await network.crash("r2")
        assert (await up(network, "r1")).count(False) == 1
        assert (await up(network, "r3")).count(False) == 1
        assert (await up(network, "s2")).count(False) == 1
        with pytest.raises(NoPathError):
            await alice.path("web")
        await asyncio.sleep(1)
        routes = [e for e in network.timeline if e.kind == "routes" and e.time_ns >= at]
        assert routes[0].time_ns - at == 50 * MILLISECOND
        await network.start_node("r2")
        assert network.state == "running"
        await asyncio.sleep(1)
        assert all(await up(network, "r1"))
        assert await alice.path("web") == ["r1", "r2"]

    on_the_ring(test)


def test_a_switch_crashes() -> None:
    async def test(network: Network) -> None:
        await network.crash("s2")
        assert await up(network, "web") == [False]
        assert (await network["alice"].ping("web", count=2, timeout=0.5)).received == 0
        await network.start_node("s2")
        assert await up(network, "web") == [True]
        await asyncio.sleep(1)
        assert (await network["alice"].ping("web", count=2, timeout=0.5)).received == 2
        assert (await network["web"].ping("wilma", count=1)).received == 1

    on_the_ring(test)


def test_a_second_life_has_random_numbers_of_its_own() -> None:
    async def draw() -> list[float]:
        return [random.random() for _ in range(3)]

    async def lives(network: Network) -> list[list[float]]:
        found = [await network["web"].run(draw)]
        for _ in range(2):
            await network["web"].crash()
            await network["web"].start()
            found.append(await network["web"].run(draw))
        return found

    found: list[list[list[float]]] = []

    async def test(network: Network) -> None:
        found.append(await lives(network))

    on_the_ring(test)
    on_the_ring(test)
    assert len({tuple(draws) for draws in found[0]}) == 3
    assert found[0] == found[1]


def test_a_connection_of_the_first_life_is_reset_by_the_second() -> None:
    async def test(network: Network) -> None:
        seen: list[str] = []

        kept: list[asyncio.StreamWriter] = []

        def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            kept.append(writer)
            writer.write(b"hello\n")

        async def serve() -> None:
            await asyncio.start_server(greet, "0.0.0.0", 7)

        async def client() -> None:
            reader, writer = await asyncio.open_connection("web", 7)
            seen.append((await reader.readline()).decode())
            await asyncio.sleep(2)
            writer.write(b"are you still there?")
            try:
                await reader.read()
            except ConnectionResetError:
                seen.append("reset")
            writer.close()

        await network["web"].run(serve)
        talking = asyncio.create_task(network["alice"].run(client))
        await asyncio.sleep(1)
        await network["web"].crash()
        await network["web"].start()
        await talking
        assert seen == ["hello\n", "reset"]

    on_the_ring(test)


def test_a_client_of_a_computer_that_is_gone_waits() -> None:
    """Nobody tells it: as with real power cuts, time does."""

    async def test(network: Network) -> None:
        start = network.now()
        getting = asyncio.create_task(network["alice"].get("http://web/delay/5", timeout=20))
        await asyncio.sleep(1)
        await network["web"].crash()
        with pytest.raises(HttpFailedError, match="timed out after 20 s"):
            await getting
        assert network.now() - start == pytest.approx(20 * SECOND, rel=0.01)

    on_the_ring(test)


def test_random_crashes_under_load() -> None:
    async def load() -> int:
        import aiohttp

        served = 0
        timeout = aiohttp.ClientTimeout(total=1)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    async with session.get("http://web/bytes/20000") as response:
                        await response.read()
                        served += 1
                    await asyncio.sleep(0.03)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    await asyncio.sleep(0.1)

    async def test(network: Network) -> None:
        chance = random.Random(7)
        loads = [asyncio.create_task(network["wilma"].run(load)) for _ in range(2)]
        for _ in range(25):
            name = chance.choice([name for name in network.kinds() if name != "wilma"])
            await asyncio.sleep(chance.random())
            await network.crash(name)
            await check_accounts(network)
            await asyncio.sleep(chance.random() / 2)
            await network.start_node(name)
            await check_accounts(network)
        for task in loads:
            task.cancel()
        await asyncio.wait(loads)
        await asyncio.sleep(5)
        reached = (await network.ping_all()).totals()
        assert reached["received"] == reached["sent"] == 6
        assert network.errors == []

    on_the_ring(test)


def netsims_own() -> Counter[type]:
    """How many objects there are of each class of netsim; a tool that runs is a program."""
    gc.collect()
    living = (type(each) for each in gc.get_objects())
    rooms = (f"netsim.{room}." for room in ("aio", "interception", "network", "virtual", "site"))
    own = (*rooms, "netsim.stack.", "netsim.link.", "netsim.node.")
    return Counter(each for each in living if str(each.__module__).startswith(own))


async def crash_in_the_middle(network: Network) -> None:
    """A program of alice waits, and a handler of web for ever: both are crashed, and come back."""
    sleeping = asyncio.create_task(network["alice"].run(asyncio.sleep, 3600))
    waiting = asyncio.create_task(network["alice"].get("http://web/delay/10"))
    await asyncio.sleep(1)
    for name in ("web", "alice"):
        await network[name].crash()
        await network[name].start()
    assert [*map(type, await asyncio.gather(sleeping, waiting, return_exceptions=True))] == [
        ConnectionError
    ] * 2


def test_a_crash_leaves_nothing_but_what_the_program_held() -> None:
    """Of netsim that is the loop without its time and its stack, and what programs wait for;
    and what is told of it, in a log that has a limit."""
    kept = {ComputerLoop, Schedule, StableOrder, StableTask, StableFuture, Timer}
    kept |= {Server, StreamTransport, Event, PastFault, LogLine, FilledOrder}

    async def test(network: Network) -> None:
        await crash_in_the_middle(network)
        before = netsims_own()
        for _ in range(30):
            await crash_in_the_middle(network)
        grown = netsims_own() - before
        assert {each for each, more in grown.items() if more >= 30} <= kept
        assert grown[ComputerLoop] == grown[Schedule] == 60
        assert grown[StreamTransport] == 60

    on_the_ring(test)


def test_a_network_with_crashes_is_let_go_when_it_has_ended() -> None:
    on_the_ring(crash_in_the_middle)
    before = netsims_own()
    for _ in range(3):
        on_the_ring(crash_in_the_middle)
    grown = netsims_own() - before
    assert grown[ComputerLoop] == 6
    ended = (Network, VirtualBackend, Timeline, Site, Host, Driver)
    assert [grown[each] for each in ended] == [0] * len(ended)
