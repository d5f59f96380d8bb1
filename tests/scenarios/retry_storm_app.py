"""A shop with two tills, and a crowd with little patience."""

from __future__ import annotations

import asyncio
import random

import aiohttp
from aiohttp import web

TILLS = 2
SALE = 0.1
"""Seconds: the shop can sell 20 times a second."""
ARRIVALS = 10
"""Customers a second."""
PATIENCE = 1.0
"""Seconds until a customer asks again."""
TRIES = 6


def create_app() -> web.Application:
    """Sells to whoever asks, in turn, whether or not they still wait."""
    tills = asyncio.Semaphore(TILLS)

    async def sell(request: web.Request) -> web.Response:
        async with tills:
            await asyncio.sleep(SALE)
        return web.Response(text="sold")

    app = web.Application()
    app.router.add_get("/", sell)
    return app


async def shop(seconds: int, retry: str) -> str:
    """Customers come for some time; how they fared."""
    served: list[bool] = []
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
            connector=aiohttp.TCPConnector(limit=0),
        ) as session,
        asyncio.TaskGroup() as crowd,
    ):
        for _ in range(seconds * ARRIVALS):
            crowd.create_task(_buy(session, retry, served))
            await asyncio.sleep(1 / ARRIVALS)
    if all(served):
        return "everybody is served"
    return "a storm" if sum(served) < len(served) / 4 else "some are served"


async def _buy(session: aiohttp.ClientSession, retry: str, served: list[bool]) -> None:
    for attempt in range(TRIES):
        try:
            async with session.get("http://shop/"):
                served.append(True)
                return
        except (aiohttp.ClientError, TimeoutError):
            if retry == "backing_off":
                await asyncio.sleep(random.uniform(0, 2 ** (attempt + 1)))
    served.append(False)
