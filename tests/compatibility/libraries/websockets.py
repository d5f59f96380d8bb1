"""websockets."""

from __future__ import annotations

from partners import ALL, check, text_of
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen

KIND = "WebSocket"
PACKAGES = ("websockets",)
ROLES = "both"
PORT = 80


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def serve() -> None:
    async with listen(echo, ALL, PORT, max_size=None) as server:
        await server.serve_forever()


async def exchange(host: str, size: int) -> None:
    async with connect(f"ws://{host}:{PORT}", max_size=None) as connection:
        await connection.send(text_of(size))
        check(text_of(size), await connection.recv(decode=False))
