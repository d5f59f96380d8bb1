"""A TCP connection as an asyncio transport.

What arrives stays in the connection until the protocol takes it, so a protocol that pauses
reading closes the TCP window and stops its peer. Written bytes go straight to the connection;
up to `SEND_BUFFER` of them count as the kernel's, as on a real socket, and what is beyond counts
against the write limits of the transport.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import constants, transports
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from netsim.aio.errors import system_error
from netsim.aio.names import socket_address
from netsim.aio.socket_facade import ConnectionFacade
from netsim.stack.tcp.connection import Connection

if TYPE_CHECKING:
    from netsim.aio.loop import HostLoopMixin
    from netsim.aio.server import Server

SEND_BUFFER: Final = 1 << 20
"""Bytes that a kernel would take before `send` blocks (Linux grows to 4 MiB; tcp_wmem)."""
_READ_SIZE: Final = 256 * 1024
"""Bytes that a protocol gets in one call, at most, as from asyncio's own transports."""


class StreamTransport(transports._FlowControlMixin):
    """Between one connection and one protocol. Made once the handshake is through.

    The base class has the water marks of asyncio's own transports; `loop.sendfile` asks for it.
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
        loop: HostLoopMixin,
        connection: Connection,
        protocol: asyncio.BaseProtocol,
        server: Server | None = None,
    ) -> None:
        super().__init__(
            {
                "socket": ConnectionFacade(connection),
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
        self._paused = False
        self._closing = False
        self._eof_delivered = False
        self._eof_written = False
        self._lost = False
        self.set_protocol(protocol)
        # As asyncio does on every TCP socket (bpo-27456).
        connection.no_delay = True
        loop.own(connection, self)
        if server is not None:
            server.attach(self)

    def start(self) -> None:
        """Tell the protocol, and give it what has arrived already."""
        self._call("connection_made", self._protocol.connection_made, self)
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
        if connection.readable_bytes:
            self._deliver(connection)
        if connection.at_eof:
            self._deliver_eof()
        if self._lost:
            return
        if connection.closed and connection.error is not None:
            # What came before can still be read, unless the protocol waits to write.
            if not connection.readable_bytes or self._closing or self._protocol_paused:
                self._lose(system_error(connection.error))
        else:
            self._wrote()

    def _deliver(self, connection: Connection) -> None:
        # The protocol may pause, close or be replaced in each call.
        while connection.readable_bytes and not (self._paused or self._closing):
            if self._buffered:
                buffer = self._call("get_buffer", self._get_buffer)
                if buffer is None:
                    return
                with memoryview(buffer) as view:
                    data = connection.read(len(view))
                    view[: len(data)] = data
                self._call("buffer_updated", self._protocol.buffer_updated, len(data))
            else:
                data = connection.read(_READ_SIZE)
                self._call("data_received", self._protocol.data_received, data)

    def _get_buffer(self) -> Any:
        buffer = self._protocol.get_buffer(-1)
        if not len(buffer):
            raise RuntimeError("get_buffer() returned an empty buffer")
        return buffer

    def _deliver_eof(self) -> None:
        if self._eof_delivered or self._paused or self._closing:
            return
        self._eof_delivered = True
        if not self._call("eof_received", self._protocol.eof_received):
            self.close()

    def _call(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the protocol in the context of the connection; its failure ends the connection."""
        try:
            return self._context.run(function, *arguments)
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
            self._connection.notify()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Switch the protocol."""
        self._protocol = protocol
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append to what is sent."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            )
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._closing:
            return
        connection = self._connection
        if connection.error is not None:
            self._lose(system_error(connection.error))
            return
        connection.write(data if isinstance(data, bytes) else bytes(data))
        if connection.buffered_bytes > SEND_BUFFER:
            self._maybe_pause_protocol()

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

    def _wrote(self) -> None:
        """The peer may have acknowledged something."""
        if self._protocol_paused:
            self._context.run(self._maybe_resume_protocol)
        if self._closing and not self.get_write_buffer_size():
            self._finish()

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
        """End at once with a RST."""
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
        if not self._lost:
            self._connection.abort(self._host_loop.network_now())
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
            if self._server is not None:
                self._server.detach(self)
                self._server = None

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open"
        name, port = self.get_extra_info("peername")
        return f"<{type(self).__name__} {state} to {name}:{port}>"
