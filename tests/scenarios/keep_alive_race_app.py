"""A server with a short keep-alive, and a client that pauses between two requests."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

IDLE = 2.0
"""Seconds after which the server closes a connection."""


async def serve() -> None:
    """Answer on port 80 for ever."""

    async def order(request: web.Request) -> web.Response:
        return web.Response(text="ordered")

    app = web.Application()
    app.router.add_post("/order", order)
    runner = web.AppRunner(app, keepalive_timeout=IDLE)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 80).start()
    await asyncio.Event().wait()


async def post_twice(pause: float, keep: float = 15) -> str:
    """Two orders with a pause between; `keep` is how long the client keeps a connection."""
    connector = aiohttp.TCPConnector(keepalive_timeout=keep)
    async with aiohttp.ClientSession("http://server", connector=connector) as session:
        try:
            for _ in range(2):
                async with session.post("/order") as response:
                    await response.read()
                await asyncio.sleep(pause)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            return "the connection was closed"
        return "both done"
