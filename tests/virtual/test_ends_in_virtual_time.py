"""How runs in virtual time end, well and badly, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from networks import HTTPBIN, two_computers
from plans import plan_of

import netsim
from netsim import (
    DeadlockError,
    Network,
    StandstillError,
    StartError,
    WallLimitError,
    WrongTimeError,
    run,
)
from netsim.virtual.director_loop import DirectorLoop
from netsim.virtual.timeline import Timeline

ROOT: Final = Path(netsim.__file__).parent.parent
PLAN = plan_of("alice web delay=1ms")


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


# Nothing left to happen


def test_a_deadlock_says_who_waits_for_what() -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network["alice"].run(wait_for_ever)

    with pytest.raises(DeadlockError) as caught:
        run(main())
    text = str(caught.value)
    assert text.startswith("nothing is left to happen at ")
    assert "the test waits in " in text
    assert "alice waits in Event.wait (test_ends_in_virtual_time.py:" in text


def test_a_deadlock_of_the_test_alone() -> None:
    with pytest.raises(DeadlockError, match=r"the test waits in Event\.wait"):
        run(wait_for_ever())


def test_a_cancelled_timer_keeps_nobody_waiting() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(10, print).cancel()
        await wait_for_ever()

    with pytest.raises(DeadlockError):
        run(main())


def test_timers_of_computers_that_are_gone_are_no_deadlock() -> None:
    """What is cancelled after the end of its loop is in the agenda no more, and not counted."""

    async def main() -> None:
        timers: list[asyncio.TimerHandle] = []

        async def program() -> None:
            loop = asyncio.get_running_loop()
            timers.extend(loop.call_later(100, print) for _ in range(50))

        async with Network(PLAN, time="virtual") as network:
            await network["alice"].run(program)
        for timer in timers:
            timer.cancel()
        await asyncio.sleep(1000)

    run(main())


def test_time_that_stands_still() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network["alice"].run(spin)

    with pytest.raises(StandstillError, match=r"time stands still at .*: alice goes on and on"):
        run(main())


def test_a_run_may_take_so_much_real_time() -> None:
    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DirectorLoop)
        loop.timeline.limit_wall_time(0.1)
        async with Network(PLAN, time="virtual") as network:
            await network["alice"].run(tick)

    with pytest.raises(WallLimitError, match=r"the limit of 0\.1 s of real time is over, at "):
        run(main())


def test_an_exception_of_the_test_ends_the_network() -> None:
    networks: list[Network] = []
    finished: list[str] = []

    async def program() -> None:
        try:
            await wait_for_ever()
        finally:
            finished.append("alice")

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            networks.append(network)
            task = asyncio.create_task(network["alice"].run(program))
            await asyncio.sleep(1)
            assert not task.done()
            raise LookupError("meant")

    with pytest.raises(LookupError, match="meant"):
        run(main())
    assert networks[0].state == "stopped"
    assert finished == ["alice"]


# Starting


def test_outside_of_virtual_time_it_is_said_where_to_go() -> None:
    async def main() -> None:
        network = Network(PLAN, time="virtual")
        with pytest.raises(WrongTimeError, match=r"netsim\.run\(main\(\)\).*pytest plugin"):
            await network.start()

    asyncio.run(main())


def test_nothing_is_left_of_a_start_that_fails(tmp_path: Path) -> None:
    file = two_computers(
        tmp_path,
        alice=HTTPBIN,
        web="services: {80: 'beside:raises'}",
        beside="def raises():\n    raise LookupError('meant')\n",
    )
    root = logging.getLogger()
    before = [*root.handlers], root.level, [*sys.path], "beside" in sys.modules

    async def main() -> None:
        with pytest.raises(StartError, match="meant"):
            await Network(file, time="virtual").start()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DirectorLoop)
        left = [entry for entry in loop.timeline.agenda if not entry[4].cancelled()]
        assert left == []
        # The same process starts a good one then.
        async with Network(PLAN, time="virtual") as good:
            assert (await good["alice"].ping("web", count=1)).received == 1

    run(main())
    assert ([*root.handlers], root.level, [*sys.path], "beside" in sys.modules) == before


def test_everything_is_put_back_after_two_at_once() -> None:
    root = logging.getLogger()
    before = [*root.handlers], root.level, [*sys.path]

    async def main() -> None:
        one, other = Network(PLAN, time="virtual"), Network(PLAN, time="virtual")
        await one.start()
        await other.start()
        await one.stop()
        assert root.level <= logging.INFO, "the other one still listens"
        await other.stop()

    run(main())
    assert ([*root.handlers], root.level, [*sys.path]) == before


# Programs that end their computer, and those that do not end


def test_a_program_that_exits_ends_its_node_and_no_other() -> None:
    async def leave() -> None:
        await asyncio.sleep(1)
        sys.exit(3)

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            with pytest.raises(ConnectionError):
                await network["web"].run(leave)
            assert network.describe("web")["state"] == "dead"
            assert network.state == "degraded"
            assert any("exit code 3" in event.text for event in network.timeline)
            await network["web"].start()
            assert (await network["alice"].ping("web", count=1)).received == 1

    run(main())


def test_a_pause_that_is_left_holds_up_no_end() -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network["web"].pause()
            assert network.faults_in_force() == ["pause web"]
            await network["web"].stop()
            assert network.faults_in_force() == []
            await network["web"].start()
            await network["web"].pause()
        assert network.errors == []
        assert network.faults_in_force() == []

    run(main())


def test_a_program_that_exits_while_it_is_told_to_stop() -> None:
    async def leave() -> None:
        try:
            await wait_for_ever()
        finally:
            sys.exit(4)

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            leaving = asyncio.create_task(network["web"].run(leave))
            await asyncio.sleep(1)
            await network["web"].stop()
            with pytest.raises(ConnectionError):
                await leaving
            await network["web"].start()
            leaving = asyncio.create_task(network["web"].run(leave))
            await asyncio.sleep(1)
        with pytest.raises(ConnectionError):
            await leaving

    run(main())


@pytest.mark.parametrize("grace", [0, 2.0])
def test_a_program_that_does_not_end(grace: float) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await wait_for_ever()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        network = Network(PLAN, time="virtual")
        await network.start()
        running = asyncio.create_task(network["alice"].run(stubborn))
        await asyncio.sleep(1)
        start = network.now()
        await network.stop(grace=grace)
        assert network.state == "stopped"
        assert network.now() - start < 10e9
        with pytest.raises(ConnectionError):
            await running

    run(main())


def test_a_crash_in_the_middle_of_a_stop() -> None:
    async def slow_end() -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(1.5)

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            running = asyncio.create_task(network["web"].run(slow_end))
            await asyncio.sleep(1)
            stopping = asyncio.create_task(network.stop_node("web"))
            await asyncio.sleep(1)
            network.kill()
            await stopping
            with pytest.raises(ConnectionError):
                await running

    run(main())


def test_asynchronous_generators_are_closed() -> None:
    closed: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(100):
                yield number
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(0.01)
            closed.append("closed")

    kept: list[Any] = []

    async def program() -> int:
        generator = numbers()
        kept.append(generator)
        async for number in generator:
            if number == 3:
                return number
        return -1

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            assert await network["alice"].run(program) == 3
        assert closed == ["closed"]

    run(main())


# Nothing is said that nobody asked for

QUIET: Final = """
import asyncio, gc, signal, sys
import aiohttp
from netsim import Network, run
from netsim.core.errors import NetsimError

