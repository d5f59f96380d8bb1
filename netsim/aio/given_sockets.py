"""Sockets that a program has made itself, and gives to asyncio: for a transport, for a server."""

from __future__ import annotations

import errno
import socket
from typing import TypeVar

from netsim.sockets import descriptors
from netsim.sockets.datagram_endpoint import DatagramEndpoint
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.stream_endpoint import StreamEndpoint
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.tcp_socket import TcpSocket

Kind = TypeVar("Kind", bound=Endpoint)


def connection_of(sock: socket.socket) -> TcpSocket:
    """What a connected socket stands for; ValueError unless it is one of a computer."""
    endpoint = _endpoint(sock, StreamEndpoint, "A Stream Socket was expected")
    if endpoint.connection is None:
        raise ValueError(f"this socket was not connected in the simulated network: {sock!r}")
    return endpoint.connection


def listener_of(sock: socket.socket, backlog: int) -> Listener:
    """What a socket stands for that listens from now on; OSError as of listen(2)."""
    endpoint = _endpoint(sock, StreamEndpoint, "A Stream Socket was expected")
    endpoint.listen(backlog)
    assert endpoint.listener is not None
    return endpoint.listener


def datagrams_of(sock: socket.socket) -> DatagramEndpoint:
    """What stands behind a datagram socket."""
    return _endpoint(sock, DatagramEndpoint, "A datagram socket was expected")


def not_of_a_computer() -> OSError:
    """EOPNOTSUPP for a socket of the machine's."""
    return OSError(
        errno.EOPNOTSUPP,
        "a socket that was not made on a computer does not reach the simulated network: make it in "
        "the program that runs there, or give host and port",
    )


def _endpoint(sock: socket.socket, kind: type[Kind], expected: str) -> Kind:
    endpoint = descriptors.endpoint_of(sock.fileno())
    if endpoint is None:
        raise not_of_a_computer()
    if not isinstance(endpoint, kind):
        raise ValueError(f"{expected}, got {sock!r}")
    return endpoint
