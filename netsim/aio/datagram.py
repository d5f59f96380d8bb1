"""A UDP socket as an asyncio transport."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
from typing import TYPE_CHECKING, Any

from netsim.aio.errors import errno_of_icmp
from netsim.aio.names import socket_address
from netsim.aio.socket_facade import SocketFacade
from netsim.stack.errors import SocketError
from netsim.stack.udp import UdpSocket
from netsim.wire.address import parse_ip

if TYPE_CHECKING:
    from netsim.aio.loop import HostLoopMixin


class DatagramTransport(asyncio.DatagramTransport):
    """Between one UDP socket and one protocol."""

    def __init__(
        self, loop: HostLoopMixin, udp_socket: UdpSocket, protocol: asyncio.DatagramProtocol
    ) -> None:
        facade = SocketFacade(socket.SOCK_DGRAM, udp_socket.local, udp_socket.remote)
        extra: dict[str, Any] = {"socket": facade, "sockname": facade.getsockname()}
        if udp_socket.remote is not None:
            extra["peername"] = facade.getpeername()
        super().__init__(extra)
        self._loop = loop
        self._socket = udp_socket
        self._protocol = protocol
        self._context = contextvars.copy_context()
        self._closing = False
        loop.own(udp_socket, self)

    def socket_ready(self) -> None:
        """Datagrams or errors have arrived."""
        while not self._closing and (datagram := self._socket.receive()) is not None:
            self._context.run(
                self._protocol.datagram_received,
                datagram.payload,
                socket_address(datagram.source),
            )
        while not self._closing and self._socket.errors:
            error = self._socket.errors.popleft()
            code = errno_of_icmp(error.message)
            # As on Linux, only a connected socket hears of ICMP errors.
            if code is not None and self._socket.remote is not None:
                self._context.run(self._protocol.error_received, OSError(code, os.strerror(code)))

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send one datagram; a send that fails is told to `error_received`."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be a bytes-like object, not {type(data).__name__}")
        if self._socket.remote is not None and addr not in (None, self.get_extra_info("peername")):
            raise ValueError(f"Invalid address: must be None or {self.get_extra_info('peername')}")
        if self._closing:
            return
        destination = None if addr is None else (parse_ip(addr[0]), int(addr[1]))
        try:
            self._socket.send(bytes(data), destination, self._loop.network_now())
        except SocketError as error:
            self._protocol.error_received(OSError(error.errno, str(error)))

    def get_write_buffer_size(self) -> int:
        """0: datagrams leave at once."""
        return 0

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called."""
        return self._closing

    def close(self) -> None:
        """Give the port back."""
        if not self._closing:
            self._closing = True
            self._loop.disown(self._socket)
            self._socket.close()
            self._loop.call_soon(self._protocol.connection_lost, None, context=self._context)

    def abort(self) -> None:
        """As `close`."""
        self.close()
