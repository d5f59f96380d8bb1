"""The real network, for what has to reach it on purpose: `ports:` and their like."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any


class Outside:
    """asyncio's own methods of a loop whose usual ones lead into the simulated network.

    Addresses must be given as numbers: names belong to the simulated network. `base` is the loop
    as its base class sees it (a `super()`).
    """

    def __init__(self, base: Any) -> None:
        self._base = base

    async def create_server(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], sock: socket.socket
    ) -> asyncio.Server:
        """Serve on a real, bound socket."""
        server: asyncio.Server = await self._base.create_server(protocol_factory, sock=sock)
        return server

    async def create_connection(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[Any, Any]:
        """Connect a real socket to a numeric address."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await self._base.sock_connect(sock, (host, port))
            pair: tuple[Any, Any] = await self._base.create_connection(protocol_factory, sock=sock)
        except BaseException:
            sock.close()
            raise
        return pair
