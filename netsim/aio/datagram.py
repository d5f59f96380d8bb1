"""A UDP socket as an asyncio transport."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket
from asyncio import transports
from asyncio.trsock import TransportSocket
from typing import Any

from netsim.aio.given_sockets import datagrams_of
from netsim.aio.host_loop import HostLoop
from netsim.sockets import os_errors
from netsim.sockets.hosts_table import socket_address
from netsim.sockets.socket_facade import SocketFacade
from netsim.stack.port_sharing import Sharing
from netsim.stack.socket_errors import SocketError
from netsim.stack.udp_layer import UdpSocket
from netsim.wire.address import UNSPECIFIED, IpAddress, is_multicast_ip, parse_ip


def open_datagram_socket(
    loop: HostLoop,
    local_addr: tuple[str, int] | None,
    remote_addr: tuple[str, int] | None,
    family: int,
    sharing: Sharing,
) -> UdpSocket:
    """Bind and connect as `create_datagram_endpoint` is told; OSError as of the system calls."""
    if local_addr is None and remote_addr is None and family == socket.AF_UNSPEC:
        raise ValueError("unexpected address family")
    if family not in (socket.AF_UNSPEC, socket.AF_INET):
        raise os_errors.system_error(errno.EAFNOSUPPORT)

    def endpoint(given: tuple[str, int], flags: int) -> tuple[IpAddress, int]:
        if not (isinstance(given, tuple) and len(given) == 2):
            raise TypeError("2-tuple is expected")
        found = loop.hosts_table.getaddrinfo(*given, family, socket.SOCK_DGRAM, 0, flags)
        text, port = found[0][4]
        return parse_ip(text), port

    address: IpAddress | None = None
    port = 0
    if local_addr is not None:
        bound, port = endpoint(local_addr, socket.AI_PASSIVE)
        address = bound if bound != UNSPECIFIED else None
    remote = None if remote_addr is None else endpoint(remote_addr, 0)
    try:
        if remote is not None and address is None:
            address = loop.host.ip.source_for(remote[0])
        udp_socket = loop.host.udp.bind(address, port, sharing)
    except SocketError as error:
        raise os_errors.of_stack(error) from error
    if remote is not None:
        udp_socket.connect(remote)
    return udp_socket


class DatagramTransport(transports._FlowControlMixin, asyncio.DatagramTransport):
    """Between one UDP socket and one protocol. `waiter` is done when the protocol knows of it.

    The base class has the water marks of asyncio's own transports, which are never reached.
    """

    _protocol: Any

    def __init__(
        self,
        loop: HostLoop,
        udp_socket: UdpSocket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None],
        sock: socket.socket | None = None,
    ) -> None:
        facade = SocketFacade(socket.SOCK_DGRAM, udp_socket.local, udp_socket.remote)
        self._given = None if sock is None else datagrams_of(sock)
        self._spell = socket_address if self._given is None else self._given.spell
        shown = facade if sock is None else TransportSocket(sock)
        extra: dict[str, Any] = {"socket": shown, "sockname": self._spell(udp_socket.local)}
        if udp_socket.remote is not None:
            extra["peername"] = self._spell(udp_socket.remote)
        super().__init__(extra, loop)
        self._host_loop = loop
        self._sock = sock
        """The program's own, if there is one; it is closed at the end."""
        self._socket = udp_socket
        self._protocol = protocol
        self._context = contextvars.copy_context()
        self._closing = False
        loop.call_soon(protocol.connection_made, self, context=self._context)
        loop.call_soon(self._start, waiter, context=self._context)

    def _start(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)
        if not self._closing:
            self._host_loop.own(self._socket, self)
            self._host_loop.host.ready[self._socket] = None

    def socket_ready(self) -> None:
        """Datagrams or errors have arrived."""
        try:
            self._context.run(self._receive)
        finally:
            # A protocol that fails loses one datagram, not those that came with it.
            if (self._socket.inbox or self._socket.errors) and not self._closing:
                self._host_loop.host.ready[self._socket] = None

    def _receive(self) -> None:
        while not self._closing and self._socket.errors:
            error = os_errors.of_icmp(self._socket.errors.popleft().message)
            # As on Linux, only a connected socket hears of ICMP errors.
            if error is not None and self._socket.remote is not None:
                self._protocol.error_received(error)
        while not self._closing and (datagram := self._socket.receive()) is not None:
            self._protocol.datagram_received(datagram.payload, self._spell(datagram.source))

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send one datagram; a send that fails is told to `error_received`."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                f"data argument must be a bytes-like object, not {type(data).__name__!r}"
            )
        peer = self.get_extra_info("peername")
        if peer is not None and addr not in (None, peer):
            raise ValueError(f"Invalid address: must be None or {peer}")
        if self._closing:
            return
        try:
            self._send(bytes(data), addr)
        except SocketError as error:
            self._protocol.error_received(os_errors.of_stack(error))
        except OSError as error:
            self._protocol.error_received(error)

    def _send(self, data: bytes, addr: Any) -> None:
        if addr is None and self._socket.remote is None:
            raise os_errors.system_error(errno.EDESTADDRREQ)
        destination = None
        if addr is not None:
            if self._given is None:
                destination = (self._host_loop.hosts_table.resolve(addr[0]), int(addr[1]))
            else:
                destination = self._given.place(addr)
            if is_multicast_ip(destination[0]):
                raise os_errors.system_error(errno.ENETUNREACH)
            if self._host_loop.host.ip.is_broadcast(destination[0]) and not self._may_broadcast():
                raise os_errors.system_error(errno.EACCES)
        self._socket.send(data, destination, self._host_loop.network_now())

    def _may_broadcast(self) -> bool:
        facade = self.get_extra_info("socket")
        return bool(facade.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST))

    def get_write_buffer_size(self) -> int:
        """0: datagrams leave at once."""
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called."""
        return self._closing

    def close(self) -> None:
        """Give the port back."""
        if not self._closing:
            self._closing = True
            self._host_loop.disown(self._socket)
            self._socket.close()
            self._host_loop.call_soon(self._call_connection_lost, context=self._context)

    def abort(self) -> None:
        self.close()

    def _call_connection_lost(self) -> None:
        try:
            self._protocol.connection_lost(None)
        finally:
            if self._sock is not None:
                self._sock.close()
                self._sock = None
