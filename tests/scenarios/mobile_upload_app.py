"""Uploads in pieces that can be resumed, and a place to put them."""

from __future__ import annotations

import asyncio
import hashlib
import random

import aiohttp
from aiohttp import web

PIECE = 200_000


def create_app() -> web.Application:
    """PUT /?offset=N takes a piece, GET / nothing: both say how much is there; GET /digest what.

    A piece that was late, and has been sent again meanwhile, cuts off what came after it: the next
    one is refused (409), and is told where to go on.
    """
    film = bytearray()

    async def put(request: web.Request) -> web.Response:
        piece = await request.read()
        offset = int(request.query["offset"])
        if offset > len(film):
            return web.Response(status=409, text=str(len(film)))
        film[offset:] = piece
        return web.Response(text=str(len(film)))

    async def size(request: web.Request) -> web.Response:
        return web.Response(text=str(len(film)))

    async def digest(request: web.Request) -> web.Response:
        return web.Response(text=hashlib.sha256(film).hexdigest())

    app = web.Application()
    app.add_routes([web.put("/", put), web.get("/", size), web.get("/digest", digest)])
    return app


async def upload(size: int) -> str:
    """Upload random bytes from wherever the cloud has got to, until it has all."""
    film = random.randbytes(size)
    timeout = aiohttp.ClientTimeout(sock_connect=3, sock_read=5)
    async with aiohttp.ClientSession("http://cloud", timeout=timeout) as session:
        offset = 0
        while offset < size:
            try:
                piece = film[offset : offset + PIECE]
                async with session.put("/", params={"offset": offset}, data=piece) as response:
                    offset = int(await response.text())
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.5)
        async with session.get("/digest") as response:
            same = await response.text() == hashlib.sha256(film).hexdigest()
    return "intact" if same else "damaged"
