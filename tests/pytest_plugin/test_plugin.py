"""The pytest plugin, in runs of pytest of its own: what users write, and what they are shown."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook
from _pytest.pytester import LineMatcher

import netsim.network
from netsim.pytest_plugin import pytest_configure

TOPOLOGY = """
name: shop
seed: 5
defaults: {link: {delay: 1ms, bandwidth: 100mbit}}
nodes:
  alice: {kind: computer}
  r1: {kind: router}
  web: {kind: computer, services: {80: shop_app:create_app}}
links: [[alice, r1], [r1, web]]
"""
APP = """
import asyncio
import aiohttp
from aiohttp import web

def create_app():
    async def hello(request):
        return web.Response(text="hello")

    async def broken(request):
        raise RuntimeError("out of stock")

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/broken", broken)
    return app

async def status(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status
"""
HEAD = """
import asyncio
import time
import pytest
from shop_app import status

pytestmark = [pytest.mark.asyncio, pytest.mark.netsim("shop.yaml")]
"""
SLEEP = """
async def test_ten_minutes(network):
    await asyncio.sleep(600)
    assert network.now() >= 600 * 10**9
    assert await network.call("alice", status, ("http://web/",)) == 200
"""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a network and its programs, and strict mode."""
    pytester.makefile(".yaml", shop=TOPOLOGY)
    pytester.makepyfile(shop_app=APP)
    pytester.makeini(
        "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n"
        "filterwarnings = error\n"
    )
    return pytester


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args, timeout=110)


def test_virtual_time_costs_none(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + SLEEP)
    run(shop, "--timeout=30").assert_outcomes(passed=1)


def test_auto_mode_and_xdist(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD.replace("pytest.mark.asyncio, ", "")
        + SLEEP
        + SLEEP.replace("test_ten", "test_another_ten")
    )
    run(shop, "--asyncio-mode=auto", "-n2").assert_outcomes(passed=2)


def test_every_test_has_a_network_of_its_own(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
async def test_crash(network):
    await network.crash("web")

async def test_after_it(network):
    assert await network.call("alice", status, ("http://web/",)) == 200
    assert network.now() < 10**9
"""
    )
    run(shop).assert_outcomes(passed=2)


def test_other_tests_keep_their_loops(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_shop=HEAD + SLEEP,
        test_other="""
import asyncio
import time
import pytest

@pytest.mark.asyncio
async def test_time_is_real():
    began = time.perf_counter()
    await asyncio.sleep(0.05)
    assert time.perf_counter() - began > 0.04
    assert isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
""",
    )
    run(shop).assert_outcomes(passed=2)


def test_a_failure_shows_the_seed_what_happened_and_the_last_packets(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
async def test_fails(network):
    await network.call("alice", status, ("http://web/",))
    await network.link("alice", "r1").set(delay="80ms", from_="alice")
    async with network.drop("alice", "web", port=81):
        await asyncio.sleep(1)
    await network.crash("web")
    assert await network.call("alice", status, ("http://web/",)) == 418
"""
    )
    result = run(shop, "--netsim-seed", "77", "--junitxml", "junit.xml")
    result.assert_outcomes(failed=1)
    shown = [
        "seed 77: pytest *test_fails* --netsim-seed 77",
        "network time *",
        "broken: alice → r1: delay 80ms, since *ms",
        "broken: drop alice → web, 81, from *ms to 1.*s",
        "broken: web has crashed, since 1.*s",
    ]
    # Without network and packets a run of CI says nothing.
    junit = ElementTree.parse(shop.path / "junit.xml").findtext(".//failure")
    assert junit is not None
    LineMatcher(junit.splitlines()).fnmatch_lines(shown)
    result.stdout.fnmatch_lines(
        [
            "*netsim shop*",
            *shown,
            "what happened:",
            "* web has crashed",
            "last packets:",
            "* alice:eth0 > r1:eth0 *",
        ]
    )


