"""How curl's connections are made: names through the node's loop, and word of each step."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from netsim.tools.context import Context


class Connector(aiohttp.TCPConnector):
    """Tells which connection a request gets."""

    def __init__(self, tell: Callable[[ResponseHandler], None], **options: Any) -> None:
        super().__init__(**options)
        self._tell = tell

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        connection = await super().connect(*arguments, **options)
        if connection.protocol is not None:
            self._tell(connection.protocol)
        return connection


class Resolver(AbstractResolver):
    """Asks the node's loop, also where aiohttp would ask a real DNS server (aiodns)."""

    def __init__(
        self,
        context: Context,
        tell: Callable[[str, int, str], None],
        given: Mapping[tuple[str, int], str],
    ) -> None:
        self._context = context
        self._tell = tell
        self._given = given
        """Addresses that are not asked for, by name and port."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        asked = self._given.get((host.lower(), port), host)
        found = await self._context.loop.getaddrinfo(
            asked, port, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
        self._tell(host, port, str(found[0][4][0]))
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        pass


def ask_once(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Have a session send each request once, as curl does on a connection of its own.

    By itself aiohttp asks again, in silence, when a connection breaks before the reply to a GET:
    whoever looks for what a fault does would not see it. Its own test client does the same.
    """
    session._retry_connection = False
    return session
