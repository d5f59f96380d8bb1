"""What a program finds when its computer, or it alone, starts again: nothing of the life before."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Literal

import pytest
from networks import play, two_computers
from plans import plan_of

from netsim import HttpFailedError, Network, StartError
from netsim.core.time import Time

both_times = pytest.mark.parametrize("time", ["real", "virtual"])

SHOP = """
import os, signal
from aiohttp import web

hits = []
app = web.Application()

async def hit(request):
    hits.append(1)
    found = [len(hits), os.environ.get("SHOP"), signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL]
    os.environ["SHOP"] = "open"
    signal.signal(signal.SIGUSR1, print)
    return web.json_response(found)

app.router.add_get("/", hit)
"""


@both_times
def test_an_application_of_a_module_starts_afresh(time: Time, tmp_path: Path) -> None:
    serve = "services: {80: 'shop:app'}"
    file = two_computers(tmp_path, alice=serve, web=serve, shop=SHOP)

    async def test(network: Network) -> None:
        async def hit(name: str) -> object:
            return (await network["alice"].get(f"http://{name}/")).json()

        first, second = [1, None, True], [2, "open", False]
        assert [await hit(name) for name in ("web", "web", "alice")] == [first, second, first]
        async with network["web"].kill_program():
            pass
        assert [await hit("web"), await hit("web")] == [first, second]
        async with network["web"].crash():
            pass
        assert [await hit("web"), await hit("alice")] == [first, second]
        assert network.errors == []

    play(time, file, test)


TAKES_ITS_TIME = """
import asyncio, time
from pathlib import Path
from aiohttp import web

life = Path(__file__).with_name("lives")
life.touch()
number = len(life.read_text())
life.write_text("x" * (number + 1))

async def create_app():
    if number == 1:
        Path(__file__).with_name("waits").touch()
        await asyncio.Event().wait()
    return web.Application()

def is_ready():
    if number == 2:
        Path(__file__).with_name("waits").touch()
        while True:
            time.sleep(0.01)
"""


@both_times
def test_a_program_may_be_killed_as_it_starts(time: Time, tmp_path: Path) -> None:
    """In its second life the service takes long to start, in its third it is not ready."""
    words = "services: {80: 'shop:create_app'}, ready: 'shop:is_ready'"
    file = two_computers(tmp_path, web=words, shop=TAKES_ITS_TIME)
    waits = tmp_path / "waits"

    async def test(network: Network) -> None:
        web = network["web"]
        await web.kill_program()
        for _ in range(2):
            starting = asyncio.ensure_future(network.start_program("web"))
            async with asyncio.timeout(20):
                while not waits.exists():
                    await asyncio.sleep(0.01)
            waits.unlink()
            await web.kill_program()
            with pytest.raises(StartError, match="web: "):
                async with asyncio.timeout(20):
                    await starting
            with pytest.raises(HttpFailedError, match="refused"):
                await network["alice"].get("http://web/")
        await asyncio.sleep(2.5 if time == "virtual" else 0)
        await network.start_program("web")
        assert (await network["alice"].get("http://web/")).status == 404
        assert (await network.inspect_node("web"))["state"] == "running"
        assert network.errors == []

    play(time, file, test)


async def session() -> int:
    return os.getsid(0)


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
async def test_ctrl_c_in_the_terminal_is_not_for_programs(
    method: Literal["fork", "forkserver", "spawn"],
) -> None:
    """It goes to all of a session's foreground: a server with a handler for it would end."""
    async with Network(plan_of("alice web delay=1ms"), start_method=method) as network:
        assert await network["web"].run(session) != os.getsid(0)
