"""The order of tasks in virtual time: drawn from the seed, traced, and never against asyncio."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from plans import plan_of
from planted_orders import lost_update

from netsim import Network, NetworkPlan, make_plan, run


@pytest.fixture
def plan() -> NetworkPlan:
    return plan_of("app s1", "web s1 delay=1ms")


async def names_of_who_ran() -> list[int]:
    ran: list[int] = []

    async def step(number: int) -> None:
        await asyncio.sleep(1)
        ran.append(number)

    await asyncio.gather(*map(step, range(6)))
    return ran


async def names_of_threads_that_ran() -> list[int]:
    ran: list[int] = []
    lock = threading.Lock()

    def step(number: int) -> None:
        time.sleep(1)
        ran.append(number)
        with lock:
            time.sleep(1)

    threads = [threading.Thread(target=step, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    await asyncio.sleep(2.5)
    with lock:  # the loop waits for all of them, and they go on
        assert len(ran) == len(threads)
    for thread in threads:
        thread.join()
    return ran


def play(plan: NetworkPlan, function: Any, seed: int, order: str | None, trace: str = "") -> Any:
    async def main() -> Any:
        async with Network(plan, time="virtual", seed=seed, order=order) as network:
            if trace:
                network.trace_frames(trace)
            return await network["app"].run(function)

    return run(main())


def test_an_update_is_lost_in_some_orders_and_never_in_asyncios(plan: NetworkPlan) -> None:
    found = {
        order: [play(plan, lost_update, seed, order) for seed in range(20)]
        for order in ("fifo", "random", "pct:2")
    }
    assert set(found["fifo"]) == {30}
    assert set(found["random"]) == {10, 20, 30}
    assert min(found["pct:2"]) < 30


@pytest.mark.parametrize("function", [names_of_who_ran, names_of_threads_that_ran])
def test_a_seed_is_one_order(plan: NetworkPlan, function: Any) -> None:
    for order in ("random", "pct:3"):
        first = [play(plan, function, seed, order) for seed in range(8)]
        assert first == [play(plan, function, seed, order) for seed in range(8)]
        assert len({tuple(ran) for ran in first}) > 4
    assert play(plan, function, 1, None) == list(range(6))


def test_the_order_of_one_computer_is_its_own(plan: NetworkPlan) -> None:
    alone = play(plan, names_of_who_ran, 5, "random")
    other = plan_of("app s1", "web s1 delay=1ms", "more s1")
    assert play(other, names_of_who_ran, 5, "random") == alone
    nodes = [each.order for each in make_plan(plan, order="pct").nodes]
    assert set(nodes) == {"pct:3"}


def test_swaps_are_in_the_trace(plan: NetworkPlan, tmp_path: Path) -> None:
    traces = []
    for number in range(2):
        path = tmp_path / f"{number}.jsonl"
        play(plan, lost_update, 0, "random", str(path))
        traces.append(path.read_text())
    assert traces[0] == traces[1]
    swaps = [json.loads(line)["swap"] for line in traces[0].splitlines() if '"swap"' in line]
    late = [swap for swap in swaps if swap["time_ns"] >= 10**9]
    assert late
    assert late[0]["node"] == "app"
    (before,) = late[0]["before"]
    assert late[0]["ran"]["task"] != before["task"]
    assert all("in lost_update.<locals>.deposit" in each["stack"][-1] for each in (before,))


def test_real_time_draws_no_order(plan: NetworkPlan) -> None:
    with pytest.raises(ValueError, match="virtual time only"):
        Network(plan, order="random")
    with pytest.raises(ValueError, match="write `fifo`, `random` or `pct:3`"):
        Network(plan, time="virtual", order="lifo")


# What programs may rely on, whatever the order


async def locks_are_fair() -> bool:
    lock, inside, got = asyncio.Lock(), 0, []

    async def worker(number: int) -> None:
        nonlocal inside
        for _ in range(5):
            async with lock:
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                inside -= 1
                got.append(number)

    await asyncio.gather(*map(worker, range(6)))
    return len(got) == 30


async def queues_lose_nothing() -> bool:
    queue: asyncio.Queue[int] = asyncio.Queue(3)
    taken: list[int] = []

    async def produce(first: int) -> None:
        for number in range(first, first + 20):
            await queue.put(number)

    async def consume() -> None:
        while True:
            taken.append(await queue.get())
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(4)]
    await asyncio.gather(*(produce(100 * number) for number in range(4)))
    await queue.join()
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    by_producer = [[each for each in taken if each // 100 == number] for number in range(4)]
    return sorted(taken) == sorted(100 * a + b for a in range(4) for b in range(20)) and all(
        len(each) == 20 for each in by_producer
    )


async def callbacks_of_a_future_come_in_their_order() -> bool:
    loop = asyncio.get_running_loop()
    called: list[int] = []
    futures = [loop.create_future() for _ in range(3)]

    def note(number: int, _: object) -> None:
        called.append(number)

    for number in range(30):
        futures[number % 3].add_done_callback(partial(note, number))

    async def resolve(future: asyncio.Future[None]) -> None:
        await asyncio.sleep(1)
        future.set_result(None)

    await asyncio.gather(*map(resolve, futures))
    await asyncio.sleep(0.001)
    return all(
        (own := [number for number in called if number % 3 == which]) == sorted(own)
        for which in range(3)
    )


async def what_one_task_calls_soon_comes_in_its_order() -> bool:
    loop = asyncio.get_running_loop()
    called: list[str] = []

    async def caller(name: str) -> None:
        await asyncio.sleep(1)
        for number in range(5):
            loop.call_soon(called.append, f"{name}{number}")
            if number == 2:
                await asyncio.sleep(0)
                # A step of its own comes after what it has called soon before.
                assert f"{name}2" in called

    await asyncio.gather(caller("a"), caller("b"), caller("c"))
    return all(
        [each for each in called if each[0] == name] == [f"{name}{n}" for n in range(5)]
        for name in "abc"
    )


@pytest.mark.parametrize("order", ["random", "pct:3", "fifo"])
@pytest.mark.parametrize(
    "promise",
    [
        locks_are_fair,
        queues_lose_nothing,
        callbacks_of_a_future_come_in_their_order,
        what_one_task_calls_soon_comes_in_its_order,
    ],
)
def test_what_asyncio_promises_holds(plan: NetworkPlan, promise: Any, order: str) -> None:
    assert all(play(plan, promise, seed, order) for seed in range(10))


async def echo_server() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(7):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, port=80)
    await server.serve_forever()


async def ask_often() -> bool:
    async def ask(name: str) -> bool:
        reader, writer = await asyncio.open_connection("web", 80)
        sent = "".join(f"{name}{number};" for number in range(50)).encode()
        for at in range(0, len(sent), 11):
            writer.write(sent[at : at + 11])
            await asyncio.sleep(0)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer == sent

    return all(await asyncio.gather(*map(ask, "abcd")))


@pytest.mark.parametrize("order", ["random", "pct:3"])
def test_streams_keep_the_order_of_bytes(plan: NetworkPlan, order: str) -> None:
    async def main(seed: int) -> bool:
        async with Network(plan, time="virtual", seed=seed, order=order) as network:
            serving = asyncio.create_task(network["web"].run(echo_server))
            await asyncio.sleep(0.01)
            held: bool = await network["app"].run(ask_often)
            serving.cancel()
            return held

    assert all(run(main(seed)) for seed in range(5))
