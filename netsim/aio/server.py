"""A listening TCP port as an asyncio server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netsim.aio.socket_facade import SocketFacade
from netsim.aio.transport import StreamTransport
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.listener import Listener

if TYPE_CHECKING:
    from netsim.aio.loop import HostLoopMixin

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class Server(asyncio.AbstractServer):
    """As `asyncio.Server`: accepts connections and makes a protocol for each."""

    def __init__(
        self,
        loop: HostLoopMixin,
        address: tuple[bytes | None, int],
        factory: ProtocolFactory,
        backlog: int,
        tls: ssl.SSLContext | None,
        tls_options: dict[str, Any],
    ) -> None:
        self._loop = loop
        self._factory = factory
        self._tls = tls
        self._tls_options = tls_options
        self._listener: Listener | None = loop.host.tcp.listen(*address, backlog=backlog)
        self._socket = SocketFacade(socket.SOCK_STREAM, self._listener.local)
        self._serving = False
        self._clients: dict[StreamTransport, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._forever: asyncio.Future[None] | None = None

    def socket_ready(self) -> None:
        """Connections wait to be accepted."""
        while self._serving and self._listener is not None:
            connection = self._listener.accept()
            if connection is None:
                return
            try:
                protocol = self._factory()
            except Exception as error:  # noqa: BLE001  # as asyncio: a factory may raise anything
                connection.abort(self._loop.network_now())
                self._loop.call_exception_handler(
                    {"message": "Error on transport creation", "exception": error}
                )
                continue
            self._serve(connection, protocol)

    def _serve(self, connection: Connection, protocol: asyncio.BaseProtocol) -> None:
        if self._tls is not None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            # A failed handshake is the client's affair and ends the connection by itself.
            waiter.add_done_callback(lambda done: done.cancelled() or done.exception())
            protocol = self._loop.tls_protocol(
                protocol, self._tls, waiter, server_side=True, **self._tls_options
            )
        StreamTransport(self._loop, connection, protocol, self).start()

    def attach(self, transport: StreamTransport) -> None:
        """A connection of this server has begun."""
        self._clients[transport] = None

    def detach(self, transport: StreamTransport) -> None:
        """A connection of this server has ended."""
        self._clients.pop(transport, None)
        self._wake()

    @property
    def sockets(self) -> tuple[SocketFacade, ...]:
        """The listening socket, in a tuple; empty once closed."""
        return () if self._listener is None else (self._socket,)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the computer."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._serving

    async def start_serving(self) -> None:
        """Accept connections."""
        self._serving = True
        if self._listener is not None:
            self._loop.own(self._listener, self)
            self.socket_ready()

    async def serve_forever(self) -> None:
        """Accept connections until cancelled, then close."""
        await self.start_serving()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        finally:
            self.close()
            await self.wait_closed()

    def close(self) -> None:
        """Listen no more; open connections go on."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._serving = False
        self._loop.disown(listener)
        listener.close(self._loop.network_now())
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake()

    def close_clients(self) -> None:
        """Close every open connection."""
        for transport in list(self._clients):
            transport.close()

    def abort_clients(self) -> None:
        """Reset every open connection."""
        for transport in list(self._clients):
            transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the server is closed and, from Python 3.12 on, every connection ended."""
        if self._listener is None and (sys.version_info < (3, 12) or not self._clients):
            return
        if sys.version_info < (3, 12):
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        if self._listener is None and not self._clients:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    def __repr__(self) -> str:
        return f"<Server {self._socket.getsockname()} {'open' if self._listener else 'closed'}>"
