"""Starts, crashes and starts again: the same in processes and in virtual time."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
import pytest
from networks import HTTPBIN, play, two_computers
from plans import plan_of

from netsim import AlreadyRunningError, Network, StartError, run
from netsim.core.time import Time

both_times = pytest.mark.parametrize("time", ["real", "virtual"])

BAD_APPS = {
    "no_such_module:app": "no_such_module:app: ModuleNotFoundError",
    "beside:no_such_thing": "has no 'no_such_thing'",
    "beside:raises": "beside:raises: LookupError: meant",
    "beside:gives_nothing": "NoneType",
    "beside:raises_in_startup": "meant at startup",
}
BESIDE = """
from aiohttp import web

def raises():
    raise LookupError("meant")

def gives_nothing():
    return None

async def at_startup(app):
    raise RuntimeError("meant at startup")

def raises_in_startup():
    app = web.Application()
    app.on_startup.append(at_startup)
    return app
"""


@both_times
@pytest.mark.parametrize("app", BAD_APPS)
def test_a_service_that_does_not_start(app: str, time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, alice=HTTPBIN, web=f"services: {{80: '{app}'}}", beside=BESIDE)

    async def main() -> None:
        network = Network(file, time=time)
        with pytest.raises(StartError) as caught:
            await network.start()
        assert str(caught.value).startswith("web: ")
        assert BAD_APPS[app] in str(caught.value)
        assert network.state == "stopped"

    before = set(psutil.Process().children(recursive=True))
    (run if time == "virtual" else asyncio.run)(main())
    assert set(psutil.Process().children(recursive=True)) <= before


MOODY = """
from pathlib import Path
from aiohttp import web

def create_app():
    if Path(__file__).with_name("tired").exists():
        raise RuntimeError("not today")
    return web.Application()
"""


@both_times
def test_a_start_that_fails_may_be_tried_again(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: 'moody:create_app'}", moody=MOODY)

    async def test(network: Network) -> None:
        (tmp_path / "tired").touch()
        await network.crash("web")
        for _ in range(2):
            with pytest.raises(StartError, match="web: moody:create_app: RuntimeError: not today"):
                await network.start_node("web")
        assert network.describe("web")["state"] == "dead"
        assert not (await network.inspect_node("alice"))["interfaces"][0]["up"]
        with pytest.raises(ConnectionError):
            await network["web"].run(asyncio.sleep, 1)
        (tmp_path / "tired").unlink()
        await network.start_node("web")
        assert network.state == "running"
        assert (await network["alice"].ping("web", count=1)).received == 1

    play(time, file, test)
    assert "moody" not in sys.modules


@both_times
def test_a_node_is_stopped_and_started_by_one_after_the_other(time: Time) -> None:
    plan = plan_of("alice web delay=1ms")

    async def test(network: Network) -> None:
        verbs = (network.stop_node, network.restart_node, network.stop_node, network.restart_node)
        await asyncio.gather(*(verb("web") for verb in verbs))
        kinds = [event.kind for event in network.timeline if event.kind.startswith("node-")]
        assert kinds == ["node-stopped", "node-started"] * 2
        assert (await network["alice"].ping("web", count=1)).received == 1
        await network.restart_node("web")

    play(time, plan, test)


@both_times
def test_what_is_up_does_not_start_and_what_is_down_does_not_crash(time: Time) -> None:
    plan = plan_of("alice web delay=1ms")

    async def test(network: Network) -> None:
        with pytest.raises(AlreadyRunningError, match="web"):
            await network.start_node("web")
        await network.crash("web")
        await network.crash("web")
        assert [event.kind for event in network.timeline].count("node-died") == 1
        starting = asyncio.create_task(network.start_node("web"))
        await asyncio.sleep(0)
        with pytest.raises(AlreadyRunningError):
            await network.start_node("web")
        await starting
        with pytest.raises(AlreadyRunningError):
            await network.start_node("web")
        await network.restart_node("web")
        assert (await network["alice"].ping("web", count=1)).received == 1

    play(time, plan, test)