def test_an_error_in_a_program_fails_the_test_unless_it_is_expected(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
async def test_unexpected(network):
    assert await network.call("alice", status, ("http://web/broken",)) == 500

async def test_expected(network):
    assert await network.call("alice", status, ("http://web/broken",)) == 500
    assert "out of stock" in network.errors[-1].text
    network.errors.clear()
"""
    )
    result = run(shop)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*programs of the network have logged errors*", "web: *"])


def test_a_program_that_exits_fails_the_test_unless_it_is_expected(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
import sys

async def exits():
    asyncio.get_running_loop().call_later(0.5, sys.exit, 3)

async def test_unexpected(network):
    await network["alice"].run(exits)
    await asyncio.sleep(1)

async def test_expected(network):
    await network["alice"].run(exits)
    await asyncio.sleep(1)
    assert network.errors[-1].text == "ended with exit code 3"
    network.errors.clear()
"""
    )
    result = run(shop, "--junitxml", "junit.xml")
    result.assert_outcomes(passed=2, errors=1)
    shown = [
        "*programs of the network have logged errors*",
        "alice: ended with exit code 3",
        "netsim shop",
        "seed 5: pytest *test_unexpected* --netsim-seed 5",
        "alice ended with exit code 3, at 50*ms",
    ]
    result.stdout.fnmatch_lines([f"*{line}*" for line in shown])
    junit = ElementTree.parse(shop.path / "junit.xml").findtext(".//error")
    assert junit is not None
    LineMatcher(junit.splitlines()).fnmatch_lines([f"*{line}*" for line in shown])


def test_a_fault_in_vain_fails_the_test(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
async def test_forgotten(network):
    network.link("alice", "r1").down()
    network["web"].crash()

async def test_awaited(network):
    await network.link("alice", "r1").down()
    async with network["web"].crash():
        pass
"""
    )
    result = run(shop)
    # It fails by the warning, which is an error here, and by the fixture, whatever warnings are.
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*nothing has changed: *.py:9, *.py:10; write `await *"])


def test_a_call_that_nobody_awaits_fails_the_test(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
async def test_forgotten(network):
    network["alice"].run(status, "http://web/")
    network["alice"].get("http://web/")
    network.repair()
    network.converged()

async def test_awaited(network):
    task = asyncio.create_task(network["alice"].run(status, "http://web/"))
    never = asyncio.create_task(network["alice"].ping("web"))
    never.cancel()
    assert await asyncio.wait_for(network["alice"].run(status, "http://web/"), 5) == 200
    assert await asyncio.gather(task, network["alice"].resolve("nobody")) == [200, None]
"""
    )
    result = run(shop, "-W", "default")
    result.assert_outcomes(passed=2, errors=1, warnings=4)
    result.stdout.fnmatch_lines(
        [
            '*.py:9: `network?"alice"?.run(…)` was not awaited, so it has not begun; write*',
            '*.py:10: `network?"alice"?.get(…)` was not awaited*',
            "*.py:11: `network.repair()` was not awaited*",
            "*.py:12: `network.converged()` was not awaited*",
        ]
    )


def test_a_trace_for_each_test_the_same_in_each_run(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + SLEEP)
    traces = []
    for folder, seed in (("one", "1"), ("two", "1"), ("three", "2")):
        run(shop, "--netsim-trace", folder, "--netsim-seed", seed).assert_outcomes(passed=1)
        (trace,) = (shop.path / folder).iterdir()
        traces.append(trace.read_bytes())
    assert traces[0].count(b"\n") > 10
    assert traces[0] == traces[1]
    assert traces[0] != traces[2]


def test_who_waits_for_nothing_is_told(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD
        + """
async def test_deadlock(network):
    await network["web"].crash()
    await asyncio.Event().wait()
"""
    )
    result = run(shop)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*nothing is left to happen at *, but the test waits in Event.wait (test_who_*.py:*)",
            "seed 5: pytest *--netsim-seed 5",
            "*web has crashed",
        ]
    )


def test_real_time(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD.replace('("shop.yaml")', '("shop.yaml", time="real")')
        + """
async def test_processes(network):
    assert (await network.inspect_node("web"))["pid"] is not None
    assert await network.call("alice", status, ("http://web/",)) == 200
"""
    )
    run(shop).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("", "*the fixture `network` needs the marker netsim*"),
        ('@pytest.mark.netsim("shop.yaml", sed=3)', "*the marker netsim has no 'sed'; write*seed*"),
        ('@pytest.mark.netsim("shop.yaml", time="fast")', '*time is "real" or "virtual"*'),
        ('@pytest.mark.netsim("shop.yaml", order="lifo")', "*`lifo` is no order of tasks; write*"),
        ('@pytest.mark.netsim("no_app.yaml")', "*web: shop_app:app: module*has no 'app'*"),
        ('@pytest.mark.netsim("bad.yaml")', "*bad.yaml:2:*kind*"),
        ('@pytest.mark.netsim("none.yaml")', "*there is no file 'none.yaml', neither in *"),
    ],
)
def test_mistakes_are_told_at_their_place(shop: pytest.Pytester, marker: str, message: str) -> None:
    shop.makefile(".yaml", bad="name: bad\nnodes: {a: {kind: komputer}}\n")
    shop.makefile(".yaml", no_app=TOPOLOGY.replace("create_app", "app"))
    shop.makepyfile(
        f"""
import pytest

{marker}
@pytest.mark.asyncio
async def test_it(network):
    pass
"""
    )
    result = run(shop)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*Traceback*")


