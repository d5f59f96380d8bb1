"""What a program finds when its computer, or it alone, starts again: nothing of the life before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
from networks import play, two_computers
from plans import plan_of

from netsim import Network
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
