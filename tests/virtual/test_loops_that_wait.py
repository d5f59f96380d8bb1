"""Event loops of computers that wait for locks which threads hold, one or several at once."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from on_a_computer import on_a_computer
from plans import plan_of

import netsim
from netsim.core.errors import BlockingCallError, DeadlockError


def test_a_loop_waits_for_a_lock_that_a_thread_holds_while_all_else_goes_on() -> None:
    async def program() -> list[float]:
        lock, start, ticks = threading.Lock(), time.monotonic(), list[float]()

        def hold() -> None:
            with lock:
                time.sleep(3)

        def tick() -> None:
            for _ in range(4):
                time.sleep(1)
                ticks.append(time.monotonic() - start)

        holder, ticker = threading.Thread(target=hold), threading.Thread(target=tick)
        holder.start()
        ticker.start()
        with lock:
            ticks.append(100 + time.monotonic() - start)
        ticker.join()
        return ticks

    assert on_a_computer(program) == [1, 2, 103, 3, 4]


class Held:
    """A lock that a thread of each life holds until `until`, and loops take."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def hold(self, seconds: float) -> None:
        def hold() -> None:
            with self.lock:
                time.sleep(seconds)

        threading.Thread(target=hold).start()

    def take(self) -> None:
        with self.lock:
            pass


TAKES = f"test_loops_that_wait.py:{Held.take.__code__.co_firstlineno + 1}"


async def held_for(seconds: float, begin: float = 0) -> tuple[float, str]:
    """When the loop has gone on, in seconds from 1000, and what it was told."""
    await asyncio.sleep(begin)
    held = Held()
    held.hold(seconds)
    said = ""
    try:
        held.take()
    except BlockingCallError as error:
        said = str(error)
    return round(time.monotonic() - 1000, 3), said


async def of_two(
    one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]], **options: Any
) -> list[Any]:
    async with netsim.Network(plan_of("a b"), time="virtual", **options) as network:
        return [*await asyncio.gather(network["a"].run(one), network["b"].run(other))]


@pytest.mark.parametrize("order", ["fifo", "random"])
def test_of_two_loops_that_wait_for_locks_the_later_is_refused_when_it_keeps_the_other(
    order: str,
) -> None:
    async def later() -> tuple[float, str]:
        return await held_for(9, 1)

    first, second = netsim.run(of_two(lambda: held_for(3), later, order=order))
    assert first == (3, "")
    assert second[0] == 3
    assert re.search(rf"of b cannot wait any longer at {TAKES}.* of a, .* at {TAKES}", second[1])


@pytest.mark.parametrize("order", ["fifo", "random"])
def test_of_two_loops_that_wait_for_locks_the_later_may_go_on_first(order: str) -> None:
    async def later() -> tuple[float, str]:
        return await held_for(2, 1)

    assert netsim.run(of_two(lambda: held_for(5), later, order=order)) == [(5, ""), (3, "")]


def test_two_loops_that_go_on_at_one_instant_are_both_let() -> None:
    async def later() -> tuple[float, str]:
        return await held_for(4, 1)

    assert netsim.run(of_two(lambda: held_for(5), later)) == [(5, ""), (5, "")]


def test_two_loops_wait_for_one_lock() -> None:
    held = Held()

    async def take(begin: float) -> float:
        await asyncio.sleep(begin)
        held.take()
        return round(time.monotonic() - 1000, 3)

    async def first() -> float:
        held.hold(3)
        return await take(0)

    assert netsim.run(of_two(first, lambda: take(1))) == [3, 3]


def test_a_loop_that_waits_for_the_answer_of_one_that_waits_is_refused_and_no_deadlock() -> None:
    answered = threading.Event()

    async def answering() -> str:
        said = (await held_for(3))[1]
        answered.set()
        return said

    async def asking() -> str:
        await asyncio.sleep(1)
        with pytest.raises(BlockingCallError) as raised:
            answered.wait()
        await asyncio.to_thread(answered.wait)
        return str(raised.value)

    said = netsim.run(of_two(answering, asking))
    assert said[0] == ""
    assert "to_thread" in said[1]


def test_a_join_of_a_thread_may_be_refused() -> None:
    async def joining() -> float:
        await asyncio.sleep(1)
        thread = threading.Thread(target=time.sleep, args=(6,))
        thread.start()
        with pytest.raises(BlockingCallError):
            thread.join()
        assert thread.is_alive()
        await asyncio.to_thread(thread.join)
        assert not thread.is_alive()
        return time.monotonic() - 1000

    first, second = netsim.run(of_two(lambda: held_for(3), joining))
    assert first == (3, "")
    assert second == pytest.approx(7, abs=1e-3)


