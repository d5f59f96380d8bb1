"""The event loop of one computer: asyncio whose network is the simulated one.

`HostLoopMixin` is combined with a base loop that has a real selector (a process for each node)
or none (virtual time). It overrides what asyncio programs use to reach the network, so they run
unmodified, and no program on it reaches the real network by accident. Real sockets are made by
an explicit, separate path: `loop.outside`.

The runtime calls `host.flush` once a tick, and `dispatch_ready` from a callback of the loop
whenever `host.ready` is not empty; all else is here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl as tls_library
from collections.abc import Callable
from typing import Any

from netsim.aio import client_defaults
from netsim.aio.connect import ProtocolFactory, adopt, open_connection
from netsim.aio.datagram import DatagramTransport, open_datagram_socket
from netsim.aio.given_sockets import connection_of, datagrams_of, listener_of
from netsim.aio.host_loop import PathFinder
from netsim.aio.outside import Outside
from netsim.aio.probe_endpoints import EchoEndpoint, ProbeEndpoint, SynEndpoint
from netsim.aio.socket_methods import SocketMethods
from netsim.aio.stream_server import Server
from netsim.aio.tls import client_tls, server_tls
from netsim.aio.watched_sockets import WatchedSockets
from netsim.sockets import descriptors
from netsim.sockets.hosts_table import HostsTable, socket_address
from netsim.sockets.os_errors import bind_error
from netsim.stack.host import Host
from netsim.stack.port_sharing import Sharing
from netsim.stack.socket_errors import SocketError
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.address import UNSPECIFIED, IpAddress, parse_ip


class HostLoopMixin(SocketMethods):
    """What makes an event loop a computer's."""

    outside: Outside

    def attach_host(
        self,
        host: Host,
        hosts_table: HostsTable,
        *,
        path_finder: PathFinder = lambda source, destination, flow: None,
    ) -> None:
        """Give the loop its network: the stack, the hosts table, and who knows the ways."""
        self.host = host
        self.hosts_table = hosts_table
        self.outside = Outside(super(SocketMethods, self))
        self.path = path_finder
        self._owners = {}
        self._watched = WatchedSockets(self)
        client_defaults.computer_begins(self)

    def detach_host(self) -> list[Any]:
        """Let the stack go, as the loop will never run again; returns what stood for its sockets.

        Programs hold those, and they hold programs: who wants no program to end keeps the list.
        """
        client_defaults.computer_ends(self)
        descriptors.end_of(self)
        owners: list[Any] = list(self._owners.values())
        for owner in owners:
            for name, value in list(vars(owner).items()):
                if _is_of_the_stack(value) or (
                    isinstance(value, list) and any(map(_is_of_the_stack, value))
                ):
                    delattr(owner, name)
            # What answers questions about a socket holds it: of a connection, of a server.
            getattr(owner, "_extra", {}).pop("socket", None)
            vars(owner).pop("_sockets", None)
        for name in ("host", "path", "outside", "_owners", "_watched"):
            del vars(self)[name]
        return owners

    def close(self) -> None:
        """As asyncio; nothing of the process is as it was for this computer any more."""
        client_defaults.computer_ends(self)
        descriptors.end_of(self)
        super().close()

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
        return list(self.hosts_table.getaddrinfo(host, port, family, type, proto, flags))

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """As `socket.getnameinfo`, from the hosts table."""
        return self.hosts_table.getnameinfo(sockaddr, flags)

    # TCP

    async def create_connection(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: tls_library.SSLContext | bool | None = None,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        sock: socket.socket | None = None,
        local_addr: tuple[str, int] | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        happy_eyeballs_delay: float | None = None,
        interleave: int | None = None,
        all_errors: bool = False,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """As asyncio; `sock` is a connected one of this computer."""
        tls = client_tls(ssl, host, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        if tls is not None:
            self.tls_begins()
        if sock is not None:
            if host is not None or port is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            return await adopt(self, connection_of(sock), protocol_factory, tls, sock)
        if host is None and port is None:
            raise ValueError("host and port was not specified and no sock specified")
        try:
            connection = await self._connect(host, port, family, proto, flags, local_addr)
        except OSError as error:
            if all_errors and not isinstance(error, socket.gaierror):
                raise ExceptionGroup("create_connection failed", [error]) from error
            raise
        return await adopt(self, connection, protocol_factory, tls)

    async def connect_accepted_socket(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: ProtocolFactory,
        sock: socket.socket,
        *,
        ssl: tls_library.SSLContext | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        tls = server_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if tls is not None:
            self.tls_begins()
        return await adopt(self, connection_of(sock), protocol_factory, tls, sock)

    async def start_tls(self, *args: Any, **kwargs: Any) -> asyncio.Transport | None:
        self.tls_begins()
        return await super().start_tls(*args, **kwargs)

    async def _connect(
        self,
        host: str | None,
        port: int | None,
        family: int,
        proto: int,
        flags: int,
        local_addr: tuple[str, int] | None,
    ) -> TcpSocket:
        # A name has one address here, so there is no race to run for happy eyeballs.
        found = self.hosts_table.getaddrinfo(host, port, family, socket.SOCK_STREAM, proto, flags)
        address, number = found[0][4]
        local: tuple[IpAddress | None, int] = (None, 0)
        if local_addr is not None:
            wanted = self.hosts_table.resolve(local_addr[0], passive=True)
            local = (wanted if wanted != UNSPECIFIED else None, local_addr[1])
        return await open_connection(self, (parse_ip(address), number), local)

    async def create_server(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: ProtocolFactory,
        host: str | list[str] | tuple[str, ...] | None = None,
        port: int | None = None,
        *,
        family: int = socket.AF_UNSPEC,
        flags: int = socket.AI_PASSIVE,
        sock: socket.socket | None = None,
        backlog: int = 100,
        ssl: tls_library.SSLContext | None = None,
        reuse_address: bool | None = None,
        reuse_port: bool | None = None,
        keep_alive: bool | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
    ) -> Server:
        """As asyncio, on this computer's addresses: some of them, or all where none is given."""
        tls = server_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if tls is not None:
            self.tls_begins()
        if sock is not None:
            if host is not None or port is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            listener = listener_of(sock, backlog)
            server = Server(self, [listener], protocol_factory, tls, sock)
            if start_serving:
                await server.start_serving()
            return server
        if host is None and port is None:
            raise ValueError("Neither host/port nor sock were specified")
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        wanted = [
            self.hosts_table.getaddrinfo(each, port, family, socket.SOCK_STREAM, 0, flags)[0][4]
            for each in hosts
        ]
        sharing = Sharing.PORT if reuse_port else Sharing.NOTHING
        listeners: list[Listener] = []
        try:
            for address, number in dict.fromkeys(wanted):
                listeners.append(self._listen(parse_ip(address), number, backlog, sharing))
        except OSError:
            for listener in listeners:
                listener.close(self.network_now())
            raise
        server = Server(self, listeners, protocol_factory, tls)
        if start_serving:
            await server.start_serving()
        return server

    def _listen(self, address: IpAddress, port: int, backlog: int, sharing: Sharing) -> Listener:
        anywhere = address == UNSPECIFIED
        if not anywhere and not self.host.ip.is_local(address):
            raise bind_error(errno.EADDRNOTAVAIL, socket_address((address, port)))
        try:
            return self.host.tcp.listen(
                None if anywhere else address, port, backlog=backlog, sharing=sharing
            )
        except SocketError as error:
            raise bind_error(error.errno, socket_address((address, port))) from error

    # UDP and ICMP

    async def create_datagram_endpoint(  # type: ignore[override]  # the overloads of typeshed
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        *,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        reuse_port: bool | None = None,
        allow_broadcast: bool | None = None,
        sock: socket.socket | None = None,
    ) -> tuple[DatagramTransport, asyncio.BaseProtocol]:
        if sock is None:
            sharing = Sharing.PORT if reuse_port else Sharing.NOTHING
            udp_socket = open_datagram_socket(self, local_addr, remote_addr, family, sharing)
        else:
            if local_addr or remote_addr or family or proto or flags or allow_broadcast:
                raise ValueError(
                    "socket modifier keyword arguments can not be used when sock is specified"
                )
            udp_socket = datagrams_of(sock).open()
        try:
            protocol = protocol_factory()
        except BaseException:
            udp_socket.close()
            raise
        waiter = self.create_future()
        transport = DatagramTransport(self, udp_socket, protocol, waiter, sock)
        if allow_broadcast:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            await waiter
        except BaseException:
            transport.close()
            raise
        return transport, protocol

    def open_echo(self, clock: Callable[[], int] | None = None) -> EchoEndpoint:
        """An endpoint for pings, which takes the times of arrivals from `clock`."""
        try:
            return EchoEndpoint(self, self.host.icmp.open_echo(), clock)
        except SocketError:
            raise OSError(errno.EAGAIN, "every echo identifier is in use") from None

    def open_probe(self, source: IpAddress | None = None) -> ProbeEndpoint:
        """An endpoint for traceroute, at one address of this computer or at all."""
        return ProbeEndpoint(self, self.host.udp.bind(source, 0))

    def open_syn_probe(self) -> SynEndpoint:
        """An endpoint for `traceroute -T`."""
        return SynEndpoint(self, self.host.tcp.open_probe())


def _is_of_the_stack(value: Any) -> bool:
    return type(value).__module__.startswith("netsim.stack.")
