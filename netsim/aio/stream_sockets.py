"""Real socket objects that stand for simulated connections.

Some libraries (aiohttp's happy eyeballs among them) make a socket themselves, have the loop
connect it, and give it back to `create_connection` or use it with `sock_recv` and its like. The
kernel's socket is then only a token: it is never connected itself. When nobody refers to it any
more, the connection behind it is closed.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import weakref
from typing import Any, Final

from netsim.aio.connect import open_connection
from netsim.aio.host_loop import HostLoop
from netsim.aio.transport import StreamTransport
from netsim.sockets.os_errors import system_error
from netsim.sockets.socket_facade import UNSET_SEGMENT, SocketFacade
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.address import IpAddress, parse_ip

_INHERITED: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.SOL_SOCKET, socket.SO_LINGER),
    (socket.SOL_SOCKET, socket.SO_RCVBUF),
    (socket.SOL_SOCKET, socket.SO_SNDBUF),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
    (socket.IPPROTO_TCP, socket.TCP_CONGESTION),
)
"""Options that a token hands down to the connection; TCP_MAXSEG is in the SYN."""
_OPTION_SIZE: Final = 16
"""Octets of the longest of them."""


class BoundSocket(socket.socket):
    """A token that is connected from one address of its computer; the kernel is not asked."""

    def __init__(self, local: IpAddress) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.local = local


Options = dict[tuple[int, int], bytes]


def _set_options(token: socket.socket) -> Options:
    """What the program has set: what differs from a socket that is new."""
    options: Options = {}
    with socket.socket() as new:
        for level, option in _INHERITED:
            value = token.getsockopt(level, option, _OPTION_SIZE)
            if value != new.getsockopt(level, option, _OPTION_SIZE):
                if option in (socket.SO_RCVBUF, socket.SO_SNDBUF) and level == socket.SOL_SOCKET:
                    # The kernel reports twice what was set (socket(7)).
                    value = (int.from_bytes(value, sys.byteorder) // 2).to_bytes(4, sys.byteorder)
                options[level, option] = value
    return options


def hand_down(options: Options, to: SocketFacade) -> None:
    """A connection has what was set on its token."""
    for (level, option), value in options.items():
        to.setsockopt(level, option, value)


class StreamSockets:
    """The tokens of one loop."""

    def __init__(self, loop: HostLoop) -> None:
        self._loop = loop
        self._connections: weakref.WeakKeyDictionary[socket.socket, _Connected] = (
            weakref.WeakKeyDictionary()
        )
        self._streams: weakref.WeakKeyDictionary[socket.socket, Stream] = (
            weakref.WeakKeyDictionary()
        )

    async def connect(self, sock: socket.socket, address: Any) -> None:
        """Open the connection that `sock` will stand for."""
        if sock.family != socket.AF_INET:
            raise system_error(errno.EAFNOSUPPORT)
        if sock.type != socket.SOCK_STREAM:
            raise system_error(errno.EPROTONOSUPPORT)
        found = self._loop.hosts_table.getaddrinfo(address[0], address[1], kind=socket.SOCK_STREAM)
        text, port = found[0][4]
        local = sock.local if isinstance(sock, BoundSocket) else None
        segment = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        user_mss = 0 if segment == UNSET_SEGMENT else segment
        connection = await open_connection(self._loop, (parse_ip(text), port), (local, 0), user_mss)
        self._connections[sock] = _Connected(sock, connection)

    def take(self, sock: socket.socket) -> tuple[TcpSocket, Options]:
        """The connection behind a token, which is closed: it has served; what was set on it."""
        connected = self._connections.pop(sock, None)
        if connected is None:
            raise ValueError("this socket was not connected in the simulated network")
        options = _set_options(sock)
        sock.close()
        return connected.take(), options

    def stream(self, sock: socket.socket) -> Stream | None:
        """The stream behind a token; None when `sock` is not one."""
        connected = self._connections.pop(sock, None)
        if connected is None:
            return self._streams.get(sock)
        stream = self._streams[sock] = Stream(self._loop, connected.take())
        weakref.finalize(sock, stream.transport.close).atexit = False
        hand_down(_set_options(sock), stream.transport.get_extra_info("socket"))
        return stream


class Stream:
    """A connection behind a token, for `sock_recv` and its like."""

    def __init__(self, loop: HostLoop, connection: TcpSocket) -> None:
        self._reader = asyncio.StreamReader(loop=loop)
        self._protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        self.transport = StreamTransport(loop, connection, self._protocol)

    async def read(self, limit: int) -> bytes:
        """At least one byte, or nothing at the end."""
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        """Send all of it, as far as a kernel would have taken it."""
        if (error := self._reader.exception()) is not None:
            raise error
        self.transport.write(data)
        # What StreamWriter.drain does; a writer would want to be closed by its own name.
        await self._protocol._drain_helper()  # type: ignore[attr-defined]


class _Connected:
    """A connection that nobody has taken over yet."""

    def __init__(self, sock: socket.socket, connection: TcpSocket) -> None:
        self._connection = connection
        self._finalizer = weakref.finalize(sock, connection.close)
        self._finalizer.atexit = False

    def take(self) -> TcpSocket:
        self._finalizer.detach()
        return self._connection
