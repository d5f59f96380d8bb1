"""When what is under `run` serves, and what is told when it has failed: the same in both times."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from networks import play, two_computers, until

from netsim import Network, StartError, run
from netsim.cli.fact_tables import not_responding
from netsim.core.time import Time
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.scenario_run import execute
from netsim.scenario.text_report import failure_lines

both_times = pytest.mark.parametrize("time", ["real", "virtual"])

SERVE = """
import asyncio
import sys
import time
from aiohttp import web

async def serve(request):
    return web.Response(text="served")

async def main(after=0.05, host="0.0.0.0"):
    await asyncio.sleep(after)
    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, 8000).start()
    await asyncio.Event().wait()

async def for_itself():
    await main(after=0, host="127.0.0.1")

async def for_others():
    await main(after=0.05, host="web")

async def fails():
    raise LookupError("no stock")

async def fails_in_two_lines():
    raise LookupError("no stock\\nof these goods")

async def fails_later():
    await asyncio.sleep(0.01)
    raise LookupError("no stock")

class Application:
    async def __call__(self, scope, receive, send):
        pass

async def create_app():
    return Application()

async def ends():
    pass

async def exits():
    print("the port is taken")
    sys.exit(3)

async def exits_later():
    await asyncio.sleep(0.1)
    print("the disk is full")
    sys.exit(4)

async def blocks():
    await asyncio.sleep(0)
    while True:
        time.sleep(0.1)

async def is_ready():
    await asyncio.sleep(0.2)

async def is_never_ready():
    raise OSError("no database")
