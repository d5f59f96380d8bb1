"""Active open: from an address to a connection, and from that to a transport and a protocol."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from netsim.aio.host_loop import HostLoop
from netsim.aio.tls import Tls
from netsim.aio.transport import make_transport
from netsim.sockets.hosts_table import socket_address
from netsim.sockets.os_errors import bind_error
from netsim.stack.socket_errors import SocketError
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.address import IpAddress

ProtocolFactory = Callable[[], asyncio.BaseProtocol]
Local = tuple[IpAddress | None, int]


async def open_connection(
    loop: HostLoop, remote: tuple[IpAddress, int], local: Local = (None, 0)
) -> TcpSocket:
    """Connect; OSError as of `connect(2)`, in asyncio's words. Cancelled, it is aborted."""
    if local[0] is not None and not loop.host.ip.is_local(local[0]):
        raise bind_error(errno.EADDRNOTAVAIL, socket_address(local))
    try:
        connection = loop.host.tcp.connect(remote, loop.network_now(), local=local)
    except SocketError as error:
        raise _connect_failure(error.errno, remote) from error
    attempt = _Attempt(connection, loop.create_future())
    loop.own(connection, attempt)
    try:
        await attempt.done
    except asyncio.CancelledError:
        connection.abort(loop.network_now())
        raise
    finally:
        loop.disown(connection)
    if not connection.connected:
        raise _connect_failure(connection.error or errno.ECONNABORTED, remote)
    return connection


async def adopt(
    loop: HostLoop,
    connection: TcpSocket,
    factory: ProtocolFactory,
    tls: Tls | None,
    sock: socket.socket | None = None,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Give an open connection to a protocol, after the TLS handshake where there is one.

    `sock` is the program's own, where there is one, and belongs to the transport from now on.
    """
    try:
        protocol = factory()
    except BaseException:
        connection.abort(loop.network_now())
        raise
    waiter: asyncio.Future[None] = loop.create_future()
    transport = make_transport(loop, connection, protocol, tls, waiter, sock=sock)
    try:
        await waiter
    except BaseException:
        transport.close()
        raise
    return transport, protocol


def _connect_failure(code: int, remote: tuple[IpAddress, int]) -> OSError:
    return OSError(code, f"Connect call failed {socket_address(remote)}")


class _Attempt:
    """Owns a connection during its handshake."""

    def __init__(self, connection: TcpSocket, done: asyncio.Future[None]) -> None:
        self._connection = connection
        self.done = done

    def socket_ready(self) -> None:
        if (self._connection.connected or self._connection.closed) and not self.done.done():
            self.done.set_result(None)
