"""The real network, for what has to reach it on purpose: `ports:` and their like."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from netsim.sockets.caller import outside

Dial = Callable[[str, int], Awaitable[socket.socket]]
"""Gives a socket that is connected to a real host; OSError of the last address that was tried."""


class Outside:
    """asyncio's own methods of a loop whose usual ones lead into the simulated network.

    `base` is the loop as its base class sees it (a `super()`), or an ordinary one.
    """

    def __init__(self, base: Any) -> None:
        self._base = base
        self.dial: Dial = self._dial
        """Set by whoever hosts the node, where its process cannot reach the real network."""

    async def create_server(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], sock: socket.socket
    ) -> asyncio.Server:
        """Serve on a real, bound socket."""
        server: asyncio.Server = await self._base.create_server(protocol_factory, sock=sock)
        return server

    async def connect(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], address: tuple[str, int] | str
    ) -> tuple[Any, Any]:
        """Connect to a real host (a name is asked of the machine's resolver), or to a Unix socket.

        OSError of the last address that was tried.
        """
        if isinstance(address, str):
            sock = await self._connected(socket.AF_UNIX, address)
        else:
            sock = await self.dial(*address)
        try:
            pair: tuple[Any, Any] = await self._base.create_connection(protocol_factory, sock=sock)
        except BaseException:
            sock.close()
            raise
        return pair

    async def _dial(self, host: str, port: int) -> socket.socket:
        failure: OSError | None = None
        for family, _, _, _, address in await asyncio.to_thread(_resolve, host, port):
            try:
                return await self._connected(family, address)
            except OSError as error:
                failure = error
        assert failure is not None, "a name that is known has an address"
        raise failure

    async def _connected(self, family: int, address: Any) -> socket.socket:
        with outside():
            sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await self._base.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock


def _resolve(host: str, port: int) -> list[Any]:
    """As the machine's own resolver says."""
    with outside():
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
