"""The real network, for what has to reach it on purpose: `ports:` and their like."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any


class Outside:
    """asyncio's own methods of a loop whose usual ones lead into the simulated network.

    `base` is the loop as its base class sees it (a `super()`).
    """

    def __init__(self, base: Any) -> None:
        self._base = base

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
        families: list[tuple[int, Any]] = [(socket.AF_UNIX, address)]
        if not isinstance(address, str):
            found = await self._base.getaddrinfo(*address, type=socket.SOCK_STREAM)
            families = [(family, own) for family, _, _, _, own in found]
        failure: OSError | None = None
        for family, own in families:
            try:
                return await self._connect(protocol_factory, family, own)
            except OSError as error:
                failure = error
        assert failure is not None, "a name that is known has an address"
        raise failure

    async def _connect(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], family: int, address: Any
    ) -> tuple[Any, Any]:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await self._base.sock_connect(sock, address)
            pair: tuple[Any, Any] = await self._base.create_connection(protocol_factory, sock=sock)
        except BaseException:
            sock.close()
            raise
        return pair
