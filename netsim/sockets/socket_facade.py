"""The options of simulated sockets; `transport.get_extra_info("socket")` gives one of these, which
is enough of a socket for asyncio libraries."""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from netsim.core.time import MILLISECOND, SECOND
from netsim.sockets.hosts_table import socket_address
from netsim.sockets.option_rules import as_number, check_get, check_set
from netsim.sockets.os_errors import system_error
from netsim.sockets.tcp_info import tcp_info
from netsim.stack.tcp.congestion import algorithm_names
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.settings import KeepAlive, TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.stack.udp_layer import RECEIVE_BUFFER
from netsim.wire.address import IpAddress

Endpoint = tuple[IpAddress | None, int]

_TCP: Final = socket.IPPROTO_TCP
_NODELAY: Final = (_TCP, socket.TCP_NODELAY)
_KEEP_ALIVE: Final = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
# As numbers where a system has no names for them.
_KEEP_ALIVE_IDLE: Final = (_TCP, getattr(socket, "TCP_KEEPIDLE", 4))
_KEEP_ALIVE_INTERVAL: Final = (_TCP, getattr(socket, "TCP_KEEPINTVL", 5))
_KEEP_ALIVE_PROBES: Final = (_TCP, getattr(socket, "TCP_KEEPCNT", 6))
_KEEP_ALIVE_DEFAULTS: Final = {
    _KEEP_ALIVE_IDLE: KeepAlive().idle_ns // SECOND,
    _KEEP_ALIVE_INTERVAL: KeepAlive().interval_ns // SECOND,
    _KEEP_ALIVE_PROBES: KeepAlive().probes,
}
_KEEP_ALIVE_OPTIONS: Final = frozenset((_KEEP_ALIVE, *_KEEP_ALIVE_DEFAULTS))
BIND_TO_DEVICE: Final = (socket.SOL_SOCKET, getattr(socket, "SO_BINDTODEVICE", 25))
_LINGER: Final = (socket.SOL_SOCKET, socket.SO_LINGER)
_SEND_BUFFER: Final = (socket.SOL_SOCKET, socket.SO_SNDBUF)
_RECEIVE_BUFFER: Final = (socket.SOL_SOCKET, socket.SO_RCVBUF)
_MAXIMUM_SEGMENT: Final = (_TCP, socket.TCP_MAXSEG)
_INFO: Final = (_TCP, getattr(socket, "TCP_INFO", 11))
_QUICK_ACK: Final = (_TCP, getattr(socket, "TCP_QUICKACK", 12))
_CONGESTION: Final = (_TCP, getattr(socket, "TCP_CONGESTION", 13))
_USER_TIMEOUT: Final = (_TCP, getattr(socket, "TCP_USER_TIMEOUT", 18))
_JOIN_GROUP: Final = frozenset((35, 39, 42, 46))
"""IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP."""
_DEFAULTS: Final = {
    _SEND_BUFFER: 16_384,
    _RECEIVE_BUFFER: 131_072,
    _MAXIMUM_SEGMENT: 536,
    (socket.IPPROTO_IP, socket.IP_TTL): 64,
}
"""Of a TCP socket before a connection."""
_LEAST_BUFFER: Final = 2304
"""Octets, of what a program may set (Linux: SOCK_MIN_RCVBUF)."""
UNSET_SEGMENT: Final = 536
"""What TCP_MAXSEG is before a connection, where nothing was set."""


