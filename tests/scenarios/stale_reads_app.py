"""One value on a primary, copied to a replica that may be read while it has a lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

LEASE = 1.0
"""Seconds for which the replica may answer after it has heard from the primary."""
HEARTBEAT = 0.3
PATIENCE = 0.5
"""Seconds that the primary waits for the replica's answer: what it sent may take so long."""


def create_primary() -> web.Application:
    """Takes writes (PUT /) and answers reads (GET /)."""
    value = ""
    heard_at = -LEASE

    async def write(request: web.Request) -> web.Response:
        nonlocal value
        new = await request.text()
        if not await tell(new):
            # The replica may answer until its lease is over; only then is the old value gone.
            await asyncio.sleep(heard_at + LEASE - asyncio.get_running_loop().time())
        value = new
        return web.Response(text="written")

    async def read(request: web.Request) -> web.Response:
        return web.Response(text=value)

    async def tell(what: str) -> bool:
        nonlocal heard_at
        # Whether or not an answer comes: a lease may begin until then.
        heard_at = asyncio.get_running_loop().time() + PATIENCE
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.put("http://replica/", data=what),
            ):
                return True
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def heartbeats(app: web.Application) -> AsyncIterator[None]:
        async def beat() -> None:
            while True:
                await tell(value)
                await asyncio.sleep(HEARTBEAT)

        beating = asyncio.create_task(beat())
        yield
        beating.cancel()

    app = web.Application()
    app.add_routes([web.put("/", write), web.get("/", read)])
    app.cleanup_ctx.append(heartbeats)
    return app


def create_replica() -> web.Application:
    """Takes copies (PUT /), and answers reads (GET /) while they are fresh."""
    value = ""
    fresh_until = 0.0

    async def copy(request: web.Request) -> web.Response:
        nonlocal value, fresh_until
        value = await request.text()
        fresh_until = asyncio.get_running_loop().time() + LEASE
        return web.Response(text="copied")

    async def read(request: web.Request) -> web.Response:
        if asyncio.get_running_loop().time() > fresh_until:
            return web.Response(status=503, text="what is here may be old")
        return web.Response(text=value)

    app = web.Application()
    app.add_routes([web.put("/", copy), web.get("/", read)])
    return app
