"""Listening TCP ports as an asyncio server."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
from asyncio.trsock import TransportSocket
from typing import Any

from netsim.aio.connect import ProtocolFactory
from netsim.aio.host_loop import HostLoop
from netsim.aio.tls import Tls
from netsim.aio.transport import StreamTransport, make_transport
from netsim.sockets import descriptors
from netsim.sockets.socket_facade import ListenerFacade, SocketFacade
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.tcp_socket import TcpSocket


class Server(asyncio.AbstractServer):
    """As `asyncio.Server`: accepts connections and makes a protocol for each."""

    def __init__(
        self,
        loop: HostLoop,
        listeners: list[Listener],
        factory: ProtocolFactory,
        tls: Tls | None,
        sock: socket.socket | None = None,
    ) -> None:
        self._loop = loop
        self._listeners = listeners
        self._factory = factory
        self._tls = tls
        self._sock = sock
        """The program's own, if there is one, for the only listener; it is closed with it."""
        self._sockets: tuple[Any, ...] = (
            tuple(map(ListenerFacade, listeners)) if sock is None else (TransportSocket(sock),)
        )
        self._context = contextvars.copy_context()
        """Connections begin in it, whatever runs when they happen to be accepted."""
        self._serving = False
        self._clients: dict[StreamTransport, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._forever: asyncio.Future[None] | None = None

    # What the dispatcher calls

    def socket_ready(self) -> None:
        """Connections wait to be accepted."""
        for number, listener in enumerate(self._listeners):
            while self._serving and (connection := listener.accept()) is not None:
                self._context.copy().run(self._serve, connection, self._options(number))

    def _options(self, number: int) -> SocketFacade | None:
        if self._sock is None:
            facade: SocketFacade = self._sockets[number]
            return facade
        endpoint = descriptors.endpoint_of(self._sock.fileno())
        return None if endpoint is None else endpoint.options

    def _serve(self, connection: TcpSocket, options: SocketFacade | None) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        # A failed TLS handshake is the client's affair and ends the connection by itself.
        waiter.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            protocol = self._factory()
            made = make_transport(self._loop, connection, protocol, self._tls, waiter, self)
            if options is not None:
                options.hand_down(made.get_extra_info("socket"))
        except Exception as error:  # noqa: BLE001  # as asyncio: a factory may raise anything
            connection.abort(self._loop.network_now())
            self._loop.call_exception_handler(
                {
                    "message": "Error on transport creation for incoming connection",
                    "exception": error,
                }
            )

    # What a transport calls

    def attach(self, transport: StreamTransport) -> None:
        self._clients[transport] = None

    def detach(self, transport: StreamTransport) -> None:
        self._clients.pop(transport, None)
        self._wake()

    # What programs call

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The listening sockets; none once closed."""
        return self._sockets if self._listeners else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._serving

    async def start_serving(self) -> None:
        if self._serving or not self._listeners:
            return
        self._serving = True
        self._context = contextvars.copy_context()
        for listener in self._listeners:
            self._loop.own(listener, self)
        self.socket_ready()

    async def serve_forever(self) -> None:
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if not self._listeners:
            raise RuntimeError(f"server {self!r} is closed")
        await self.start_serving()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        finally:
            self._forever = None

    def close(self) -> None:
        """Listen no more; open connections go on."""
        listeners, self._listeners = self._listeners, []
        if not listeners:
            return
        self._serving = False
        for listener in listeners:
            self._loop.disown(listener)
            listener.close(self._loop.network_now())
        if self._sock is not None:
            self._sock.close()
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake()

    def close_clients(self) -> None:
        for transport in list(self._clients):
            transport.close()

    def abort_clients(self) -> None:
        for transport in list(self._clients):
            transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the server is closed and every connection has ended; Python 3.11 does not
        wait for connections once the server is closed."""
        if not self._listeners and (sys.version_info < (3, 12) or not self._clients):
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        if not self._listeners and not self._clients:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def __repr__(self) -> str:
        names = ", ".join("{}:{}".format(*each.getsockname()) for each in self._sockets)
        return f"<Server {'open' if self._listeners else 'closed'} on {names}>"
