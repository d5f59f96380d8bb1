"""A TCP connection as an asyncio transport.

What arrives stays in the connection until the protocol takes it, so a protocol that pauses
reading closes the TCP window and stops its peer. Written bytes go straight to the connection;
up to `SEND_BUFFER` of them count as the kernel's, as on a real socket, and what is beyond counts
against the write limits of the transport.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from asyncio import constants
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from netsim.aio.names import socket_address
from netsim.aio.socket_facade import ConnectionFacade
from netsim.stack.tcp.connection import Connection

if TYPE_CHECKING:
    from netsim.aio.loop import HostLoopMixin
    from netsim.aio.server import Server

SEND_BUFFER: Final = 1 << 20
"""Bytes that a kernel would take before `send` blocks (Linux grows to 4 MiB; tcp_wmem)."""

_WRITE_LIMITS: Final = (64 * 1024, 16 * 1024)
"""High and low water marks of asyncio's transports."""


class StreamTransport(asyncio.Transport):
    """Between one connection and one protocol. Made once the handshake is through."""

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: HostLoopMixin,
        connection: Connection,
        protocol: asyncio.BaseProtocol,
        server: Server | None = None,
    ) -> None:
        self._connection = connection
        self._context = contextvars.copy_context()
        self._server = server
        self._paused = False
        self._closing = False
        self._eof_delivered = False
        self._eof_written = False
        self._lost = False
        self._empty_waiter: asyncio.Future[None] | None = None
        super().__init__(
            {
                "socket": ConnectionFacade(connection),
                "sockname": socket_address(connection.local),
                "peername": socket_address(connection.remote),
            }
        )
        self._host_loop = loop
        self._high, self._low = _WRITE_LIMITS
        self._protocol_paused = False
        self.set_protocol(protocol)
        # As asyncio does on every TCP socket (bpo-27456).
        connection.no_delay = True
        loop.own(connection, self)
        if server is not None:
            server.attach(self)

    def start(self) -> None:
        """Tell the protocol, and give it what has arrived already."""
        self._call(self._protocol.connection_made, self)
        self.socket_ready()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As in asyncio; `"netsim.path"` gives the names of the nodes on the way from the peer."""
        if name == "netsim.path":
            path = self._host_loop.path(self._connection.remote[0], self._connection.local[0])
            return default if path is None else path
        return super().get_extra_info(name, default)

    # What the dispatcher calls

    def socket_ready(self) -> None:
        """Something has happened to the connection."""
        connection = self._connection
        if not self._closing and not self._paused and connection.readable_bytes:
            self._deliver(connection)
        if self._lost:
            return
        if not self._closing and not self._paused and connection.at_eof:
            self._deliver_eof()
        if connection.closed and connection.error is not None and not connection.readable_bytes:
            self._lose(OSError(connection.error, os.strerror(connection.error)))
            return
        if connection.closed and connection.error is None and self._closing:
            self._lose(None)
            return
        self._wrote()

    def _deliver(self, connection: Connection) -> None:
        if isinstance(self._protocol, asyncio.BufferedProtocol):
            self._deliver_buffered(self._protocol)
        else:
            assert isinstance(self._protocol, asyncio.Protocol)
            self._call(self._protocol.data_received, connection.read())

    def _deliver_buffered(self, protocol: asyncio.BufferedProtocol) -> None:
        connection = self._connection
        while connection.readable_bytes and not (self._paused or self._closing):
            buffer = self._call(protocol.get_buffer, connection.readable_bytes)
            if buffer is None:
                return
            with memoryview(buffer) as view:
                data = connection.read(len(view))
                view[: len(data)] = data
            self._call(protocol.buffer_updated, len(data))

    def _deliver_eof(self) -> None:
        if self._eof_delivered:
            return
        self._eof_delivered = True
        protocol = self._protocol
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        if not self._call(protocol.eof_received):
            self.close()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the protocol in the context of the connection; its failure ends the connection."""
        try:
            return self._context.run(function, *arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # as asyncio: a protocol may raise anything
            self._fatal_error(error, f"Fatal error: protocol.{function.__name__}() call failed.")
            return None

    # Reading

    def is_reading(self) -> bool:
        """Whether the protocol is given data."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Leave data in the connection from now on."""
        self._paused = True

    def resume_reading(self) -> None:
        """Give the protocol data again."""
        if self._paused and not self._closing:
            self._paused = False
            self._connection.notify()
            self._host_loop.dispatch_soon()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Switch the protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol."""
        return self._protocol

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append to what is sent."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be a bytes-like object, not {type(data).__name__}")
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._empty_waiter is not None:
            raise RuntimeError("unable to write; sendfile is in progress")
        if not data or self._lost or self._closing:
            return
        self._connection.write(data if isinstance(data, bytes) else bytes(data))
        if not self._protocol_paused and self.get_write_buffer_size() > self._high:
            self._protocol_paused = True
            self._call(self._protocol.pause_writing)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Append all of them."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """TCP can close one direction."""
        return True

    def write_eof(self) -> None:
        """Half-close: the peer sees the end of what was written, and may go on sending."""
        if not self._closing and not self._eof_written:
            self._eof_written = True
            self._connection.shutdown()

    def get_write_buffer_size(self) -> int:
        """Bytes written beyond what a kernel would have taken."""
        return max(0, self._connection.buffered_bytes - SEND_BUFFER)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As in asyncio: pause the protocol's writing above `high`, resume it at `low` bytes."""
        if high is None:
            high = _WRITE_LIMITS[0] if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high)"""
        return self._low, self._high

    def _wrote(self) -> None:
        """The peer may have acknowledged something."""
        if self._protocol_paused and self.get_write_buffer_size() <= self._low:
            self._protocol_paused = False
            self._call(self._protocol.resume_writing)
        if not self.get_write_buffer_size():
            if self._empty_waiter is not None and not self._empty_waiter.done():
                self._empty_waiter.set_result(None)
            if self._closing:
                self._lose(None)

    def _make_empty_waiter(self) -> asyncio.Future[None]:
        """asyncio's `sendfile` fallback waits for this before it writes."""
        if self._empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        self._empty_waiter = self._host_loop.create_future()
        if not self.get_write_buffer_size():
            self._empty_waiter.set_result(None)
        return self._empty_waiter

    def _reset_empty_waiter(self) -> None:
        self._empty_waiter = None

    # Closing

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the connection was lost."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then end; nothing is received any more."""
        if self._closing:
            return
        self._closing = True
        self._connection.close()
        if not self.get_write_buffer_size():
            self._lose(None)

    def abort(self) -> None:
        """End at once with a RST."""
        self._force_close(None)

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
        if not self._lost:
            self._connection.abort(self._host_loop.network_now())
            self._lose(error if isinstance(error, Exception) else None)

    def _lose(self, error: Exception | None) -> None:
        """Tell the protocol that it is over, once, and not in the middle of its own call."""
        if self._lost:
            return
        self._lost = self._closing = True
        self._host_loop.disown(self._connection)
        if self._connection.closed and self._connection.readable_bytes:
            self._connection.read()
        self._host_loop.call_soon(self._call_connection_lost, error, context=self._context)

    def _call_connection_lost(self, error: Exception | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            if self._empty_waiter is not None and not self._empty_waiter.done():
                self._empty_waiter.set_exception(ConnectionError("Connection is closed by peer"))
            if self._server is not None:
                self._server.detach(self)
                self._server = None

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open"
        name, port = self.get_extra_info("peername")
        return f"<{type(self).__name__} {state} to {name}:{port}>"
