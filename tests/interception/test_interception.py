"""Entering and leaving computers: one at a time, in one thread, and always undone."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from computers import SetClock, computer

from netsim.core.errors import InterceptionError, NetsimError
from netsim.interception.environment import WALL_EPOCH_NS
from netsim.interception.interception import Interception

ROOT = Path(__file__).parents[2]


def test_output_goes_where_the_computers_goes(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    alice = computer(stdout=out, stderr=err)
    with Interception() as interception:
        for text in ("one", "two"):
            interception.enter(alice)
            print(text)  # noqa: T201
            print("oh", file=sys.stderr)  # noqa: T201
            interception.leave()
            print("process")  # noqa: T201
    assert (out.getvalue(), err.getvalue()) == ("one\ntwo\n", "oh\noh\n")
    assert capsys.readouterr().out == "process\nprocess\n"


def test_a_redirection_is_the_computers_and_lasts_over_steps() -> None:
    out, redirected = io.StringIO(), io.StringIO()
    alice, before = computer(stdout=out), sys.stdout
    redirection = contextlib.redirect_stdout(redirected)
    with Interception() as interception:
        interception.enter(alice)
        redirection.__enter__()
        interception.leave()
        assert sys.stdout is before
        interception.enter(alice)
        print("in a later step")  # noqa: T201
        redirection.__exit__(None, None, None)
        print("after it")  # noqa: T201
    assert sys.stdout is before
    assert (redirected.getvalue(), out.getvalue()) == ("in a later step\n", "after it\n")


def test_only_one_is_installed() -> None:
    first, second = Interception(), Interception()
    with first:
        for each in (first, second):
            with pytest.raises(InterceptionError, match="only one"):
                each.install()
        second.uninstall()
        first.enter(computer())
        assert time.time_ns() == WALL_EPOCH_NS
    with second:
        second.enter(computer(clock=SetClock(1)))
        assert time.time_ns() == WALL_EPOCH_NS + 1
    assert issubclass(InterceptionError, NetsimError)


def test_enter_and_leave_alternate() -> None:
    interception = Interception()
    with pytest.raises(InterceptionError, match="install"):
        interception.enter(computer())
    with interception:
        with pytest.raises(InterceptionError):
            interception.leave()
        interception.enter(computer())
        with pytest.raises(InterceptionError):
            interception.enter(computer("bob"))
        interception.leave()
        with pytest.raises(InterceptionError):
            interception.leave()
    with pytest.raises(InterceptionError):
        interception.enter(computer())


def test_no_other_thread_enters() -> None:
    errors: list[Exception] = []

    def enter() -> None:
        try:
            interception.enter(computer())
        except InterceptionError as error:
            errors.append(error)

    with Interception() as interception:
        thread = Thread(target=enter)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_an_error_while_entered_leaves_nothing_behind() -> None:
    state, stdout, environ = random.getstate(), sys.stdout, dict(os.environ)

    def fail() -> None:
        with Interception() as interception:
            interception.enter(computer(stdout=io.StringIO()))
            random.seed(1)
            os.environ["NEW"] = "1"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert random.getstate() == state
    assert sys.stdout is stdout
    assert dict(os.environ) == environ
    assert time.time_ns() != WALL_EPOCH_NS


PROGRAM = """
import asyncio, json, os, random, secrets, sys, time, uuid
from dataclasses import dataclass, field
from datetime import datetime
from random import gauss
from uuid import uuid4
from netsim.core.streams import RandomStreams
from netsim.interception.task_order import install_stable_order
from netsim.interception.interception import Interception
from netsim.interception.environment import Environment

@dataclass
class Order:
    key: str = field(default_factory=lambda: str(uuid4()))
    made: float = field(default_factory=time.time)
    at: datetime = field(default_factory=datetime.now)

async def names():
    tasks = {asyncio.create_task(asyncio.sleep(0)) for _ in range(50)}
    found = [task.get_name() for task in tasks]
    await asyncio.wait(tasks)
    return found

def program():
    order = Order()
    items = list(range(9)); random.shuffle(items)
    return [order.key, order.made, str(order.at), str(uuid.uuid1()), secrets.token_hex(), items,
            gauss(0, 1), random.Random().random(), os.urandom(4).hex(), sorted(os.environ.items())]

class Loop(asyncio.SelectorEventLoop):
    name = "alice"

streams = RandomStreams(int(sys.argv[1]))
now = iter(range(0, 10**12, 7_000_001))
machines = [Environment(streams.below(name), {"HOST": name}, lambda: next(now), None, None)
            for name in ("alice", "bob")]
seen = []
with Interception() as interception:
    for machine in machines * 3:
        interception.enter(machine)
        seen.append(program())
        interception.leave()
    loop = Loop()
    install_stable_order(loop)
    seen.append(loop.run_until_complete(names()))
    loop.close()
print(json.dumps(seen))
"""


def outputs(seeds: list[int]) -> list[str]:
    """Of one process for each seed, under random hashes."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seed)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": str(ROOT)},
        )
        for seed in seeds
    ]
    results = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(seeds)
    return results


def test_ten_processes_see_the_same() -> None:
    seen = outputs([1] * 10)
    assert len(set(seen)) == 1
    assert len(seen[0]) > 1000


def test_another_seed_is_another_run() -> None:
    one, other = outputs([1, 2])
    assert one != other


@pytest.mark.parametrize("enters", [True, False])
def test_the_interpreter_may_end_while_installed(enters: bool) -> None:
    program = (
        "import sys, time, datetime\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        "from computers import computer\n"
        "from netsim.interception.interception import Interception\n"
        "now = datetime.datetime.now\n"
        "class Late:\n"
        "    def __del__(self): now(); time.monotonic(); datetime.datetime.now()\n"
        "sys.late = Late()\n"
        "interception = Interception()\n"
        "interception.install()\n"
        f"if {enters}: interception.enter(computer())\n"
        "del interception; print(time.time_ns())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert (int(ended.stdout) == WALL_EPOCH_NS) == enters


ENDS_ON_A_COMPUTER = """
from computers import SetClock, computer
from netsim.interception.interception import Interception

def test_that_ends_on_a_computer():
    Interception().__enter__()
    Interception.installed().enter(computer(clock=SetClock(3600 * 10**9)))

def test_that_comes_after_it():
    Interception.installed().__exit__(None, None, None)
"""


def test_pytest_takes_the_times_of_the_wall(tmp_path: Path) -> None:
    """Of tests that end on a computer, too: whoever looks for the slow ones finds those."""
    file = tmp_path / "test_ends.py"
    file.write_text(ENDS_ON_A_COMPUTER)
    options = ("-c", ROOT / "pyproject.toml", "--rootdir", ROOT, "-p", "conftest")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-vv", "--durations=0", file],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    times = re.findall(r"^([\d.]+)s (?:setup|call|teardown) ", ran.stdout, re.MULTILINE)
    assert len(times) == 6
    assert max(map(float, times)) < 60