YAML = '''
name: quiet
defaults: {link: {delay: 1ms}}
nodes:
  alice: {kind: computer}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links: [[alice, web]]
'''
with open("quiet.yaml", "w") as file:
    file.write(YAML)

async def get(times):
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            async with session.get("http://web/drip?duration=10&numbytes=10") as response:
                await response.read()

async def background():
    asyncio.create_task(asyncio.sleep(1000))
    server = await asyncio.start_server(lambda r, w: None, "0.0.0.0", 9)
    await asyncio.sleep(1000)

async def held():
    try:
        await asyncio.sleep(1000)
    finally:
        print("FINALLY")

async def numbers():
    yield 1
    await asyncio.sleep(1000)
    yield 2

async def forgotten():
    async for _ in numbers():
        await asyncio.Event().wait()

HOW = sys.argv[1]

async def main():
    async with Network("quiet.yaml", time="virtual") as network:
        await network["alice"].get("http://web/ip")
        tasks = [
            asyncio.create_task(network["alice"].run(get, 9)),
            asyncio.create_task(network["web"].run(background)),
            asyncio.create_task(network["web"].run(forgotten)),
        ]
        await asyncio.sleep(3)
        if HOW == "crash":
            doomed = asyncio.create_task(network["web"].run(held))
            await asyncio.sleep(1)
            await network["web"].crash()
            await asyncio.gather(doomed, *tasks[1:], return_exceptions=True)
            gc.collect()
            await asyncio.sleep(1)
            await network["web"].start()
            await network["alice"].get("http://web/ip")
            tasks[0].cancel()
        elif HOW == "deadlock":
            for task in tasks:
                task.cancel()
            await network["alice"].run(asyncio.Event().wait)
        elif HOW == "interrupt":
            print("ready", flush=True)
            while True:
                await network["alice"].get("http://web/ip")
        elif HOW == "fail":
            raise LookupError("meant")
        elif HOW == "cancel":
            for task in tasks:
                task.cancel()
    gc.collect()

