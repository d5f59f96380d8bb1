"""The other end of a library that has one end only, and what all of them send."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

ALL = "0.0.0.0"


def text_of(size: int) -> bytes:
    """What is sent: ASCII, for protocols of text, and nothing that can be compressed to little."""
    return hashlib.shake_128(b"netsim").hexdigest(size // 2 + 1)[:size].encode()


def check(sent: bytes, received: bytes | bytearray | memoryview) -> None:
    """AssertionError where not the same came back."""
    assert bytes(received) == sent, f"{len(received)} bytes of {len(sent)}, or others, came back"


Passing = Callable[[bytes], Awaitable[bytes]]


async def serve_web(port: int, passing: Passing | None = None) -> None:
    """`POST /echo` answers what it was sent, after it went through `passing`."""

    async def echo(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(body=body if passing is None else await passing(body))

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/echo", echo)
    await web._run_app(app, host=ALL, port=port, print=None)


async def ask_web(host: str, port: int, size: int) -> None:
    """Have `POST /echo` answer."""
    sent = text_of(size)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{host}:{port}/echo", data=sent) as response,
    ):
        check(sent, await response.read())


async def serve_asgi(app: Any, port: int) -> None:
    """An application under uvicorn."""
    import uvicorn

    await uvicorn.Server(uvicorn.Config(app, host=ALL, port=port, log_level="error")).serve()


async def serve_streams(answer: Any, port: int) -> None:
    """`answer(reader, writer)` for each connection; an end of it in the middle is its end."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connected, ALL, port, limit=1 << 22) as server:
        await server.serve_forever()


async def address_of(host: str) -> str:
    """For libraries that take no names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return str(found[0][4][0])
