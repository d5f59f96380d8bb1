"""grpclib."""

from __future__ import annotations

import asyncio
from typing import Any

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler
from grpclib.server import Server
from partners import ALL, check, text_of

KIND = "RPC"
PACKAGES = ("grpclib",)
ROLES = "both"
PORT = 50051


class Bytes:
    """Messages as they are."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: Any) -> bytes:
        return message

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


class Echo:
    async def echo(self, stream: Any) -> None:
        await stream.send_message(await stream.recv_message())

    def __mapping__(self) -> dict[str, Handler]:
        return {"/test.Echo/Echo": Handler(self.echo, Cardinality.UNARY_UNARY, bytes, bytes)}


async def serve() -> None:
    server = Server([Echo()], codec=Bytes())
    await server.start(ALL, PORT)
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    async with Channel(host, PORT, codec=Bytes()) as channel:
        method = UnaryUnaryMethod(channel, "/test.Echo/Echo", bytes, bytes)
        check(text_of(size), await method(text_of(size), timeout=30))
