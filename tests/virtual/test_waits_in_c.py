"""Threads of programs that wait in C, where virtual time cannot go on meanwhile, or compute."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from on_a_computer import on_a_computer
from plans import plan_of

import netsim
from netsim.core.errors import DeadlockError, StuckError
from netsim.core.time import SECOND
from netsim.virtual import strand, stuck_watch, waits_in_c


def test_who_waits_in_c_is_named_and_hangs_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waits_in_c, "LOOK", 0.2)
    before = threading.active_count()
    reader, writer = os.pipe()

    def wait() -> bytes:
        return os.read(reader, 1)

    async def program() -> None:
        await asyncio.to_thread(wait)

    line = wait.__code__.co_firstlineno + 1
    try:
        with pytest.raises(
            DeadlockError, match=rf"asyncio_0 waits at test_waits_in_c.py:{line}, outside"
        ):
            on_a_computer(program)
    finally:
        os.close(writer)  # and lets the thread go
        while threading.active_count() > before:
            time.sleep(0.01)
        os.close(reader)
    assert "Traceback" not in capfd.readouterr().err


def test_who_waits_for_a_library_that_computes_in_threads_of_its_own_is_let(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waits_in_c, "LOOK", 0.2)
    looks: list[float] = []
    computed = waits_in_c.cpu_seconds

    def counted() -> float:
        looks.append(computed())
        return looks[-1]

    monkeypatch.setattr(waits_in_c, "cpu_seconds", counted)
    reader, writer = os.pipe()

    def compute() -> None:
        while len(looks) < 8:  # more than would end a run
            hashlib.pbkdf2_hmac("sha256", b"", b"", 50_000)
        os.write(writer, b"7")

    async def program() -> bytes:
        return await asyncio.to_thread(os.read, reader, 1)

    library = threading.Thread(target=compute)
    library.start()
    try:
        assert on_a_computer(program) == b"7"
    finally:
        library.join()
        os.close(reader)
        os.close(writer)


def test_a_database_that_another_thread_has_locked_is_named_with_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits_in_c, "LOOK", 0.2)
    path = str(tmp_path / "shop.db")

    def hold() -> None:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("create table orders (item)")
            database.execute("begin immediate")
            time.sleep(10)
            database.rollback()

    def write(timeout: float) -> int:
        with contextlib.closing(sqlite3.connect(path, timeout=timeout)) as database:
            for attempt in range(100):
                try:
                    database.execute("insert into orders values (1)")
                    return attempt
                except sqlite3.OperationalError:
                    time.sleep(1)
        raise AssertionError("it is never free")

    async def program(timeout: float) -> int:
        holds = threading.Thread(target=hold)
        holds.start()
        attempts = await asyncio.to_thread(write, timeout)
        await asyncio.to_thread(holds.join)
        return attempts

    assert on_a_computer(functools.partial(program, 0)) == 10
    os.unlink(path)
    line = write.__code__.co_firstlineno + 4
    before = threading.active_count()
    told = rf"test_waits_in_c.py:{line}, outside .* has locked \(sqlite3.connect\(…, timeout=0\)"
    with pytest.raises(DeadlockError, match=told):
        on_a_computer(functools.partial(program, 3))
    while threading.active_count() > before:  # it waits in C for the rest of its 3 s
        time.sleep(0.01)


def test_a_thread_that_computes_for_ever_is_ended_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stuck_watch, "LONGEST_STEP", 2.0)

    def compute() -> None:
        while True:
            pass

    async def program() -> None:
        await asyncio.to_thread(compute)

    with pytest.raises(
        StuckError, match=r"thread asyncio_0 of a has not waited.*test_waits_in_c.py"
    ):
        on_a_computer(program)


async def awaited(reader: int) -> None:
    await asyncio.to_thread(os.read, reader, 1)


async def gathered(reader: int) -> None:
    await asyncio.gather(asyncio.to_thread(os.read, reader, 1))


async def in_a_group(reader: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(os.read, reader, 1))


async def timed(reader: int) -> None:
    await asyncio.wait_for(asyncio.to_thread(os.read, reader, 1), 5)


async def waited(reader: int) -> None:
    reading = asyncio.ensure_future(asyncio.to_thread(os.read, reader, 1))
    await asyncio.wait([reading])


async def shielded(reader: int) -> None:
    await asyncio.shield(asyncio.to_thread(os.read, reader, 1))


async def submitted(reader: int) -> None:
    def ask() -> None:
        with ThreadPoolExecutor() as executor:
            executor.submit(os.read, reader, 1).result()

    await asyncio.to_thread(ask)


async def submitted_by_the_loop(reader: int) -> None:
    ThreadPoolExecutor().submit(os.read, reader, 1).result()


async def started(reader: int) -> None:
    threading.Thread(target=os.read, args=(reader, 1)).start()


PROGRAMS: dict[Callable[[int], Awaitable[None]], int] = {
    awaited: 1,
    gathered: 1,
    in_a_group: 1,
    timed: 1,
    waited: 2,
    shielded: 1,
    submitted: 3,
    submitted_by_the_loop: 1,
    started: 1,
}
"""Where they wait, in lines from their first."""


@pytest.mark.parametrize("worker", ["first job", "another job"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_function_in_c_that_waits_is_named_with_a_line_of_the_program(
    program: Callable[[int], Awaitable[None]], worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits_in_c, "LOOK", 0.2)
    reader, writer = os.pipe()

    async def run() -> None:
        if worker == "another job":
            await asyncio.to_thread(time.sleep, 1)
        await program(reader)

    line = f"test_waits_in_c.py:{program.__code__.co_firstlineno + PROGRAMS[program]}"
    named = rf"in posix.read, (for which {line} waits|in a thread started at {line}), outside"
    if program is started:
        named = rf"at threading.py:\d+, in a thread started at {line}, outside"
    try:
        with pytest.raises(DeadlockError, match=named):
            on_a_computer(run)
    finally:
        os.close(writer)  # and lets the thread go
        os.close(reader)


def test_a_function_in_c_that_computes_for_ever_is_named_with_a_line_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stuck_watch, "LONGEST_STEP", 1.0)
    rounds = 25_000_000

    async def program() -> None:
        await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", b"", b"", rounds)

    line = program.__code__.co_firstlineno + 1
    before = threading.active_count()
    with pytest.raises(
        StuckError, match=rf"stands in _hashlib.pbkdf2_hmac, .* test_waits_in_c.py:{line}"
    ):
        on_a_computer(program)
    while threading.active_count() > before:
        time.sleep(0.01)


def test_executors_work_on_after_a_thread_that_was_lost_while_it_had_their_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waits_in_c, "LOOK", 0.2)
    reader, writer = os.pipe()
    ended: list[str] = []

    async def hand_over() -> None:
        def ask() -> None:
            try:
                ThreadPoolExecutor().submit(os.read, reader, 1)  # begins it with the lock
            finally:
                ended.append("ask")

        await asyncio.to_thread(ask)

    try:
        with pytest.raises(DeadlockError, match=r"in posix\.read"):
            on_a_computer(hand_over)
        assert on_a_computer(lambda: asyncio.to_thread(time.monotonic)) == 1000
    finally:
        os.close(writer)
        os.close(reader)
    assert ended == ["ask"]


def test_executors_work_on_after_a_crash_of_who_had_their_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strand, "_POLL_TIME", SECOND)
    monkeypatch.setattr(strand, "_LONGEST_POLL_TIME", SECOND)

    def submit() -> None:
        # It looks for an idle worker, without waiting: once too often, and so lets time go on.
        monkeypatch.setattr(strand, "_POLLS", 1)
        ThreadPoolExecutor().submit(time.sleep, 1)

    async def main() -> float:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            running = asyncio.create_task(network["a"].run(lambda: asyncio.to_thread(submit)))
            await asyncio.sleep(0.5)
            monkeypatch.setattr(strand, "_POLLS", 100)
            await network["a"].crash()
            with pytest.raises(ConnectionError):
                await running
            return await network["b"].run(lambda: asyncio.to_thread(time.monotonic))

    assert netsim.run(main()) == 1000.5
