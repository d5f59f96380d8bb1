"""Threads of programs take turns in virtual time, wherever they wait for each other."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from on_a_computer import on_a_computer
from plans import plan_of

import netsim
from netsim.core.errors import BlockingCallError, BlockingSleepError, DeadlockError
from netsim.sockets.machine import Wait
from netsim.virtual import strand

Result = TypeVar("Result")


def logged_of(program: Callable[[], Awaitable[Any]]) -> list[str]:
    """What stands in the log when the network has ended."""

    async def main() -> list[str]:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            await network["a"].run(program)
            await network["a"].stop()
            return [line["text"] for line in network.logs()["lines"]]

    return netsim.run(main())


def test_two_threads_hand_work_to_each_other_through_a_queue() -> None:
    async def program() -> list[tuple[int, float]]:
        start = time.monotonic()
        orders: queue.Queue[int | None] = queue.Queue(1)
        goods: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()

        def make() -> None:
            while (order := orders.get()) is not None:
                time.sleep(order)
                goods.put((order, time.monotonic() - start))
            goods.put(None)

        def order() -> list[tuple[int, float]]:
            for number in (3, 1, 2):
                orders.put(number)
            orders.put(None)
            return list(iter(goods.get, None))

        maker = threading.Thread(target=make)
        maker.start()
        done = await asyncio.to_thread(order)
        await asyncio.to_thread(maker.join)
        assert not maker.is_alive()
        return done

    assert on_a_computer(program) == [(3, 3.0), (1, 4.0), (2, 6.0)]


def test_what_waits_in_threading_waits_in_network_time() -> None:
    async def program() -> None:
        start, seen = time.monotonic(), []

        def since() -> float:
            return time.monotonic() - start

        threading.Timer(3, lambda: seen.append(since())).start()
        barrier = threading.Barrier(3)

        def meet(seconds: float) -> None:
            time.sleep(seconds)
            barrier.wait()

        await asyncio.gather(*(asyncio.to_thread(meet, seconds) for seconds in range(3)))
        assert since() == 2
        condition, event = threading.Condition(), threading.Event()

        def wait() -> tuple[bool, bool, bool]:
            with condition:
                notified = condition.wait(1.5)
            lock = threading.Lock()
            lock.acquire()
            return notified, event.wait(0.5), lock.acquire(timeout=0.5)

        assert await asyncio.to_thread(wait) == (False, False, False)
        assert since() == 4.5
        assert seen == [3]
        sleeper = threading.Thread(target=time.sleep, args=(5,))
        sleeper.start()
        await asyncio.to_thread(sleeper.join, 1)
        assert sleeper.is_alive()
        assert since() == 5.5
        await asyncio.to_thread(sleeper.join)
        assert (since(), sleeper.is_alive()) == (9.5, False)
        with pytest.raises(queue.Empty):
            await asyncio.to_thread(queue.Queue[int]().get, True, 2)
        with pytest.raises(queue.Empty):
            await asyncio.to_thread(queue.SimpleQueue[int]().get, True, 2)
        assert since() == 13.5

    on_a_computer(program)


def test_executors_have_as_many_threads_at_once_as_they_say() -> None:
    async def program() -> tuple[list[int], float, list[int]]:
        start = time.monotonic()

        def nap(number: int) -> int:
            time.sleep(1)
            return number

        def in_a_pool() -> list[int]:
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(nap, range(5)))

        numbers = await asyncio.to_thread(in_a_pool)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(5) as pool:
            more = await asyncio.gather(*(loop.run_in_executor(pool, nap, n) for n in range(5)))
        return numbers, time.monotonic() - start, more

    assert on_a_computer(program) == ([0, 1, 2, 3, 4], 4.0, [0, 1, 2, 3, 4])


def test_threads_call_coroutines_of_the_loop_and_wait_for_them() -> None:
    async def program() -> None:
        loop = asyncio.get_running_loop()

        async def answer() -> int:
            await asyncio.sleep(1)
            return 7

        def ask(seconds: float | None) -> int:
            return asyncio.run_coroutine_threadsafe(answer(), loop).result(seconds)

        assert await asyncio.to_thread(ask, None) == 7
        with pytest.raises(concurrent.futures.TimeoutError):
            await asyncio.to_thread(ask, 0.5)
        assert loop.time() == 1001.5

    on_a_computer(program)


def test_a_thread_has_a_loop_of_its_own_on_the_computers_network() -> None:
    async def program() -> None:
        async def greet(_: Any, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 80)

        async def visit() -> bytes:
            await asyncio.sleep(1)
            reader, writer = await asyncio.open_connection("127.0.0.1", 80)
            greeting = await reader.read()
            writer.close()
            return greeting

        assert await asyncio.to_thread(asyncio.run, visit()) == b"hello"

        def in_a_loop_made_by_name() -> bytes:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                return runner.run(visit())

        assert await asyncio.to_thread(in_a_loop_made_by_name) == b"hello"
        server.close()

    on_a_computer(program)


def test_who_asks_in_a_circle_for_long_is_little_late() -> None:
    async def program() -> tuple[int, float]:
        lock = threading.Lock()
        lock.acquire()

        def spin() -> tuple[int, float]:
            times, began = 0, time.monotonic()
            while not lock.acquire(False):
                times += 1
            return times, time.monotonic() - began

        threading.Timer(1, lock.release).start()
        return await asyncio.to_thread(spin)

    times, took = on_a_computer(program)
    assert times < 200_000
    assert 1 <= took <= 1.002


def test_who_asks_in_a_circle_lets_time_go_on() -> None:
    async def program() -> tuple[int, int, float]:
        lock, flags = threading.Lock(), list[int]()
        lock.acquire()

        def spin() -> int:
            times = 0
            while not lock.acquire(False):
                times += 1
            return times

        def yield_() -> int:
            times = 0
            while not flags:
                time.sleep(0)
                times += 1
            return times

        threading.Timer(0.001, lock.release).start()
        spun = await asyncio.to_thread(spin)
        threading.Timer(0.01, flags.append, (1,)).start()
        return spun // 100, await asyncio.to_thread(yield_), time.monotonic()

    spun, yielded, now = on_a_computer(program)
    assert 60 <= spun <= 100  # a microsecond for each hundred, and then ever more
    assert 199 <= yielded <= 201
    assert 1000.011 < now < 1000.012


def test_what_a_thread_raises_is_told_on_its_computer() -> None:
    async def program() -> None:
        def fail() -> None:
            raise KeyError("boom")

        thread = threading.Thread(target=fail, name="worker-7")
        thread.start()
        await asyncio.to_thread(thread.join)

    lines = logged_of(program)
    assert any("Exception in thread worker-7" in line for line in lines)
    assert any("KeyError: 'boom'" in line for line in lines)


def test_threads_have_the_computers_clock_name_and_randomness() -> None:
    async def program() -> tuple[Any, ...]:
        import random
        import socket

        def tell() -> tuple[Any, ...]:
            return time.time(), socket.gethostname(), os.getpid(), random.random()

        return await asyncio.to_thread(tell)

    first, second = on_a_computer(program), on_a_computer(program)
    assert first[:2] == (1_767_225_600, "a")
    assert first == second


def test_signal_handlers_are_for_the_loops_thread() -> None:
    async def program() -> None:
        with pytest.raises(ValueError, match="main thread"):
            await asyncio.to_thread(signal.signal, signal.SIGTERM, signal.SIG_IGN)

    on_a_computer(program)


def test_a_deadlock_of_two_locks_names_both_lines() -> None:
    first, second = threading.Lock(), threading.Lock()

    def one() -> None:
        with first:
            time.sleep(1)
            with second:
                pass

    def other() -> None:
        with second:
            time.sleep(1)
            with first:
                pass

    async def program() -> None:
        await asyncio.gather(asyncio.to_thread(one), asyncio.to_thread(other))

    with pytest.raises(DeadlockError) as raised:
        on_a_computer(program)
    for function in (one, other):
        line = function.__code__.co_firstlineno + 3
        assert f"(test_threads.py:{line})" in str(raised.value)


def test_a_child_process_lives_by_real_time() -> None:
    async def program() -> tuple[bytes, str]:
        quick = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(0.3); print(7)"]
        answer = await asyncio.to_thread(
            lambda: subprocess.run(quick, capture_output=True, timeout=30, check=True).stdout
        )
        with pytest.raises(subprocess.TimeoutExpired) as raised:
            await asyncio.to_thread(lambda: subprocess.run(["sleep", "30"], timeout=0.5))
        return answer, str(raised.value)

    with pytest.warns(netsim.UnrepeatableWarning, match="process"):
        answer, error = on_a_computer(program)
    assert answer == b"7\n"
    assert "timed out after 0.5 seconds" in error


def test_a_stop_ends_workers_and_names_threads_that_do_not_end() -> None:
    async def program() -> None:
        await asyncio.to_thread(time.sleep, 1)
        event = threading.Event()
        threading.Thread(target=event.wait, name="patient").start()
        threading.Thread(target=event.wait, name="quiet", daemon=True).start()

    before = threading.active_count()
    lines = logged_of(program)
    (told,) = (line for line in lines if "has not ended" in line)
    assert told.startswith("thread patient has not ended: it waits at threading.py:")
    assert threading.active_count() == before


def test_a_crash_runs_no_line_of_a_parked_thread() -> None:
    ran: list[str] = []

    async def program() -> None:
        def sleep() -> None:
            try:
                time.sleep(100)
            finally:
                ran.append("finally")

        threading.Thread(target=sleep).start()
        await asyncio.sleep(50)

    async def main() -> None:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            running = asyncio.create_task(network["a"].run(program))
            await asyncio.sleep(10)
            await network["a"].crash()
            with pytest.raises(ConnectionError):
                await running
            await asyncio.sleep(200)

    before = threading.active_count()
    netsim.run(main())
    assert not ran
    assert threading.active_count() == before


def test_crashes_leave_no_more_threads_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strand, "_MOST_LEFT", strand.Strands.left + 4)

    async def program() -> None:
        sleeper = threading.Thread(target=time.sleep, args=(100,))
        sleeper.start()
        await asyncio.to_thread(sleeper.join)

    async def main() -> None:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            for _ in range(2):
                running = asyncio.create_task(network["a"].run(program))
                await asyncio.sleep(1)
                await network["a"].crash()
                with pytest.raises(ConnectionError):
                    await running
                await network["a"].start()
            with pytest.raises(
                netsim.ThreadLimitError,
                match=r"can't start new thread: crashes of computers have left \d+",
            ):
                await network["a"].run(program)

    netsim.run(main())


def test_threads_of_a_paused_computer_stand_still() -> None:
    async def program() -> float:
        await asyncio.to_thread(time.sleep, 1)
        return time.monotonic()

    async def main() -> float:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            running = asyncio.create_task(network["a"].run(program))
            await asyncio.sleep(0.5)
            await network["a"].pause()
            await asyncio.sleep(5)
            await network["a"].resume()
            return await running

    assert netsim.run(main()) == 1005.5


def test_what_would_block_the_loop_is_refused() -> None:
    async def program() -> None:
        with pytest.raises(BlockingSleepError):
            time.sleep(1)
        loop: Any = asyncio.get_running_loop()
        with pytest.raises(BlockingCallError, match="recv"):
            loop.wait(Wait(lambda: False, "recv() on a socket"))

    on_a_computer(program)


def test_threads_of_the_test_are_the_processs() -> None:
    async def main() -> None:
        async with netsim.Network(plan_of("a b"), time="virtual"):
            seen: list[float] = []
            loop, done = asyncio.get_running_loop(), asyncio.Event()

            def look() -> None:
                seen.append(time.monotonic())
                loop.call_soon_threadsafe(done.set)

            threading.Thread(target=look).start()
            await done.wait()
            assert seen[0] != loop.time()
            await asyncio.to_thread(time.sleep, 100)
            assert loop.time() == 1100

    with pytest.warns(netsim.UnrepeatableWarning, match="called into the loop"):
        netsim.run(main())


def test_afterwards_everything_is_as_it_was() -> None:
    import _queue
    import _thread

    types = (_thread.LockType, _thread.RLock, _queue.SimpleQueue)
    before = [dict(vars(each)) for each in types]
    excepthook, init = threading.excepthook, asyncio.SelectorEventLoop.__init__
    test_two_threads_hand_work_to_each_other_through_a_queue()
    assert [dict(vars(each)) for each in types] == before
    assert threading.excepthook is excepthook
    assert asyncio.SelectorEventLoop.__init__ is init


def test_threads_repeat_under_other_hashes_and_load() -> None:
    play = Path(__file__).with_name("threaded_play.py")
    hog = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    hogs = [subprocess.Popen(hog) for _ in range(2)]
    path = os.pathsep.join([str(play.parents[1]), str(Path(netsim.__file__).parents[1])])
    try:
        runs = [
            subprocess.run(
                [sys.executable, str(play)],
                env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(seed)},
                capture_output=True,
                check=True,
                timeout=200,
            ).stdout
            for seed in range(4)
        ]
    finally:
        for each in hogs:
            each.kill()
            each.wait()
    assert len(json.loads(runs[0])) == 80 + 18
    assert len(set(runs)) == 1
