"""Real socket objects that stand for simulated connections.

Some libraries (aiohttp's happy eyeballs among them) make a socket themselves, have the loop
connect it, and give it back to `create_connection` or use it with `sock_recv` and its like. The
kernel's socket is then only a token: it is never connected itself.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import weakref
from typing import TYPE_CHECKING, Any

from netsim.aio.transport import StreamTransport
from netsim.stack.tcp.connection import Connection
from netsim.wire.address import parse_ip

if TYPE_CHECKING:
    from netsim.aio.loop import HostLoopMixin


class Stream:
    """A connection behind a token, for `sock_recv` and its like."""

    def __init__(self, loop: HostLoopMixin, connection: Connection) -> None:
        self._reader = asyncio.StreamReader(loop=loop)
        self._protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        self.transport = StreamTransport(loop, connection, self._protocol)
        self.transport.start()
        self._writer = asyncio.StreamWriter(self.transport, self._protocol, self._reader, loop)

    async def read(self, limit: int) -> bytes:
        """At least one byte, or nothing at the end."""
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        """Send all of it, as far as a kernel would have taken it."""
        self._writer.write(data)
        await self._writer.drain()


class StreamSockets:
    """The tokens of one loop."""

    def __init__(self, loop: HostLoopMixin) -> None:
        self._loop = loop
        self._connections: weakref.WeakKeyDictionary[socket.socket, Connection] = (
            weakref.WeakKeyDictionary()
        )
        self._streams: weakref.WeakKeyDictionary[socket.socket, Stream] = (
            weakref.WeakKeyDictionary()
        )

    async def connect(self, sock: socket.socket, address: Any) -> None:
        """Open the connection that `sock` will stand for."""
        if sock.family != socket.AF_INET or sock.type != socket.SOCK_STREAM:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        resolved = await self._loop.getaddrinfo(*address[:2], type=socket.SOCK_STREAM)
        text, port = resolved[0][4]
        self._connections[sock] = await self._loop.connect_stream((parse_ip(text), port))

    def take(self, sock: socket.socket) -> Connection:
        """The connection behind a token, which is closed: it has served."""
        connection = self._connections.pop(sock, None)
        if connection is None:
            raise ValueError("this socket was not connected in the simulated network")
        sock.close()
        return connection

    def stream(self, sock: socket.socket) -> Stream | None:
        """The stream behind a token; None when `sock` is not one."""
        connection = self._connections.pop(sock, None)
        if connection is not None:
            stream = self._streams[sock] = Stream(self._loop, connection)
            weakref.finalize(sock, stream.transport.close)
            return stream
        return self._streams.get(sock)