class SocketFacade:
    """Answers questions about a simulated socket and takes the options that mean something.

    It cannot be read or written, like asyncio's own `TransportSocket`.
    """

    is_listening = False

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
        return socket_address(self._local)

    def getpeername(self) -> tuple[str, int]:
        """The peer's address and port; OSError ENOTCONN without a peer."""
        if self._remote is None:
            raise system_error(errno.ENOTCONN)
        return socket_address(self._remote)

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """Remember an option; those of TCP that exist here take effect.

        OSError as of `check_set`, ENOENT for a congestion control that is not there, and
        EAFNOSUPPORT for joining a multicast group, from which nothing would ever come.
        """
        check_set(self.proto, level, option, value, *length)
        if level == socket.IPPROTO_IP and option in _JOIN_GROUP:
            raise OSError(errno.EAFNOSUPPORT, "the simulated network has no multicast groups")
        if (level, option) == _CONGESTION and _text(value) not in algorithm_names():
            raise system_error(errno.ENOENT)
        self._options[level, option] = value

    def hand_down(self, to: SocketFacade) -> None:
        """Another begins with what was set here: a connection, one that is accepted (accept(2), as
        on Linux)."""
        for (level, option), value in self._options.items():
            to.setsockopt(level, option, value)

    def getsockopt(self, level: int, option: int, size: int = 0, *_: Any) -> Any:
        """What was set, or 0; bytes where a `size` is given. Buffers are twice what was set, as
        Linux reports them.

        OSError as of `check_get`.
        """
        check_get(self.proto, level, option)
        key = (level, option)
        if key in self._facts():
            value = self._facts()[key]
        elif key in (_SEND_BUFFER, _RECEIVE_BUFFER) and key in self._options:
            value = 2 * max(as_number(self._options[key]), _LEAST_BUFFER // 2)
        elif key == _LINGER:
            found = self._options.get(key, struct.pack("ii", 0, 0))
            return found[:size] if size else int.from_bytes(found[:4], sys.byteorder)
        elif key == BIND_TO_DEVICE:
            name = device_name(self._options.get(key, b""))
            found = f"{name}\0".encode() if name else b""
            return found[:size] if size else 0
        elif key == _CONGESTION:
            found = bytes(self._options.get(key, TcpSettings().congestion.encode()))
            return found.ljust(16, b"\0")[: size or 16]
        elif key in _KEEP_ALIVE_DEFAULTS:
            value = as_number(self._options.get(key, _KEEP_ALIVE_DEFAULTS[key]))
        else:
            value = as_number(self._options.get(key, self._usual(key)))
        return value.to_bytes(4, sys.byteorder, signed=value < 0)[:size] if size else value

    def _usual(self, key: tuple[int, int]) -> int:
        """What Linux says where nothing was set."""
        if key in (_SEND_BUFFER, _RECEIVE_BUFFER) and self.type is socket.SOCK_DGRAM:
            return RECEIVE_BUFFER
        return _DEFAULTS.get(key, 0)

    def _facts(self) -> dict[tuple[int, int], int]:
        """What nobody can set."""
        return {
            (socket.SOL_SOCKET, socket.SO_TYPE): int(self.type),
            (socket.SOL_SOCKET, socket.SO_DOMAIN): int(self.family),
            (socket.SOL_SOCKET, socket.SO_PROTOCOL): self.proto,
            (socket.SOL_SOCKET, socket.SO_ACCEPTCONN): int(self.is_listening),
        }

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


class ListenerFacade(SocketFacade):
    """Of a listening TCP socket: options hold for the connections that it accepts from then on."""

    is_listening = True

    def __init__(self, listener: Listener) -> None:
        super().__init__(socket.SOCK_STREAM, listener.local)
        self._listener = listener

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        super().setsockopt(level, option, value, *length)
        if (level, option) == _MAXIMUM_SEGMENT:
            self._listener.user_mss = as_number(value)

    def getsockopt(self, level: int, option: int, size: int = 0, *_: Any) -> Any:
        if (level, option) == _MAXIMUM_SEGMENT:
            value = self._listener.user_mss or UNSET_SEGMENT
            return value.to_bytes(4, sys.byteorder)[:size] if size else value
        return super().getsockopt(level, option, size)


class ConnectionFacade(SocketFacade):
    """Of a TCP connection. `network_now` tells the network time in ns."""

    def __init__(self, connection: TcpSocket, network_now: Callable[[], int]) -> None:
        super().__init__(socket.SOCK_STREAM, connection.local, connection.remote)
        self._connection = connection
        self._now = network_now

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """Set what acts on a connection: TCP_NODELAY, keep-alive and its times, SO_LINGER,
        TCP_USER_TIMEOUT, SO_SNDBUF, SO_RCVBUF, TCP_CONGESTION, TCP_QUICKACK. Others are
        remembered."""
        super().setsockopt(level, option, value, *length)
        key = (level, option)
        connection = self._connection
        if key == _CONGESTION:
            connection.set_congestion_control(_text(value))
        elif key == _LINGER:
            enabled, seconds = struct.unpack_from("ii", self._options[key])
            connection.linger_reset = bool(enabled) and seconds == 0
        elif key == _NODELAY:
            connection.no_delay = bool(as_number(value))
        elif key == _USER_TIMEOUT:
            connection.user_timeout_ns = as_number(value) * MILLISECOND
        elif key == _SEND_BUFFER:
            connection.fix_send_buffer(max(as_number(value), _LEAST_BUFFER))
        elif key == _RECEIVE_BUFFER:
            connection.receiver.fix(max(as_number(value), _LEAST_BUFFER))
        elif key == _QUICK_ACK:
            connection.set_quick_acks(bool(as_number(value)))
        elif key in _KEEP_ALIVE_OPTIONS:
            connection.set_keep_alive(self._wanted_keep_alive())

    def getsockopt(self, level: int, option: int, size: int = 0, *_: Any) -> Any:
        """As of the connection; bytes where a `size` is given. Buffers are twice what was set,
        as Linux reports them."""
        connection = self._connection
        match (level, option):
            case key if key == _NODELAY:
                value = int(connection.no_delay)
            case key if key == _INFO:
                info = tcp_info(connection, self._now())
                return info[:size] if size else int.from_bytes(info[:4], sys.byteorder)
            case key if key == _CONGESTION:
                return connection.sender.congestion_name.encode().ljust(16, b"\0")[: size or 16]
            case key if key == _SEND_BUFFER:
                value = connection.send_buffer_limit
            case key if key == _RECEIVE_BUFFER:
                value = 2 * connection.receiver.limit
            case key if key == _MAXIMUM_SEGMENT:
                value = connection.sender.mss
            case key if key == _QUICK_ACK:
                value = int(not connection.receiver.acks.interactive)
            case _:
                return super().getsockopt(level, option, size)
        return value.to_bytes(4, sys.byteorder)[:size] if size else value

    def fileno(self) -> int:
        """A descriptor for polling: readable when the connection has data or an end to read.

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
        if not as_number(self._options.get(_KEEP_ALIVE, 0)):
            return None
        idle, interval, probes = (
            as_number(self._options.get(key, usual)) for key, usual in _KEEP_ALIVE_DEFAULTS.items()
        )
        return KeepAlive(idle * SECOND, interval * SECOND, probes)


def device_name(value: Any) -> str:
    """Of an interface, as SO_BINDTODEVICE is given it."""
    octets = (
        (value & 0xFFFFFFFF).to_bytes(4, sys.byteorder) if isinstance(value, int) else bytes(value)
    )
    return octets.partition(b"\0")[0].decode("ascii", "replace")


def _text(value: Any) -> str:
    return bytes(value).rstrip(b"\0").decode("ascii", "replace")


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
