"""AnyIO's streams and listener."""

from __future__ import annotations

import contextlib

import anyio
import anyio.abc
from partners import ALL, check, text_of

KIND = "Servers and frameworks"
PACKAGES = ("anyio",)
ROLES = "both"
PORT = 7000


async def echo(stream: anyio.abc.SocketStream) -> None:
    async with stream:
        with contextlib.suppress(anyio.BrokenResourceError):
            async for piece in stream:
                await stream.send(piece)


async def serve() -> None:
    listener = await anyio.create_tcp_listener(local_host=ALL, local_port=PORT)
    await listener.serve(echo)


async def exchange(host: str, size: int) -> None:
    received = bytearray()
    async with (
        await anyio.connect_tcp(host, PORT) as stream,
        anyio.create_task_group() as group,
    ):
        group.start_soon(stream.send, text_of(size))
        while len(received) < size:
            received += await stream.receive()
    check(text_of(size), received)
