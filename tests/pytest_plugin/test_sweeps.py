"""A test under many seeds: in processes of its own, as if it had run in pytest's."""

from __future__ import annotations

import socket
from pathlib import Path
from xml.etree import ElementTree

import pytest
from memory_programs import PROGRAMS

pytestmark = pytest.mark.timeout(600)  # each is several runs of pytest

TOPOLOGY = """
name: lan
seed: 5
defaults: {link: {delay: 1ms, jitter: 1ms}}
nodes: {alice: {kind: computer}, web: {kind: computer}}
links: [[alice, web]]
"""
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.fixture
def lan(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a network of two computers."""
    pytester.makefile(".yaml", lan=TOPOLOGY)
    pytester.makefile(".ini", pytest=INI)
    pytester.makepyfile(clients=PROGRAMS)
    return pytester


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*args, timeout=280)


SETS = """
import pytest, random, uuid
import clients

@pytest.mark.netsim("lan.yaml", seeds=range(56, 59))
async def test_sets(network):
    network.sometimes(f"{uuid.uuid4()} {random.random()}")
    await network["alice"].run(clients.tell)
"""


def trace(lan: pytest.Pytester, folder: str) -> bytes:
    return Path(lan.path, folder, "test_sets.py_test_sets_seed-57_.jsonl").read_bytes()


def test_a_seed_is_the_same_run_alone_and_among_others(lan: pytest.Pytester) -> None:
    lan.makepyfile(test_sets=SETS)
    result = run(lan, "--netsim-trace", "among")
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*another run may differ*")
    result.stdout.fnmatch_lines(["test_sets.py::test_sets: 3 seeds in * s, * a second"])
    run(lan, "-s", "--netsim-trace", "alone", "--netsim-seed", "57").assert_outcomes(passed=1)
    run(lan, "-n1", "--netsim-trace", "by-a-worker", "-k", "seed-57").assert_outcomes(passed=1)
    assert trace(lan, "among").count(b"\n") > 500
    assert trace(lan, "among") == trace(lan, "alone") == trace(lan, "by-a-worker")


FAILS = """
import os, pytest, warnings

@pytest.fixture(autouse=True)
def noisy():
    print("sets up")
    yield
    print("tears down")

@pytest.mark.netsim("lan.yaml", seeds=range(4))
async def test_it(network, request, record_property):
    print("hello from", request.node.name)
    request.config.get_terminal_writer().line("as pytest-timeout does")
    record_property("number", network.plan.seed)
    if network.plan.seed == 1:
        warnings.warn("be warned")
    async with network.drop("alice", "web"):
        pass
    if network.plan.seed == 2:
        os._exit(7)
    assert network.plan.seed != 3
"""


def test_what_is_told_is_what_pytest_tells_of_its_own_process(lan: pytest.Pytester) -> None:
    lan.makepyfile(test_it=FAILS)
    result = run(lan, "--netsim-keep-going", "-W", "default", "--junitxml", "junit.xml")
    result.assert_outcomes(passed=2, failed=2, warnings=1)
    result.stdout.fnmatch_lines_random(
        [
            "*_ test_it?seed-2? _*",
            "its process ended with exit code 7*",
            "*_ test_it?seed-3? _*",
            ">       assert network.plan.seed != 3",
            "E       AssertionError: assert 3 != 3",
            "sets up",
            "hello from test_it?seed-3?",
            'seed 3: pytest "test_it.py::test_it?seed-3?"',
            "broken: drop alice → web, *",
            "*test_it.py:15: UserWarning: be warned",
        ]
    )
    cases = list(ElementTree.parse(lan.path / "junit.xml").iter("testcase"))
    assert [case.get("name") for case in cases] == [f"test_it[seed-{seed}]" for seed in range(4)]
    (number,) = cases[3].iter("property")
    assert number.attrib == {"name": "number", "value": "3"}


FIXTURES = """
import asyncio, pytest

def note(what):
    with open("noted", "a") as file:
        print(what, file=file)

@pytest.fixture(scope="module")
def shared():
    note("shared")
    yield []
    note("shared ends")
    raise RuntimeError("cannot end")

@pytest.fixture(scope="session")
async def of_a_loop():
    note("loop")
    yield asyncio.get_running_loop()

@pytest.fixture
def own(shared, tmp_path):
    note("own")
    yield tmp_path
    note("own ends")

@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.netsim("lan.yaml", seeds=range(3))
@pytest.mark.parametrize("word", ["a"])
async def test_it(network, own, of_a_loop, shared, word):
    assert of_a_loop is asyncio.get_running_loop()
    assert own.name.startswith("test_it_")
    assert shared == []
    shared.append(1)
"""


def test_what_is_wider_than_the_test_is_set_up_once(lan: pytest.Pytester) -> None:
    lan.makepyfile(test_it=FIXTURES)
    result = run(lan, "-o", "asyncio_default_fixture_loop_scope=session")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*seed-2*", "*cannot end"])
    noted = (lan.path / "noted").read_text().splitlines()
    assert noted[0] == "shared"
    assert noted[-1] == "shared ends"
    assert sorted(noted[1:-1]) == ["loop"] * 3 + ["own"] * 3 + ["own ends"] * 3


STOPS = """
import pdb, pytest, threading

@pytest.mark.netsim("lan.yaml", seeds=[1, 2])
async def test_it(network):
    breakpoint()
"""


def test_a_debugger_is_told_how_it_can_be_had(lan: pytest.Pytester) -> None:
    lan.makepyfile(test_it=STOPS)
    result = run(lan)
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["E *for a debugger run pytest with --netsim-in-process"])
    lan.makepyfile(test_it=STOPS.replace("breakpoint()", "pass"))
    for option in ("--netsim-in-process", "--pdb"):
        result = run(lan, option)
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(
            [f"test_it.py::test_it: ran in pytest's own process*: {option}"]
        )


def test_tests_that_start_a_thread_run_here_and_that_is_told(lan: pytest.Pytester) -> None:
    thread = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    lan.makepyfile(test_it=STOPS.replace("breakpoint()", "pass") + thread)
    result = run(lan)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*own process*: importing the tests starts a thread"])


PCT = """
import asyncio, pytest
from netsim.interception.order_draws import PriorityDraw

lengths = []
draw = PriorityDraw.__init__

def noting(self, stream, depth, length=None):
    lengths.append(length)
    draw(self, stream, depth, length)

PriorityDraw.__init__ = noting

async def work():
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(5)))