POLICY = """
@pytest.fixture(scope="session")
def event_loop_policy():
    return asyncio.DefaultEventLoopPolicy()
"""


def test_a_policy_of_the_users_own_changes_nothing(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + POLICY + SLEEP)
    run(shop, "-W", "ignore").assert_outcomes(passed=1)


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_anyio_runs_it_on_asyncio_and_refuses_trio_in_words(
    shop: pytest.Pytester, time: str
) -> None:
    head = HEAD.replace("asyncio,", "anyio,")
    test = """
@pytest.mark.netsim("shop.yaml", time="real")
async def test_ping(network):
    assert (await network["alice"].ping("web")).received == 3
"""
    shop.makepyfile(head + (SLEEP if time == "virtual" else test))
    result = run(shop, "-W", "ignore")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*this test runs on trio: write a fixture anyio_backend*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_loops_of_any_scope(shop: pytest.Pytester, scope: str) -> None:
    marker = f'pytest.mark.asyncio(loop_scope="{scope}")'
    shop.makepyfile(
        HEAD.replace("pytest.mark.asyncio", marker)
        + """
class TestShop:
    async def test_crash(self, network):
        await network.crash("web")

    async def test_another_network_in_the_same_time(self, network):
        await asyncio.sleep(600)
        assert await network.call("alice", status, ("http://web/",)) == 200
"""
    )
    run(shop).assert_outcomes(passed=2)


def test_a_loop_that_another_test_made_is_named(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
import pytest
pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_first():
    pass

@pytest.mark.netsim("shop.yaml")
async def test_then(network):
    pass
"""
    )
    result = run(shop)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(['*not: it was made for a test without the marker netsim*module"*'])


def test_real_time_on_a_loop_of_virtual_time_is_named(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
import pytest
pytestmark = pytest.mark.asyncio(loop_scope="module")

@pytest.mark.netsim("shop.yaml")
async def test_first(network):
    pass

@pytest.mark.netsim("shop.yaml", time="real")
async def test_then(network):
    pass
"""
    )
    result = run(shop)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*in real time, but its event loop is that of tests in virtual*"])


def test_a_network_on_another_loop_is_named(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        HEAD.replace("import pytest", "import pytest, pytest_asyncio")
        + """
@pytest_asyncio.fixture(loop_scope="module")
async def answer(network):
    return await network.call("alice", status, ("http://web/",))

async def test_it(answer):
    pass
"""
    )
    result = run(shop)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Another event loop in virtual time is open*loop_scope"])


SEEDS = """
import random

@pytest.mark.netsim("shop.yaml", seeds=range(6))
async def test_dice(network):
    async def roll():
        return random.randrange(6)
    with open("rolled", "a") as file:
        file.write(f"{network.plan.seed}={await network['alice'].run(roll)} ")
    assert network.plan.seed < 3
"""


def test_each_seed_runs_and_the_first_that_fails_is_shown(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + SEEDS)
    result = run(shop, "-rs")
    result.assert_outcomes(passed=3, failed=1, skipped=2)
    result.stdout.fnmatch_lines(['*seed 3: pytest *test_dice[[]seed-3]"', "*seed 3 has failed*"])
    rolled = sorted((shop.path / "rolled").read_text().split())
    assert [each[0] for each in rolled[:4]] == ["0", "1", "2", "3"]  # later ones may have begun
    assert len({each[2] for each in rolled}) > 1
    run(shop, "--netsim-keep-going").assert_outcomes(passed=3, failed=3)
    run(shop, "--netsim-seed", "1").assert_outcomes(passed=1)
    assert (shop.path / "rolled").read_text().split()[-1] == rolled[1]


RACE = """
@pytest.mark.netsim("shop.yaml", seeds=range(20), order="random")
async def test_deposits(network):
    async def both():
        balance = 0
        async def deposit(amount):
            nonlocal balance
            await asyncio.sleep(1)
            before = balance
            await asyncio.sleep(0)
            balance = before + amount
        async def nap():
            for _ in range(5):
                await asyncio.sleep(0.3)
        await asyncio.gather(deposit(10), deposit(20), nap(), nap())
        return balance
    assert await network["alice"].run(both) == 30
"""
SWAPS = "which task ran before which, otherwise than in asyncio's order:"


