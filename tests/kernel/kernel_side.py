"""What runs on the simulated computers of `kernel_lab`: unmodified asyncio programs."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

KERNEL = "lab"


def create_app() -> web.Application:
    """`/bytes/N`: so many octets; PUT `/count`: how many came."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/bytes/{count}", _bytes)
    app.router.add_put("/count", _count)
    return app


async def _bytes(request: web.Request) -> web.Response:
    return web.Response(body=pattern(int(request.match_info["count"])))


async def _count(request: web.Request) -> web.Response:
    count = 0
    async for chunk in request.content.iter_any():
        count += len(chunk)
    return web.Response(text=str(count))


def pattern(count: int) -> bytes:
    """Octets in which no two places nearby look the same."""
    return b"".join(number.to_bytes(4, "big") for number in range(count // 4 + 1))[:count]


async def serve() -> None:
    """Echo on 7, silence on 9, octets on 19, and iperf3 for the kernel by way of here, on 5201."""
    servers = [
        await asyncio.start_server(_echo, port=7),
        await asyncio.start_server(_discard_slowly, port=9),
        await asyncio.start_server(_generate, port=19),
        await asyncio.start_server(_relay, port=5201),
    ]
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        await asyncio.get_running_loop().create_future()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await _copy(reader, writer)
    writer.close()


async def _discard_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Nothing is read for a second, so that the window shuts; then all, and the count comes."""
    await asyncio.sleep(1)
    count = 0
    while data := await reader.read(65536):
        count += len(data)
    writer.write(b"%d" % count)
    writer.close()


async def _generate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As many octets of `pattern` as a line asks for."""
    with contextlib.suppress(ConnectionError):
        writer.write(pattern(int(await reader.readline())))
        await writer.drain()
    writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both directions of a connection from the kernel, to the same port of the kernel."""
    back_reader, back_writer = await asyncio.open_connection(KERNEL, 5201)
    with contextlib.suppress(ConnectionError):
        await asyncio.gather(_copy(reader, back_writer), _copy(back_reader, writer))
    for each in (writer, back_writer):
        each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
