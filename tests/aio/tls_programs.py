"""Programs that begin TLS on a connection that is open already, as mail servers and clients do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
"""Of the server and of the client."""
Program = Callable[[], Coroutine[Any, Any, None]]


def starttls(contexts: Contexts) -> tuple[Program, Program]:
    """A server for `web`, and a client that is told the same in capitals, in secret."""
    server_context, client_context = contexts

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.drain()
        await writer.start_tls(server_context)
        writer.write((await reader.readexactly(7)).upper())
        writer.close()  # or Python 3.13 warns, whenever it collects it

    async def serve() -> None:
        await asyncio.start_server(answer, port=587)

    async def talk() -> None:
        reader, writer = await asyncio.open_connection("web", 587)
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go ahead\n"
        await writer.start_tls(client_context, server_hostname="web")
        assert writer.get_extra_info("sslcontext") is client_context
        writer.write(b"private")
        assert await reader.readexactly(7) == b"PRIVATE"
        writer.close()
        await writer.wait_closed()

    return serve, talk
