"""What asyncio does with time, where time jumps to whatever happens next."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from networks import CAMPUS
from plans import plan_of

from netsim import Network, run
from netsim.core.time import MILLISECOND, SECOND
from netsim.virtual.director_loop import DirectorLoop

PLAN = plan_of("alice web delay=1ms")
Program = Callable[[], Awaitable[Any]]


def on_a_computer(program: Program, *, debug: bool = False) -> Any:
    """What a program returns that runs on alice."""

    async def main() -> Any:
        async with Network(PLAN, time="virtual") as network:
            result = await network["alice"].run(program)
            assert network.errors == []
            return result

    return run(main(), debug=debug)


def for_a_test(program: Program, *, debug: bool = False) -> Any:
    """What a program returns that runs as a test does."""

    async def main() -> Any:
        return await program()

    return run(main(), debug=debug)


everywhere = pytest.mark.parametrize("of", [on_a_computer, for_a_test])


def test_round_trips_over_the_campus_are_exact() -> None:
    async def main() -> None:
        async with Network(CAMPUS, time="virtual") as network:
            report = await network["alice"].ping("web", count=4, interval=0.5)
            assert report.received == 4
            # Five links and back: 5.6 ms, and the time of 98 octets on 1 Gbit/s ten times.
            assert report.rtts_ns[1:] == (5_600_000 + 10 * 98 * 8,) * 3
            start = network.now()
            reply = await network["alice"].get("http://web/ip")
            assert reply.status == 200
            assert network.now() - start < 30 * MILLISECOND

    run(main())


@everywhere
def test_ten_minutes_take_no_time(of: Any) -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(600)
        return loop.time() - before

    started = time.perf_counter()
    assert of(program) == 600
    assert time.perf_counter() - started < 60


@everywhere
def test_of_timers_with_equal_times_the_first_set_is_the_first_called(of: Any) -> None:
    async def program() -> list[int]:
        loop = asyncio.get_running_loop()
        called: list[int] = []
        when = loop.time() + 1
        for number in range(50):
            loop.call_at(when, called.append, number)
        loop.call_at(when - 0.5, called.append, -1)
        await asyncio.sleep(2)
        return called

    assert of(program) == [-1, *range(50)]


@everywhere
def test_times_that_have_passed_or_never_come(of: Any) -> None:
    async def program() -> list[str]:
        loop = asyncio.get_running_loop()
        called: list[str] = []
        loop.call_at(-5, called.append, "past")
        loop.call_later(-1, called.append, "negative")
        never = [loop.call_at(when, called.append, "never") for when in (math.inf, math.nan, 1e300)]
        await asyncio.sleep(0)
        await asyncio.sleep(86_400)
        for timer in never:
            timer.cancel()
        await asyncio.sleep(86_400)
        return called

    assert of(program) == ["past", "negative"]


@everywhere
@pytest.mark.parametrize("delay", [1e-12, 1e-9, 0.1 + 0.2, 1 / 3, math.pi, 1e-7 / 3])
def test_a_timer_is_never_early(of: Any, delay: float) -> None:
    """A program that finds itself early sleeps again, and again: it would spin."""

    async def program() -> int:
        loop = asyncio.get_running_loop()
        rounds = 0
        for _ in range(20):
            deadline = loop.time() + delay
            while loop.time() < deadline:
                await asyncio.sleep(deadline - loop.time())
                rounds += 1
        return rounds

    assert of(program) <= 40


@everywhere
def test_cancelled_timers_do_not_fill_the_agenda(of: Any) -> None:
    async def program() -> tuple[int, list[str]]:
        loop: Any = asyncio.get_running_loop()
        called: list[str] = []
        loop.call_later(50, called.append, "kept")
        most = 0
        for _ in range(20_000):
            loop.call_later(1000, called.append, "cancelled").cancel()
            most = max(most, len(loop.timeline.agenda))
        await asyncio.sleep(2000)
        return most, called

    most, called = of(program)
    assert most < 3000
    assert called == ["kept"]


def test_blocking_in_an_executor_takes_virtual_time() -> None:
    def blocking(seconds: float) -> float:
        time.sleep(seconds)
        return time.monotonic()

    def failing() -> None:
        time.sleep(2)
        raise LookupError("nothing")

    async def program() -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        ends = list(
            await asyncio.gather(
                loop.run_in_executor(None, blocking, 5), asyncio.to_thread(blocking, 7)
            )
        )
        assert ends == [before + 5, before + 7]
        assert loop.time() == before + 7
        with pytest.raises(LookupError):
            await asyncio.to_thread(failing)
        assert loop.time() == before + 9
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(blocking, 100), 1)
        assert loop.time() == before + 10

    started = time.perf_counter()
    on_a_computer(program)
    assert time.perf_counter() - started < 60


@everywhere
@pytest.mark.parametrize("debug", [False, True])
def test_what_programs_use_of_asyncio(of: Any, debug: bool) -> None:
    async def program() -> list[Any]:
        loop = asyncio.get_running_loop()
        assert loop.get_debug() is debug
        start = loop.time()
        seen: list[Any] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        seen.append(round(loop.time() - start, 6))

        queue: asyncio.Queue[int] = asyncio.Queue(2)

        async def produce() -> None:
            for number in range(6):
                await queue.put(number)
                await asyncio.sleep(0.1)

        async def consume() -> None:
            while True:
                seen.append(await queue.get())
                await asyncio.sleep(0.25)
                queue.task_done()

        async with asyncio.TaskGroup() as group:
            consumer = group.create_task(consume())
            await group.create_task(produce())
            await queue.join()
            consumer.cancel()

        lock, semaphore, condition = asyncio.Lock(), asyncio.Semaphore(2), asyncio.Condition()

        async def work(number: int) -> None:
            async with semaphore:
                await asyncio.sleep(1)
            async with lock:
                seen.append(number)
            async with condition:
                condition.notify_all()

        before = loop.time()
        tasks = [asyncio.create_task(work(10 + number)) for number in range(4)]
        async with condition:
            await condition.wait_for(lambda: all(n in seen for n in range(10, 14)))
        seen.append(round(loop.time() - before, 6))
        await asyncio.gather(*tasks)
        with pytest.raises(ExceptionGroup):
            await _fail_in_a_group()
        done, pending = await asyncio.wait(
            [asyncio.ensure_future(asyncio.sleep(n, n)) for n in (1, 5)], timeout=2
        )
        seen.append([len(done), len(pending)])
        for task in pending:
            task.cancel()
        return seen

    expected = [3.0, *range(6), 10, 11, 12, 13, 2.0, [1, 1]]
    assert of(program, debug=debug) == expected


async def _fail_in_a_group() -> None:
    async def fail() -> None:
        raise LookupError("meant")

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        group.create_task(asyncio.sleep(1000))


@everywhere
def test_context_variables(of: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    async def program() -> list[str]:
        seen: list[str] = []
        variable.set("outer")

        async def inner() -> None:
            seen.append(variable.get())
            variable.set("inner")
            await asyncio.sleep(1)
            seen.append(variable.get())

        await asyncio.create_task(inner())
        asyncio.get_running_loop().call_later(1, lambda: seen.append(variable.get()))
        await asyncio.sleep(2)
        seen.append(await asyncio.to_thread(variable.get))
        return seen

    assert of(program) == ["outer", "inner", "outer", "outer"]


def test_the_test_sees_what_has_happened_at_its_time() -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            seen: list[str] = []

            async def program() -> None:
                await asyncio.sleep(1)
                seen.append("program")

            start = network.now()
            running = asyncio.create_task(network["alice"].run(program))
            await asyncio.sleep(1)
            assert network.now() == start + SECOND
            assert seen == ["program"]
            await running

    run(main())


def test_two_networks_one_after_the_other_and_at_once() -> None:
    async def rtts(network: Network) -> tuple[int, ...]:
        return (await network["alice"].ping("web", count=5)).rtts_ns

    async def main() -> None:
        async with Network(PLAN, time="virtual", seed=1) as first:
            alone = await rtts(first)
        async with Network(PLAN, time="virtual", seed=1) as second:
            assert await rtts(second) == alone
        async with Network(PLAN, time="virtual") as one, Network(PLAN, time="virtual") as other:
            async with one.link("alice", "web").down():
                found = list(await asyncio.gather(rtts(one), rtts(other)))
                assert found == [(), alone]
            assert await rtts(one)
            for network in (one, other):
                for account in await network.accounts():
                    account.check()
            await one["web"].crash()
            assert await rtts(other)

    run(main())


def test_a_loop_of_the_test_reaches_no_network() -> None:
    async def main() -> None:
        with pytest.raises(OSError, match=r"await network\['alice'\].run"):
            await asyncio.open_connection("web", 80)

    run(main())


def test_a_director_of_ones_own() -> None:
    """As pytest plugins make loops: without `run`."""
    loop = DirectorLoop()
    try:
        assert loop.run_until_complete(asyncio.sleep(3, "over")) == "over"
        loop.call_later(1, loop.stop)
        loop.run_forever()
        assert loop.network_now() == 4 * SECOND
    finally:
        loop.close()
