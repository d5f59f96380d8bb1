"""The real network, for what has to reach it on purpose: `ports:` and their like."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsim.aio.loop import HostLoopMixin


class Outside:
    """asyncio's own methods of a loop whose usual ones lead into the simulated network.

    Addresses must be given as numbers: names belong to the simulated network.
    """

    def __init__(self, loop: HostLoopMixin) -> None:
        self._loop = loop

    async def create_server(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], sock: socket.socket
    ) -> asyncio.Server:
        """Serve on a real, bound socket."""
        return await asyncio.BaseEventLoop.create_server(self._loop, protocol_factory, sock=sock)

    async def create_connection(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[Any, Any]:
        """Connect a real socket to a numeric address."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.SelectorEventLoop.sock_connect(self._loop, sock, (host, port))
            return await asyncio.BaseEventLoop.create_connection(
                self._loop, protocol_factory, sock=sock
            )
        except BaseException:
            sock.close()
            raise