# It is ignored where the tests run in the background of a shell.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    run(main())
except (NetsimError, KeyboardInterrupt, LookupError) as error:
    print(type(error).__name__)
gc.collect()
print("end")
"""


def _quiet(tmp_path: Path, how: str) -> subprocess.Popen[str]:
    (tmp_path / "quiet.py").write_text(QUIET)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "quiet.py", how],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("leave", "end\n"),
        ("cancel", "end\n"),
        ("crash", "end\n"),
        ("fail", "LookupError\nend\n"),
        ("deadlock", "DeadlockError\nend\n"),
    ],
)
def test_no_warning_and_no_complaint(tmp_path: Path, how: str, said: str) -> None:
    """A crash runs no `finally`, not even as the interpreter ends."""
    with _quiet(tmp_path, how) as process:
        assert process.communicate(timeout=60) == (said, "")
    assert process.returncode == 0


def test_ctrl_c(tmp_path: Path) -> None:
    with _quiet(tmp_path, "interrupt") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("KeyboardInterrupt\nend\n", "")
    assert process.returncode == 0


def test_real_time_inside_virtual_time_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(WrongTimeError, match=r'write time="virtual".*asyncio\.run\(main\(\)\)'):
            await Network(ROOT / "topologies" / "home.yaml").start()

    run(main())


# Large networks


def test_the_end_of_a_computer_does_not_search_what_all_others_have_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searches: list[int] = []
    discard = Timeline._discard

    def counted(timeline: Timeline, unwanted: Any) -> None:
        searches.append(len(timeline.agenda))
        discard(timeline, unwanted)

    async def sleep() -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        async with Network(plan_of("alice web delay=1ms", "bob web"), time="virtual") as network:
            await network["alice"].run(sleep)
            sleeping = asyncio.ensure_future(network["bob"].run(asyncio.sleep, 100))
            await asyncio.sleep(1)
            sleeping.cancel()
            await asyncio.gather(sleeping, return_exceptions=True)

    monkeypatch.setattr(Timeline, "_discard", counted)
    run(main())
    assert not searches


def test_what_a_crashed_computer_had_planned_does_not_happen() -> None:
    rung: list[str] = []

    async def ring() -> None:
        asyncio.get_running_loop().call_later(2, rung.append, "alice")
        await asyncio.sleep(0)

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network["alice"].run(ring)
            await network["alice"].crash()
            await asyncio.sleep(3)

    run(main())
    assert not rung


def test_garbage_is_searched_again_once_a_network_is_up() -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual"):
            assert gc.isenabled()

    run(main())
    assert gc.isenabled()