def test_the_fewest_swaps_of_a_drawn_order_are_shown_where_it_fails(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + RACE)
    result = run(shop)
    assert result.parseoutcomes()["failed"] == 1
    lines = result.outlines
    (title,) = (index for index, line in enumerate(lines) if line == SWAPS)
    assert re.fullmatch(
        r"enough: 1 swap of tasks, where the run had ([2-9]|\d\d+)", lines[title - 1]
    )
    assert re.search(
        r"1.0+ s  alice: Task-\d+ \(.* in .*deposit\) before Task-\d+ \(.* in .*deposit\)$",
        lines[title + 1],
    )
    assert "before" not in lines[title + 2]


def test_what_fails_in_asyncios_order_is_not_blamed_on_another(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + RACE.replace("== 30", "== 31"))
    result = run(shop)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["it fails in asyncio's order of tasks, too: order=*fifo*"])
    result.stdout.no_fnmatch_line(SWAPS)
    shop.makepyfile(HEAD + RACE.replace('"random"', '"fifo"'))
    run(shop).assert_outcomes(passed=20)


def test_wrong_seeds(shop: pytest.Pytester) -> None:
    shop.makepyfile(HEAD + SEEDS.replace("range(6)", '["many"]'))
    result = run(shop)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*seeds are whole numbers*seeds=range(100)*"])


WORK = (
    HEAD
    + """
import subprocess

async def work():
    for _ in range(2):
        subprocess.run(["true"], check=True)

@pytest.mark.parametrize("number", range(2))
async def test_work(network, number):
    await network["alice"].run(work)
"""
)


def test_what_may_differ_is_told_once(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.makepyfile(test_work=WORK)
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    for number in ("0", "2"):
        result = run(shop, "-n", number)
        result.assert_outcomes(passed=2)
        (title,) = (line for line in result.outlines if "another run may differ" in line)
        told = result.outlines[result.outlines.index(title) + 1 :]
        assert told[0].startswith("the order of sets of str and bytes, and hash(), as the hash")
        assert "; sets of plain objects, as they lie elsewhere" in told[0]
        assert (
            told[1]
            == "alice: started a process (true), in this machine's network (test_work.py:12)"
        )
        assert not [line for line in told[2:] if "order of" in line or "process" in line]


def test_what_may_differ_is_in_pytests_junit_file(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_work=WORK)
    run(shop, "--junitxml=results.xml")
    (_, *cases) = ElementTree.parse(shop.path / "results.xml").iter("testcase")
    told = [each.attrib for case in cases for each in case.iter("property")]
    process = "alice: started a process (true), in this machine's network (test_work.py:12)"
    assert {"name": "netsim: another run may differ", "value": process} in told


RETRIES = """
@pytest.mark.netsim("shop.yaml", seeds=range(6))
async def test_retries(network):
    network.sometimes("seed 4", network.plan.seed == 4)
    network.sometimes("seed 9", network.plan.seed == 9)

@pytest.mark.netsim("jittery.yaml", seeds=range(3))
@pytest.mark.parametrize("number", [7])
async def test_dice(network, number):
    await network["alice"].ping("web")
    network.sometimes("it is over")
"""


def test_what_never_happened_and_seeds_that_are_one_run_are_told(shop: pytest.Pytester) -> None:
    shop.makefile(".yaml", jittery=TOPOLOGY.replace("delay: 1ms", "delay: 1ms, jitter: 1ms"))
    shop.makepyfile(test_retries=HEAD + RETRIES)
    for number in ("0", "2"):
        result = run(shop, "-n", number)
        result.assert_outcomes(passed=9)
        (title,) = (line for line in result.outlines if "what seeds did not show" in line)
        told = result.outlines[result.outlines.index(title) + 1 :][:3]
        test = "test_retries.py::test_retries: "
        assert told[0] == f"{test}sometimes, but never in 6 runs: seed 9"
        assert told[1].startswith(f"{test}all 6 seeds are one run: ")
        assert 'write `order="random"` in the marker or `host_jitter: 120us` in' in told[1]
        assert "test_dice" not in told[2]


def test_assertions_of_netsim_itself_are_not_rewritten(pytestconfig: pytest.Config) -> None:
    def is_rewritten() -> bool:
        return hook.find_spec("netsim.network.events", netsim.network.__path__) is not None

    hook = AssertionRewritingHook(pytestconfig)
    hook.mark_rewrite("netsim")  # as pytest does with an installed wheel
    assert is_rewritten()
    hook = AssertionRewritingHook(pytestconfig)
    hook.mark_rewrite("netsim")
    manager = SimpleNamespace(rewrite_hook=hook, register=lambda *plugin: None)
    config: Any = SimpleNamespace(addinivalue_line=lambda *line: None, pluginmanager=manager)
    pytest_configure(config)
    assert not is_rewritten()
