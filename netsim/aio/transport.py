"""A TCP connection as an asyncio transport.

What arrives stays in the connection until the protocol takes it, so a protocol that pauses
reading closes the TCP window and stops its peer. The connection takes written bytes as far as its
send buffer goes, as a kernel does; what is beyond waits here, counts against the write limits of
the transport, and is lost when the transport is aborted.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import socket
from asyncio import constants, transports
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from netsim.aio.host_loop import HostLoop
from netsim.aio.tls import Tls
from netsim.sockets.hosts_table import socket_address
from netsim.sockets.os_errors import system_error
from netsim.sockets.socket_facade import ConnectionFacade
from netsim.stack.equal_cost import flow_key
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.ipv4 import PROTOCOL_TCP

_log = logging.getLogger("asyncio")
_READ_SIZE: Final = 256 * 1024
"""Bytes that a protocol gets in one call, at most, as from asyncio's own transports."""


class _Server(Protocol):
    """Who wants to know which connections there are."""

    def attach(self, transport: StreamTransport) -> None: ...

    def detach(self, transport: StreamTransport) -> None: ...


class StreamTransport(transports._FlowControlMixin):
    """Between one connection and one protocol. Made once the handshake is through.

    The base class has the water marks of asyncio's own transports; `loop.sendfile` asks for it.
    `waiter` is done when the protocol knows the transport, before it gets any data.
    """

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK
    _protocol: Any
    # Of the base class, where typeshed does not have them
    _protocol_paused: bool
    _maybe_pause_protocol: Callable[[], None]
    _maybe_resume_protocol: Callable[[], None]

    def __init__(
        self,
        loop: HostLoop,
        connection: TcpSocket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        server: _Server | None = None,
        sock: socket.socket | None = None,
    ) -> None:
        facade = ConnectionFacade(connection, loop.network_now)
        super().__init__(
            {
                "socket": facade if sock is None else TransportSocket(sock),
                "sockname": socket_address(connection.local),
                "peername": socket_address(connection.remote),
            },
            loop,
        )
        self._host_loop = loop
        self._connection = connection
        self._context = contextvars.copy_context()
        """What the protocol is called in: that of whoever made the connection or the server."""
        self._server = server
        self._sock = sock
        """The program's own, if there is one; it is closed at the end."""
        self._paused = False
        self._closing = False
        self._eof_delivered = False
        self._eof_written = False
        self._lost = False
        self._late_writes = 0
        self._waiting = bytearray()
        """Written, and not taken by the connection yet."""
        self.set_protocol(protocol)
        # As asyncio does on every TCP socket (bpo-27456).
        connection.no_delay = True
        if server is not None:
            server.attach(self)
        loop.call_soon(protocol.connection_made, self, context=self._context)
        loop.call_soon(self._start, waiter, context=self._context)

    def _start(self, waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        # After whoever waits: it may want to pause or to put another protocol in place.
        self._host_loop.call_soon(self._watch, context=self._context)

    def _watch(self) -> None:
        if not self._lost:
            self._host_loop.own(self._connection, self)
            self._look()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As in asyncio; `"netsim.path"` gives the names of the nodes on the way from the peer."""
        if name == "netsim.path":
            (peer, peer_port), (here, port) = self._connection.remote, self._connection.local
            ports = peer_port.to_bytes(2, "big") + port.to_bytes(2, "big")
            path = self._host_loop.path(peer, here, flow_key(peer, here, PROTOCOL_TCP, ports))
            return default if path is None else path
        return super().get_extra_info(name, default)

    # What the dispatcher calls

    def socket_ready(self) -> None:
        """Something has happened to the connection."""
        self._context.run(self._look)

    def _look(self) -> None:
        """Tell the protocol what it does not know yet. Runs in the protocol's context."""
        connection = self._connection
        if not (self._paused or self._closing):
            self._deliver(connection)
        if self._lost:
            return
        if connection.error is not None and self._is_watching():
            self._lose(system_error(connection.error))
            return
        if self._waiting:
            self._send_waiting()
        if self._protocol_paused:
            self._maybe_resume_protocol()
        if self._closing and not self.get_write_buffer_size():
            self._finish()

    def _is_watching(self) -> bool:
        """Whether a real transport would have its socket watched, and so notice an error."""
        reading = not (self._paused or self._eof_delivered)
        return reading or self._closing or bool(self._waiting)

    def _deliver(self, connection: TcpSocket) -> None:
        while connection.readable_bytes:
            if self._buffered:
                self._deliver_buffered(connection)
            else:
                data = connection.receive(_READ_SIZE)
                self._call("data_received", self._protocol.data_received, data)
            # The protocol may have done so in its call.
            if self._paused or self._closing:
                return
        if connection.at_eof and not self._eof_delivered:
            self._eof_delivered = True
            if not self._call("eof_received", self._protocol.eof_received):
                self.close()

    def _deliver_buffered(self, connection: TcpSocket) -> None:
        buffer = self._call("get_buffer", self._get_buffer)
        if buffer is not None:
            with memoryview(buffer) as view:
                data = connection.receive(len(view))
                view[: len(data)] = data
            self._call("buffer_updated", self._protocol.buffer_updated, len(data))

    def _get_buffer(self) -> Any:
        buffer = self._protocol.get_buffer(-1)
        if not len(buffer):
            raise RuntimeError("get_buffer() returned an empty buffer")
        return buffer

    def _call(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the protocol; its failure ends the connection."""
        try:
            return function(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # as asyncio: a protocol may raise anything
            self._fatal_error(error, f"Fatal error: protocol.{name}() call failed.")
            return None

    # Reading

    def is_reading(self) -> bool:
        """Whether the protocol is given data."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Leave data in the connection from now on."""
        self._paused = True

    def resume_reading(self) -> None:
        """Give the protocol data again, soon."""
        if self._paused and not self._closing:
            self._paused = False
            self._host_loop.call_soon(self._look, context=self._context)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol; None once it was told that the connection is lost."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            )
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data:
            return
        if self._lost:
            self._late_writes += 1
            if self._late_writes >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                _log.warning("socket.send() raised exception.")
            return
        connection = self._connection
        if connection.error is not None:
            self._lose(system_error(connection.error))
            return
        if not self._waiting:
            if connection.takes(len(data)):
                connection.send(data if isinstance(data, bytes) else bytes(data))
                return
            room = connection.send_room
            with memoryview(data).cast("B") as view:
                if room:
                    connection.send(bytes(view[:room]))
                self._waiting += view[room:]
        else:
            self._waiting += data
        self._maybe_pause_protocol()

    def _send_waiting(self) -> None:
        """Hand the connection more when it has made room for it."""
        connection = self._connection
        if connection.closed or not connection.makes_room():
            return
        room = connection.send_room
        connection.send(bytes(self._waiting[:room]))
        del self._waiting[:room]
        if not self._waiting and self._eof_written:
            connection.shutdown()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """TCP can close one direction."""
        return True

    def write_eof(self) -> None:
        """Half-close: the peer sees the end of what was written, and may go on sending."""
        if not self._closing and not self._eof_written:
            self._eof_written = True
            if not self._waiting:
                self._connection.shutdown()

    def get_write_buffer_size(self) -> int:
        """Bytes written beyond what the connection has taken."""
        return 0 if self._connection.closed else len(self._waiting)

    # Closing

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the connection was lost."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then end; nothing is received any more."""
        if not self._closing:
            self._closing = True
            if not self.get_write_buffer_size():
                self._finish()

    def abort(self) -> None:
        """End at once: what the connection has taken is delivered, then comes the FIN, as when
        asyncio closes a socket; what waits here is dropped. With SO_LINGER and a time of zero it
        is a RST."""
        self._force_close(None)

    def _finish(self) -> None:
        """Leave the rest to the connection, as a process leaves it to its kernel."""
        if not self._lost:
            self._connection.close()
            self._lose(None)

    def _fatal_error(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        if not isinstance(error, OSError):
            self._host_loop.call_exception_handler(
                {
                    "message": message,
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
        self._force_close(error)

    def _force_close(self, error: BaseException | None) -> None:
        """Drop what the connection has not taken; what it has, such as a TLS alert, it
        delivers."""
        if self._lost:
            return
        self._waiting.clear()
        self._connection.close()
        self._lose(error)

    def _lose(self, error: BaseException | None) -> None:
        """Tell the protocol that it is over, once, and not in the middle of its own call."""
        if self._lost:
            return
        self._lost = self._closing = True
        self._host_loop.disown(self._connection)
        self._host_loop.call_soon(self._call_connection_lost, error, context=self._context)

    def _call_connection_lost(self, error: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            # As asyncio: transport and protocol need not wait for the cycle collector.
            self._protocol = None
            if self._sock is not None:
                self._sock.close()
                self._sock = None
            if self._server is not None:
                self._server.detach(self)
                self._server = None

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open"
        name, port = self.get_extra_info("peername")
        return f"<{type(self).__name__} {state} to {name}:{port}>"


def make_transport(
    loop: HostLoop,
    connection: TcpSocket,
    protocol: asyncio.BaseProtocol,
    tls: Tls | None,
    waiter: asyncio.Future[None],
    server: _Server | None = None,
    sock: socket.socket | None = None,
) -> asyncio.Transport:
    """The transport that `protocol` sees; `waiter` is done when it may be used."""
    if tls is None:
        return StreamTransport(loop, connection, protocol, waiter, server, sock)
    below = tls.over(loop, protocol, waiter)
    # Asked for now: it is gone once the connection is lost.
    above: asyncio.Transport = below._app_transport
    StreamTransport(loop, connection, below, server=server, sock=sock)
    return above