def test_a_loop_that_is_woken_while_somebody_else_is_faster_keeps_nobody_from_waiting() -> None:
    async def late() -> float:
        lock = threading.Lock()

        def hold_again_and_again() -> None:
            for _ in range(4):
                with lock:
                    time.sleep(3)

        threading.Thread(target=hold_again_and_again).start()
        with lock:
            return round(time.monotonic() - 1000, 3)

    first, second = netsim.run(of_two(late, lambda: held_for(6, 1)))
    assert second == (7, "")
    assert first == 12


def test_who_is_overtaken_gets_a_lock_when_the_last_of_the_others_has_gone() -> None:
    async def program() -> list[str]:
        lock, got = threading.Lock(), list[str]()

        def take(name: str, seconds: float) -> None:
            with lock:
                got.append(name)
                time.sleep(seconds)

        def give_and_overtake() -> None:
            lock.acquire()
            time.sleep(1)
            lock.release()  # wakes the first
            lock.acquire()
            lock.release()  # and the second, which is drawn before it

        threads = [threading.Thread(target=give_and_overtake)]
        threads += [threading.Thread(target=take, args=(name, 1)) for name in ("first", "second")]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        return got

    async def main(seed: int) -> list[str]:
        network = netsim.Network(plan_of("a b"), time="virtual", order="random", seed=seed)
        async with network:
            return await network["a"].run(program)

    orders = [netsim.run(main(seed)) for seed in range(12)]
    assert {tuple(order) for order in orders} == {("first", "second"), ("second", "first")}


def test_a_pause_that_keeps_another_loop_from_going_on_ends_the_run_in_words() -> None:
    async def main() -> None:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            first = asyncio.create_task(network["a"].run(held_for, 3))
            second = asyncio.create_task(network["b"].run(held_for, 6, 1))
            await asyncio.sleep(2)
            await network["b"].pause()
            await asyncio.gather(first, second)

    with pytest.raises(BlockingCallError, match=rf"b is paused .*{TAKES} .*that of a .*{TAKES}"):
        netsim.run(main())


def test_three_loops_wait_and_the_first_goes_on_in_time() -> None:
    async def main() -> list[Any]:
        async with netsim.Network(plan_of("a b", "b c"), time="virtual") as network:
            waits = (("a", 3, 0), ("b", 9, 1), ("c", 8, 2))
            running = [network[name].run(held_for, *seconds) for name, *seconds in waits]
            return [*await asyncio.gather(*running)]

    said = netsim.run(main())
    assert [when for when, _ in said] == [3, 3, 3]
    assert [bool(text) for _, text in said] == [False, True, True]


@pytest.mark.parametrize("end", ["crash", "pause"])
def test_a_loop_that_waits_below_and_does_not_go_on_keeps_nobody(end: str) -> None:
    async def main() -> tuple[float, str]:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            first = asyncio.create_task(network["a"].run(held_for, 3))
            second = asyncio.create_task(network["b"].run(held_for, 6, 1))
            await asyncio.sleep(2)
            await (network["a"].crash() if end == "crash" else network["a"].pause())
            said = await second
            if end == "crash":
                with pytest.raises(ConnectionError):
                    await first
            else:
                await asyncio.sleep(3)
                await network["a"].resume()
                assert await first == (10, "")
            return said

    assert netsim.run(main()) == (7, "")


def test_a_loop_that_waits_for_itself_is_a_deadlock_that_says_where() -> None:
    async def program() -> None:
        loop = asyncio.get_running_loop()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()

    with pytest.raises(
        DeadlockError, match=r"a waits in the event loop \(test_loops_that_wait.py:\d+\)"
    ):
        on_a_computer(program)


def test_a_computer_that_crashes_while_its_loop_waits_for_a_lock() -> None:
    async def program() -> None:
        lock = threading.Lock()

        def hold() -> None:
            with lock:
                time.sleep(100)

        threading.Thread(target=hold).start()
        lock.acquire()

    async def main() -> float:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            running = asyncio.create_task(network["a"].run(program))
            await asyncio.sleep(10)
            await network["a"].crash()
            with pytest.raises(ConnectionError):
                await running
            await network["a"].start()
            await network["a"].run(asyncio.sleep, 1)
            return asyncio.get_running_loop().time()

    assert netsim.run(main()) == pytest.approx(1011, abs=0.01)
