"""What `transport.get_extra_info("socket")` gives: enough of a socket for asyncio libraries."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from netsim.aio.names import socket_address
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.settings import KeepAlive
from netsim.wire.address import IpAddress

Endpoint = tuple[IpAddress | None, int]


class SocketFacade:
    """Answers questions about a simulated socket and takes the options that mean something.

    It cannot be read or written: libraries that want the descriptor itself have no use here.
    """

    def __init__(
        self, kind: socket.SocketKind, local: Endpoint, remote: Endpoint | None = None
    ) -> None:
        self.family = socket.AF_INET
        self.type = kind
        self.proto = socket.IPPROTO_TCP if kind is socket.SOCK_STREAM else socket.IPPROTO_UDP
        self._local = local
        self._remote = remote
        self._options: dict[tuple[int, int], Any] = {}

    def getsockname(self) -> tuple[str, int]:
        """Our address and port."""
        return socket_address(self._local)

    def getpeername(self) -> tuple[str, int]:
        """The peer's address and port; OSError ENOTCONN without a peer."""
        if self._remote is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return socket_address(self._remote)

    def setsockopt(self, level: int, option: int, value: Any, *_: Any) -> None:
        """Remember an option; those of TCP that exist here take effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int, *_: Any) -> Any:
        """What was set, or what a fresh socket says."""
        if (level, option) == (socket.SOL_SOCKET, socket.SO_TYPE):
            return int(self.type)
        return self._options.get((level, option), 0)

    def fileno(self) -> int:
        """-1: there is no descriptor behind it."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """Without effect: nothing here blocks."""

    def gettimeout(self) -> float:
        """0.0, as of a non-blocking socket."""
        return 0.0


class ConnectionFacade(SocketFacade):
    """Of a TCP connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(socket.SOCK_STREAM, connection.local, connection.remote)
        self._connection = connection

    def setsockopt(self, level: int, option: int, value: Any, *_: Any) -> None:
        """TCP_NODELAY and SO_KEEPALIVE act on the connection."""
        super().setsockopt(level, option, value)
        if (level, option) == (socket.IPPROTO_TCP, socket.TCP_NODELAY):
            self._connection.no_delay = bool(value)
        elif (level, option) == (socket.SOL_SOCKET, socket.SO_KEEPALIVE):
            self._connection.keep_alive = KeepAlive() if value else None