@pytest.mark.netsim("lan.yaml", seeds=range(3), order="pct:3")
async def test_it(network):
    await network["alice"].run(work)
    assert lengths[0] is not None and lengths[0] >= 5
"""


def test_pct_is_told_how_many_choices_a_run_has(lan: pytest.Pytester) -> None:
    lan.makepyfile(test_it=PCT)
    run(lan, "-p", "no:cacheprovider").assert_outcomes(passed=3)


LEAVES = """
import os, pytest, socket, subprocess

NETWORK = "/proc/self/ns/net"

@pytest.fixture(scope="module")
def outside():
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 5):
        return os.stat(NETWORK).st_ino

@pytest.mark.netsim("lan.yaml", seeds=range(2))
async def test_virtual(network, outside):
    assert os.stat(NETWORK).st_ino != outside
    assert subprocess.run(["curl", "-s", f"http://127.0.0.1:{os.environ['PORT']}/"]).returncode == 7

@pytest.mark.netsim("lan.yaml", time="real", seeds=range(1))
async def test_real(network, outside):
    assert os.stat(NETWORK).st_ino == outside
"""


def test_runs_in_virtual_time_reach_nobody(
    lan: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    lan.makepyfile(test_leaves=LEAVES)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        run(lan).assert_outcomes(passed=3)