"""


def start_error(file: Path, time: Time) -> str:
    async def main() -> str:
        network = Network(file, time=time)
        with pytest.raises(StartError) as caught:
            await network.start()
        assert network.state == "stopped"
        return str(caught.value)

    return (run if time == "virtual" else asyncio.run)(main())


@both_times
@pytest.mark.parametrize("ready", ["8000", "'serve:is_ready'"])
def test_a_network_is_up_when_its_programs_serve(ready: str, time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web=f"run: 'serve:main', ready: {ready}", serve=SERVE)

    async def test(network: Network) -> None:
        assert (await network["alice"].get("http://web:8000/")).text == "served"
        await network["web"].crash()
        await network["web"].start()
        await network.converged()
        assert (await network["alice"].get("http://web:8000/")).text == "served"

    play(time, file, test)


@both_times
def test_a_program_that_fails_before_it_serves_fails_the_start(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="run: 'serve:fails', ready: 8000", serve=SERVE)
    assert start_error(file, time) == (
        "web: nothing listens at port 8000; serve:fails: LookupError: no stock"
    )


@both_times
def test_a_program_that_exits_before_it_serves_fails_the_start(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="run: 'serve:exits', ready: 8000", serve=SERVE)
    assert start_error(file, time) == (
        "web: ended with exit code 3\nthe last that web logged:\n  the port is taken"
    )


@both_times
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_who_serves_its_own_computer_alone_is_not_ready(
    host: str, time: Time, tmp_path: Path
) -> None:
    words = f"run: {{call: 'serve:main', args: {{host: {host}}}}}, ready: 8000"
    file = two_computers(tmp_path, web=words, serve=SERVE)
    assert start_error(file, time) == (
        "web: what serves port 8000 listens on 127.0.0.1 only; other computers cannot reach it; "
        "bind to 0.0.0.0"
    )


@both_times
def test_a_second_address_after_that_of_the_computer_itself_serves(
    time: Time, tmp_path: Path
) -> None:
    words = "run: ['serve:for_itself', 'serve:main'], ready: 8000"
    file = two_computers(tmp_path, web=words.replace("main", "for_others"), serve=SERVE)

    async def test(network: Network) -> None:
        assert (await network["alice"].get("http://web:8000/")).text == "served"

    play(time, file, test)


@both_times
def test_a_program_that_exits_at_once_leaves_a_dead_node(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="run: 'serve:exits'", serve=SERVE)

    async def test(network: Network) -> None:
        assert network.describe("web")["state"] == "dead"
        await network["web"].start()
        assert network.describe("web")["state"] == "dead"
        assert [each.node for each in network.exits] == ["web", "web"]
        assert network.exits[-1].text.endswith("ended with exit code 3")
        assert [each.text for each in network.errors] == ["ended with exit code 3"] * 2

    play(time, file, test)


NOT_SERVED = "an ASGI application; serve it under `services`, as docs/services.md shows"


@both_times
def test_an_application_that_nobody_serves(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="run: 'serve:create_app', ready: 8000", serve=SERVE)
    assert start_error(file, time) == (
        f"web: nothing listens at port 8000; serve:create_app: {NOT_SERVED}"
    )
    file = two_computers(tmp_path, web="run: 'serve:create_app'", serve=SERVE)

    async def test(network: Network) -> None:
        await until(network, lambda: network.failed_programs > 0)
        (event,) = [each for each in network.timeline if each.kind == "program-failed"]
        assert event.text == f"web: run: serve:create_app gave {NOT_SERVED}"

    play(time, file, test)


def test_a_service_that_serves_by_itself(tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: 'serve:main'}", serve=SERVE)
    assert start_error(file, "virtual") == (
        "web: serve:main made no application within 20 s; what serves by itself goes under `run`"
    )


@both_times
def test_a_network_starts_with_routes_that_are_settled(time: Time, tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    file = tmp_path / "routed.yaml"
    file.write_text(
        "name: routed\nnodes:\n  alice: {kind: computer}\n  r1: {kind: router}\n"
        "  r2: {kind: router}\n  web: {kind: computer, run: 'serve:exits'}\n"
        "links: [[alice, r1], [r1, r2], [r2, web]]\n"
    )

    async def test(network: Network) -> None:
        assert network.describe("web")["state"] == "dead"
        assert "routes" in [each.kind for each in network.timeline]
        assert (await network["alice"].ping("web", count=1)).errors

    play(time, file, test)


@both_times
def test_a_readiness_function_that_raises(time: Time, tmp_path: Path) -> None:
    words = "run: 'serve:main', ready: 'serve:is_never_ready'"
    file = two_computers(tmp_path, web=words, serve=SERVE)
    assert start_error(file, time) == "web: `ready: serve:is_never_ready`: OSError: no database"


def test_readiness_has_a_limit(tmp_path: Path) -> None:
    words = "run: {call: 'serve:main', args: {after: 31}}, ready: 8000"
    file = two_computers(tmp_path, web=words, serve=SERVE)
    message = start_error(file, "virtual")
    assert message == "web: `ready: 8000` did not come true within 30 s"


@both_times
@pytest.mark.parametrize("call", ["serve:fails", "serve:fails_later"])
def test_a_program_that_fails_is_told(call: str, time: Time, tmp_path: Path) -> None:
    programs = f"run: ['{call}', 'serve:ends', 'serve:main']"
    file = two_computers(tmp_path, web=programs, serve=SERVE)

    async def test(network: Network) -> None:
        await until(network, lambda: network.failed_programs > 0)
        (event,) = [each for each in network.timeline if each.kind == "program-failed"]
        assert event.node == "web"
        assert event.text == f"web: run: {call} has ended with LookupError: no stock"
        assert network.summary()["failed_programs"] == 1
        failed, *others = (await network.inspect_node("web"))["programs"]
        first, *middle, last = failed.pop("traceback")
        assert (first, last) == ("Traceback (most recent call last):", "LookupError: no stock")
        assert middle[0].startswith(f'  File "{tmp_path}/serve.py", line '), "no line of ours"
        assert failed == {"call": call, "state": "failed", "failure": "LookupError: no stock"}
        assert others == [
            {"call": "serve:ends", "state": "ended", "failure": None, "traceback": []},
            {"call": "serve:main", "state": "running", "failure": None, "traceback": []},
        ]

    play(time, file, test)


@both_times
def test_a_program_that_exits_later_fails_a_scenario_that_does_not_expect_it(
    time: Time, tmp_path: Path
) -> None:
    two_computers(tmp_path, web="run: 'serve:exits_later'", serve=SERVE)
    file = tmp_path / "exits.yaml"
    text = "name: exits\ntopology: two.yaml\nsteps:\n  - wait: 2s\n  - wait: 10ms\n"
    file.write_text(text)
    result = execute(replace(load_scenario(file), time=time))
    (failed,) = result.failures
    assert (failed.line, failed.role) == (4, "errors")
    assert (failed.expected, failed.seen) == (
        "no errors of programs",
        "web: ended with exit code 4",
    )
    first, said, *_ = failure_lines(result)
    assert "ended with exit code 4, at " in first
    assert said.endswith("the disk is full")
    file.write_text(text + "expected_errors: [exit code 4]\n")
    assert execute(replace(load_scenario(file), time=time)).held


@both_times
def test_an_exception_of_two_lines_is_one_error(time: Time, tmp_path: Path) -> None:
    two_computers(tmp_path, web="run: 'serve:fails_in_two_lines'", serve=SERVE)
    file = tmp_path / "fails.yaml"
    file.write_text("name: fails\ntopology: two.yaml\nsteps:\n  - wait: 1s\n")
    (failed,) = execute(replace(load_scenario(file), time=time)).failures
    assert failed.role == "errors"
    first, *_, last = failed.seen.splitlines()
    assert first == "web: run: serve:fails_in_two_lines ended with an exception"
    assert last == "of these goods"


def test_a_program_that_blocks_its_computer_is_named_with_its_line(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(two_computers(tmp_path, web="run: 'serve:blocks'", serve=SERVE)) as net:
            web = await net.inspect_node("web")
            number = SERVE.splitlines().index("        time.sleep(0.1)") + 1
            assert (web["state"], web["stands_at"]) == ("not responding", f"serve.py:{number}")
            assert not_responding(web).startswith(
                f"web does not respond: it stands at serve.py:{number}, and nothing else runs there"
            )
            # Asked again it says the same, and it was not ended by the question.
            assert (await net.inspect_node("web"))["stands_at"] == web["stands_at"]
            assert (await net["alice"].ping("web", count=1)).received == 0
            os.kill(web["pid"], signal.SIGSTOP)
            assert "stands_at" not in await net.inspect_node("web")
            assert "stands_at" not in await net.inspect_node("alice")

    asyncio.run(main())
