"""grpcio: sockets of its own, in C."""

from __future__ import annotations

import grpc
from partners import check, text_of

from libraries.grpclib import serve as serve

KIND = "RPC"
PACKAGES = ("grpcio",)
ROLES = "client"
PORT = 50051


async def exchange(host: str, size: int) -> None:
    async with grpc.aio.insecure_channel(f"{host}:{PORT}") as channel:
        method = channel.unary_unary("/test.Echo/Echo")
        check(text_of(size), await method(text_of(size), timeout=30))
