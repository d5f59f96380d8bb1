"""A UDP socket as the kernel keeps it."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterable
from typing import Any, Final

from netsim.sockets import packet_info
from netsim.sockets.endpoint import Endpoint, Message, Name, Received, would_block
from netsim.sockets.machine import Machine
from netsim.sockets.os_errors import of_icmp, of_stack, system_error
from netsim.sockets.socket_facade import SocketFacade
from netsim.stack.ip_layer import DEFAULT_TTL
from netsim.stack.socket_errors import SocketError
from netsim.stack.udp_layer import Datagram, UdpSocket
from netsim.wire.address import UNSPECIFIED, IpAddress, is_multicast_ip

_BROADCAST: Final = (socket.SOL_SOCKET, socket.SO_BROADCAST)
_TTL: Final = (socket.IPPROTO_IP, socket.IP_TTL)


class DatagramEndpoint(Endpoint):
    """UDP. It has a port from the first `bind`, `connect` or send on."""

    udp: UdpSocket | None = None
    _tells_destination: tuple[int, int] | None = None
    """In which kind of ancillary data, where it was asked for."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, socket.SOCK_DGRAM)
        self.options = SocketFacade(socket.SOCK_DGRAM, (None, 0))
        self._reads_no_more = False
        self._writes_no_more = False

    def bind(self, address: Any) -> None:
        """OSError as of bind(2): EINVAL, EADDRINUSE, EADDRNOTAVAIL."""
        self._alive()
        ip, port = self.place(address, is_local=True)
        if self.udp is not None:
            raise system_error(errno.EINVAL)
        self._open(None if ip == UNSPECIFIED else ip, port)

    def connect(self, address: Any) -> None:
        """Fix the peer, and the address that it is sent to from; OSError ENETUNREACH, EACCES."""
        self._alive()
        remote = self.place(address)
        source = self._source_for(remote[0])
        udp = self.udp or self._open(source, 0)
        udp.connect(remote)

    def _source_for(self, ip: IpAddress) -> IpAddress:
        self._check(ip)
        try:
            return self.machine.host.ip.source_for(ip)
        except SocketError as error:
            raise of_stack(error) from error

    def _check(self, ip: IpAddress) -> None:
        if is_multicast_ip(ip):
            raise system_error(errno.ENETUNREACH)
        if self.machine.host.ip.is_broadcast(ip) and not self._alive().getsockopt(*_BROADCAST):
            raise system_error(errno.EACCES)

    def open(self) -> UdpSocket:
        """What stands behind it, with a port of its own from now on."""
        return self.udp or self._open(None, 0)

    def _open(self, address: IpAddress | None, port: int) -> UdpSocket:
        try:
            udp = self.machine.host.udp.bind(address, port, self.sharing())
        except SocketError as error:
            raise of_stack(error) from error
        self.udp = udp
        self.machine.own(udp, self)
        return udp

    def receive(self, size: int, flags: int) -> Received:
        """The oldest datagram, cut to `size`; an ICMP error first, where there is a peer."""
        message = self.receive_message(size, flags)
        return message.data, message.source

    def receive_message(self, size: int, flags: int) -> Message:
        self._alive()
        self.operations += 1
        udp = self.udp
        if udp is not None:
            if (told := self.take_error()) is not None:
                raise system_error(told)
            if udp.inbox:
                datagram = udp.inbox[0] if flags & socket.MSG_PEEK else udp.receive()
                assert datagram is not None
                return self._message(datagram, size)
        if self._reads_no_more:
            return Message(b"")
        raise would_block()

    def _message(self, datagram: Datagram, size: int) -> Message:
        sent = len(datagram.payload)
        flags = socket.MSG_TRUNC if sent > size else 0
        ancillary: tuple[packet_info.Ancillary, ...] = ()
        if (kind := self._tells_destination) is not None:
            source, destination = datagram.source[0], datagram.destination
            host = self.machine.host
            ancillary = (packet_info.of_received(kind, host, source, destination),)
        name = self.spell(datagram.source)
        return Message(datagram.payload[:size], name, flags, ancillary, sent)

    def send(self, data: Any, flags: int, address: Any = None) -> int:
        """One datagram: OSError EDESTADDRREQ, EMSGSIZE, ENETUNREACH, EACCES, or what ICMP said of
        one before, where there is a peer."""
        return self.send_message(data, (), flags, address)

    def send_message(
        self, data: Any, ancillary: Iterable[Any], flags: int, address: Any = None
    ) -> int:
        """Ancillary data may say from where: OSError ENETUNREACH, ENODEV, EINVAL."""
        self._alive()
        self.operations += 1
        if self._writes_no_more:
            raise system_error(errno.EPIPE)
        if address is None and (self.udp is None or self.udp.remote is None):
            raise system_error(errno.EDESTADDRREQ)
        destination = None if address is None else self.place(address)
        if destination is not None:
            self._check(destination[0])
            if destination[1] == 0:
                raise system_error(errno.EINVAL)
        source, through = packet_info.of_sent(ancillary, self.machine.host)
        udp = self.open()
        if (told := self.take_error()) is not None:
            raise system_error(told)
        with memoryview(data) as view:
            payload = view.tobytes()
        ttl = self._alive().getsockopt(*_TTL) or DEFAULT_TTL
        try:
            now = self.machine.network_now()
            udp.send(payload, destination, now, ttl=ttl, through=through, source=source)
        except SocketError as error:
            raise of_stack(error) from error
        return len(payload)

    def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
        super().setsockopt(level, option, value, *rest)
        if (level, option) == packet_info.IPV4:
            wanted = self._alive().getsockopt(level, option)
            self._tells_destination = packet_info.IPV4 if wanted else None

    def shutdown(self, how: int) -> None:
        """OSError ENOTCONN without a peer, and yet it is done (inet_shutdown)."""
        self._alive()
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise system_error(errno.EINVAL)
        self._reads_no_more |= how != socket.SHUT_WR
        self._writes_no_more |= how != socket.SHUT_RD
        self.queue.wake()
        if self.udp is None or self.udp.remote is None:
            raise system_error(errno.ENOTCONN)

    def events(self) -> int:
        """As udp_poll()."""
        events = select.POLLOUT
        udp = self.udp
        if self._reads_no_more:
            events |= select.POLLIN | select.POLLRDHUP
            if self._writes_no_more:
                events |= select.POLLHUP
        if udp is not None:
            if udp.inbox:
                events |= select.POLLIN
            if self._pending() is not None:
                events |= select.POLLERR
        return events

    def readable_bytes(self) -> int:
        return len(self.udp.inbox[0].payload) if self.udp is not None and self.udp.inbox else 0

    def take_error(self) -> int | None:
        error = self._pending()
        if error is not None and self.udp is not None:
            self.udp.errors.clear()  # a kernel keeps one (sk_err)
        return error

    def _pending(self) -> int | None:
        """As on Linux, only a connected socket hears of ICMP errors."""
        udp = self.udp
        while udp is not None and udp.errors:
            error = of_icmp(udp.errors[0].message) if udp.remote is not None else None
            if error is not None:
                return error.errno
            udp.errors.popleft()
        return None

    def getsockname(self) -> Name:
        self._alive()
        udp = self.udp
        if udp is None:
            return self.spell((None, 0))
        address, port = udp.local
        if address is None and udp.remote is not None:
            try:
                address = self.machine.host.ip.source_for(udp.remote[0])
            except SocketError:
                address = None
        return self.spell((address, port))

    def getpeername(self) -> Name:
        self._alive()
        if self.udp is None or self.udp.remote is None:
            raise system_error(errno.ENOTCONN)
        return self.spell(self.udp.remote)

    def close(self) -> None:
        """Give the port back."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.udp is not None:
            self.machine.disown(self.udp)
            self.udp.close()
        self.queue.wake()

    def forget_stack(self) -> None:
        """Nothing is told to anybody."""
        self.udp = self.options = None
