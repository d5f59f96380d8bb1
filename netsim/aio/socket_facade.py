"""What `transport.get_extra_info("socket")` gives: enough of a socket for asyncio libraries."""

from __future__ import annotations

import errno
import functools
import os
import socket
from typing import Any, Final

from netsim.aio.hosts_table import socket_address
from netsim.aio.os_errors import system_error
from netsim.core.time import SECOND
from netsim.stack.tcp.settings import KeepAlive
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.address import IpAddress

Endpoint = tuple[IpAddress | None, int]

_TCP: Final = socket.IPPROTO_TCP
_NODELAY: Final = (_TCP, socket.TCP_NODELAY)
_KEEP_ALIVE: Final = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
# As numbers where a system has no names for them.
_KEEP_ALIVE_IDLE: Final = (_TCP, getattr(socket, "TCP_KEEPIDLE", 4))
_KEEP_ALIVE_INTERVAL: Final = (_TCP, getattr(socket, "TCP_KEEPINTVL", 5))
_KEEP_ALIVE_PROBES: Final = (_TCP, getattr(socket, "TCP_KEEPCNT", 6))
_KEEP_ALIVE_OPTIONS: Final = frozenset(
    (_KEEP_ALIVE, _KEEP_ALIVE_IDLE, _KEEP_ALIVE_INTERVAL, _KEEP_ALIVE_PROBES)
)


class SocketFacade:
    """Answers questions about a simulated socket and takes the options that mean something.

    It cannot be read or written, like asyncio's own `TransportSocket`.
    """

    def __init__(
        self, kind: socket.SocketKind, local: Endpoint, remote: Endpoint | None = None
    ) -> None:
        self.family = socket.AF_INET
        self.type = kind
        self.proto = _TCP if kind is socket.SOCK_STREAM else socket.IPPROTO_UDP
        self._local = local
        self._remote = remote
        self._options: dict[tuple[int, int], Any] = {}

    def getsockname(self) -> tuple[str, int]:
        """Our address and port."""
        return socket_address(self._local)

    def getpeername(self) -> tuple[str, int]:
        """The peer's address and port; OSError ENOTCONN without a peer."""
        if self._remote is None:
            raise system_error(errno.ENOTCONN)
        return socket_address(self._remote)

    def setsockopt(self, level: int, option: int, value: Any, *_: Any) -> None:
        """Remember an option; those of TCP that exist here take effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int, *_: Any) -> Any:
        """What was set, or 0."""
        if (level, option) == (socket.SOL_SOCKET, socket.SO_TYPE):
            return int(self.type)
        return self._options.get((level, option), 0)

    def fileno(self) -> int:
        """A descriptor that says "nothing to read" to whoever polls it; of no other use."""
        return _quiet_descriptor()

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks; ValueError when that is asked for."""
        if flag:
            raise ValueError("setblocking(): transport sockets cannot be blocking")

    def settimeout(self, value: float | None) -> None:
        if value != 0:
            raise ValueError("settimeout(): only 0 timeout is allowed on transport sockets")

    def gettimeout(self) -> float:
        """0.0, as of a non-blocking socket."""
        return 0.0

    def __repr__(self) -> str:
        peer = "" if self._remote is None else f" to {self.getpeername()}"
        return f"<{type(self).__name__} {self.type.name} {self.getsockname()}{peer}>"


class ConnectionFacade(SocketFacade):
    """Of a TCP connection."""

    def __init__(self, connection: TcpSocket) -> None:
        super().__init__(socket.SOCK_STREAM, connection.local, connection.remote)
        self._connection = connection

    def setsockopt(self, level: int, option: int, value: Any, *_: Any) -> None:
        """TCP_NODELAY, SO_KEEPALIVE and the times of keep-alive act on the connection."""
        super().setsockopt(level, option, value)
        if (level, option) == _NODELAY:
            self._connection.no_delay = bool(value)
        elif (level, option) in _KEEP_ALIVE_OPTIONS:
            self._connection.set_keep_alive(self._wanted_keep_alive())

    def getsockopt(self, level: int, option: int, *_: Any) -> Any:
        """As of the connection."""
        if (level, option) == _NODELAY:
            return int(self._connection.no_delay)
        return super().getsockopt(level, option)

    def fileno(self) -> int:
        """A descriptor for polling: readable when the connection has text or an end to read.

        -1 once it is closed. Connection pools (httpcore's) look so whether a peer has closed an
        idle connection.
        """
        connection = self._connection
        if connection.closed or connection.orphan:
            return -1
        if connection.readable_bytes or connection.at_eof:
            return _readable_descriptor()
        return _quiet_descriptor()

    def _wanted_keep_alive(self) -> KeepAlive | None:
        options = self._options
        if not options.get(_KEEP_ALIVE):
            return None
        usual = KeepAlive()
        return KeepAlive(
            idle_ns=options.get(_KEEP_ALIVE_IDLE, usual.idle_ns // SECOND) * SECOND,
            interval_ns=options.get(_KEEP_ALIVE_INTERVAL, usual.interval_ns // SECOND) * SECOND,
            probes=options.get(_KEEP_ALIVE_PROBES, usual.probes),
        )


# One of each kind is enough for a process: they hold no state of any connection.


@functools.cache
def _quiet_descriptor() -> int:
    """A pipe into which nobody writes."""
    reader, _ = os.pipe()
    return reader


@functools.cache
def _readable_descriptor() -> int:
    """A pipe whose writer is gone."""
    reader, writer = os.pipe()
    os.close(writer)
    return reader
