"""The event loop of one computer: asyncio whose network is the simulated one.

`HostLoopMixin` is combined with a base loop that has a real selector (a process for each node)
or none (virtual time). It overrides what asyncio programs use to reach the network, so they run
unmodified, and no program on it reaches the real network by accident. Real sockets are made by
an explicit, separate path: `loop.outside`.

The runtime calls `host.flush` once a tick and `dispatch_ready` whenever `host.ready` is not
empty; all else is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from asyncio import sslproto
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from netsim.aio.datagram import DatagramTransport
from netsim.aio.names import HostsTable, socket_address
from netsim.aio.outside import Outside
from netsim.aio.probes import EchoEndpoint, ProbeEndpoint
from netsim.aio.server import ProtocolFactory, Server
from netsim.aio.stream_sockets import StreamSockets
from netsim.aio.transport import StreamTransport
from netsim.stack.errors import SocketError
from netsim.stack.host import Host
from netsim.stack.tcp.connection import Connection
from netsim.wire.address import IpAddress, format_ip, parse_ip

if TYPE_CHECKING:
    _Base = asyncio.SelectorEventLoop
else:
    _Base = object

PathFinder = Callable[[IpAddress, IpAddress], list[str] | None]
"""Names of the nodes on the way from one address to another; None when there is no way."""

_TLS_OPTIONS = ("ssl_handshake_timeout", "ssl_shutdown_timeout")


class SocketOwner(Protocol):
    """Who looks after a socket of the stack."""

    def socket_ready(self) -> None:
        """Something has happened to the socket."""


class HostLoopMixin(_Base):
    """What makes an event loop a computer's."""

    host: Host
    hosts_table: HostsTable
    outside: Outside

    def attach_host(
        self,
        host: Host,
        names: Mapping[str, IpAddress],
        *,
        path_finder: PathFinder = lambda source, destination: None,
    ) -> None:
        """Give the loop its network: the stack, the hosts table, and who knows the ways."""
        self.host = host
        self.hosts_table = HostsTable(names)
        self.outside = Outside(self)
        self.path = path_finder
        self._owners: dict[Any, SocketOwner] = {}
        self._stream_sockets = StreamSockets(self)

    # The runtime's side

    def network_now(self) -> int:
        """Network time in ns for what programs do; the runtime's loop says what it is."""
        raise TypeError(f"{type(self).__name__} must say what time it is in the network")

    def dispatch_ready(self) -> None:
        """Tell the owners of sockets to which something has happened."""
        ready = list(self.host.ready)
        self.host.ready.clear()
        owners = self._owners
        for each in ready:
            owner = owners.get(each)
            if owner is not None:
                owner.socket_ready()

    def dispatch_soon(self) -> None:
        """See to it that `dispatch_ready` runs although no frame arrives."""
        self.call_soon(self.dispatch_ready)

    def own(self, stack_socket: Any, owner: SocketOwner) -> None:
        """From now on `owner` is told of what happens to a socket of the stack."""
        self._owners[stack_socket] = owner

    def disown(self, stack_socket: Any) -> None:
        """Nobody is told any more."""
        self._owners.pop(stack_socket, None)

    # Names

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As `socket.getaddrinfo`, from the hosts table."""
        if family not in (socket.AF_UNSPEC, socket.AF_INET):
            raise socket.gaierror(socket.EAI_FAMILY, "Address family for hostname not supported")
        address = self.hosts_table.resolve(host, passive=bool(flags & socket.AI_PASSIVE))
        text = format_ip(address)
        number = _port_number(port)
        kinds = [
            (socket.SOCK_STREAM, socket.IPPROTO_TCP),
            (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
        ]
        return [
            (socket.AF_INET, kind, protocol, "", (text, number))
            for kind, protocol in kinds
            if type in (0, kind) and proto in (0, protocol)
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """As `socket.getnameinfo`, from the hosts table."""
        text, port = sockaddr[0], str(sockaddr[1])
        if flags & socket.NI_NUMERICHOST:
            return text, port
        name = self.hosts_table.name_of(parse_ip(text))
        if name is None and flags & socket.NI_NAMEREQD:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return name or text, port

    # TCP

    async def connect_stream(
        self, remote: tuple[IpAddress, int], local: tuple[IpAddress | None, int] = (None, 0)
    ) -> Connection:
        """Open a connection; OSError as of `connect(2)`. Cancelled, it sends a RST."""
        where = socket_address(remote)
        try:
            connection = self.host.tcp.connect(remote, self.network_now(), local=local)
        except SocketError as error:
            raise OSError(error.errno, f"Connect call failed {where}") from error
        attempt = _Attempt(connection, self.create_future())
        self.own(connection, attempt)
        try:
            await attempt.done
        except asyncio.CancelledError:
            connection.abort(self.network_now())
            raise
        finally:
            self.disown(connection)
        if not connection.connected:
            code = connection.error or errno.ECONNABORTED
            raise OSError(code, f"Connect call failed {where}")
        return connection

    async def create_connection(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: ssl.SSLContext | bool | None = None,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        sock: socket.socket | None = None,
        local_addr: tuple[str, int] | None = None,
        server_hostname: str | None = None,
        **options: Any,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """As asyncio; `sock` is one that `sock_connect` has connected."""
        if server_hostname is not None and not ssl:
            raise ValueError("server_hostname is only meaningful with ssl")
        if sock is not None:
            if host is not None or port is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            connection = self._stream_sockets.take(sock)
        else:
            if host is None and port is None:
                raise ValueError("host and port was not specified and no sock specified")
            connection = await self._connect_to(host, port, family, proto, flags, local_addr)
        if ssl and server_hostname is None:
            if not host:
                raise ValueError("You must set server_hostname when using ssl without a host")
            server_hostname = host
        return await self._adopt(connection, protocol_factory, ssl, server_hostname, options)

    async def _connect_to(
        self,
        host: str | None,
        port: int | None,
        family: int,
        proto: int,
        flags: int,
        local_addr: tuple[str, int] | None,
    ) -> Connection:
        found = await self.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, proto=proto, flags=flags
        )
        local: tuple[IpAddress | None, int] = (None, 0)
        if local_addr is not None:
            local = (self.hosts_table.resolve(local_addr[0]), local_addr[1])
        address, number = found[0][4]
        return await self.connect_stream((parse_ip(address), number), local)

    async def _adopt(
        self,
        connection: Connection,
        factory: ProtocolFactory,
        tls: ssl.SSLContext | bool | None,
        server_hostname: str | None,
        options: dict[str, Any],
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        protocol = factory()
        if not tls:
            transport = StreamTransport(self, connection, protocol)
            transport.start()
            return transport, protocol
        context = ssl.create_default_context() if tls is True else tls
        waiter: asyncio.Future[None] = self.create_future()
        below = self.tls_protocol(
            protocol, context, waiter, server_side=False, server_hostname=server_hostname, **options
        )
        transport = StreamTransport(self, connection, below)
        transport.start()
        try:
            await waiter
        except BaseException:
            transport.close()
            raise
        return below._app_transport, protocol

    def tls_protocol(
        self,
        protocol: asyncio.BaseProtocol,
        context: ssl.SSLContext,
        waiter: asyncio.Future[None],
        *,
        server_side: bool,
        server_hostname: str | None = None,
        **options: Any,
    ) -> sslproto.SSLProtocol:
        """The TLS layer of asyncio above one of our transports."""
        chosen = {name: options[name] for name in _TLS_OPTIONS if options.get(name) is not None}
        return sslproto.SSLProtocol(
            self, protocol, context, waiter, server_side, server_hostname, **chosen
        )

    async def create_server(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        family: int = socket.AF_UNSPEC,
        flags: int = socket.AI_PASSIVE,
        sock: socket.socket | None = None,
        backlog: int = 100,
        ssl: ssl.SSLContext | None = None,
        start_serving: bool = True,
        **options: Any,
    ) -> Server:
        """As asyncio, on this computer's addresses; one address, or all where none is given."""
        if isinstance(ssl, bool):
            raise TypeError("ssl argument must be an SSLContext or None")
        if sock is not None:
            raise ValueError("a real socket cannot listen in the simulated network: give host/port")
        first = host[0] if isinstance(host, list | tuple) else host
        address = self.hosts_table.resolve(first, passive=True)
        where = None if not any(address) else address
        try:
            server = Server(self, (where, port or 0), protocol_factory, backlog, ssl, options)
        except SocketError as error:
            raise OSError(
                error.errno,
                f"error while attempting to bind on address "
                f"{socket_address((where, port or 0))!r}: {os.strerror(error.errno).lower()}",
            ) from error
        if start_serving:
            await server.start_serving()
        return server

    # TCP by way of a real socket object, which is only a token

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """As asyncio; the socket stands for the simulated connection from then on."""
        if sock.family == socket.AF_UNIX:
            await super().sock_connect(sock, address)
            return
        await self._stream_sockets.connect(sock, address)

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        """As asyncio."""
        stream = self._stream_sockets.stream(sock)
        return await (super().sock_recv(sock, nbytes) if stream is None else stream.read(nbytes))

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        """As asyncio."""
        stream = self._stream_sockets.stream(sock)
        if stream is None:
            return await super().sock_recv_into(sock, buf)
        with memoryview(buf) as view:
            data = await stream.read(len(view))
            view[: len(data)] = data
        return len(data)

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        """As asyncio."""
        stream = self._stream_sockets.stream(sock)
        if stream is None:
            await super().sock_sendall(sock, data)
        else:
            await stream.write(bytes(data))

    # UDP and ICMP

    async def create_datagram_endpoint(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        *,
        sock: socket.socket | None = None,
        **_: Any,
    ) -> tuple[DatagramTransport, asyncio.DatagramProtocol]:
        """As asyncio."""
        if sock is not None:
            raise ValueError("a real socket has no place in the simulated network")
        address: IpAddress | None = None
        port = 0
        if local_addr is not None:
            resolved = self.hosts_table.resolve(local_addr[0], passive=True)
            address, port = (resolved if any(resolved) else None), local_addr[1]
        remote = None
        if remote_addr is not None:
            remote = (self.hosts_table.resolve(remote_addr[0]), remote_addr[1])
        try:
            if remote is not None and address is None:
                address = self.host.ip.source_for(remote[0])
            udp_socket = self.host.udp.bind(address, port)
        except SocketError as error:
            raise OSError(error.errno, str(error)) from error
        if remote is not None:
            udp_socket.connect(remote)
        protocol = protocol_factory()
        transport = DatagramTransport(self, udp_socket, protocol)
        protocol.connection_made(transport)
        return transport, protocol

    def open_echo(self) -> EchoEndpoint:
        """An endpoint for pings."""
        for identifier in range(1, 1 << 16):
            with contextlib.suppress(SocketError):
                return EchoEndpoint(self, self.host.icmp.open_echo(identifier))
        raise OSError(errno.EAGAIN, "every echo identifier is in use")

    def open_probe(self) -> ProbeEndpoint:
        """An endpoint for traceroute."""
        return ProbeEndpoint(self, self.host.udp.bind(None, 0))


class _Attempt:
    """Waits for a handshake."""

    def __init__(self, connection: Connection, done: asyncio.Future[None]) -> None:
        self._connection = connection
        self.done = done

    def socket_ready(self) -> None:
        if (self._connection.connected or self._connection.closed) and not self.done.done():
            self.done.set_result(None)


def _port_number(port: bytes | str | int | None) -> int:
    if port is None or port == "" or port == b"":
        return 0
    try:
        return int(port)
    except ValueError:
        pass
    try:
        return socket.getservbyname(port.decode() if isinstance(port, bytes) else str(port))
    except OSError:
        raise socket.gaierror(
            socket.EAI_SERVICE, "Servname not supported for ai_socktype"
        ) from None
