"""telnetlib3."""

from __future__ import annotations

from typing import Any

import telnetlib3
from partners import ALL, check, text_of

KIND = "SSH"
PACKAGES = ("telnetlib3",)
ROLES = "both"
PORT = 23


async def echo(reader: Any, writer: Any) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def serve() -> None:
    server = await telnetlib3.create_server(ALL, PORT, shell=echo, encoding="ascii", limit=1 << 22)
    await server.wait_closed()


async def exchange(host: str, size: int) -> None:
    reader, writer = await telnetlib3.open_connection(
        host, PORT, encoding="ascii", connect_minwait=0.0, connect_maxwait=0.2, limit=1 << 22
    )
    writer.write(text_of(size).decode() + "\n")
    check(text_of(size), (await reader.readline()).strip().encode())
    writer.close()
