"""A TCP socket as the kernel keeps it: bound, listening, connecting, connected, at its end."""

from __future__ import annotations

import errno
import select
import socket
from typing import Any, Final

from netsim.sockets.endpoint import Endpoint, Name, Received, would_block
from netsim.sockets.hosts_table import socket_address
from netsim.sockets.machine import Machine
from netsim.sockets.os_errors import of_stack, system_error
from netsim.sockets.socket_facade import (
    UNSET_SEGMENT,
    ConnectionFacade,
    ListenerFacade,
    SocketFacade,
)
from netsim.stack.socket_errors import SocketError
from netsim.stack.tcp.bound_ports import BoundPort
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.address import LIMITED_BROADCAST, UNSPECIFIED, is_multicast_ip

_MAXIMUM_SEGMENT: Final = (socket.IPPROTO_TCP, socket.TCP_MAXSEG)
_BLOCKING_READ: Final = select.POLLIN | select.POLLRDHUP


class StreamEndpoint(Endpoint):
    """TCP."""

    connection: TcpSocket | None = None
    listener: Listener | None = None
    _bound: BoundPort | None = None

    def __init__(self, machine: Machine, connection: TcpSocket | None = None) -> None:
        super().__init__(machine, socket.SOCK_STREAM)
        self.options = SocketFacade(socket.SOCK_STREAM, (None, 0))
        self._is_connecting = False
        """Nobody was told yet how it went."""
        self._is_told = False
        """Somebody was told of the error that ended the connection."""
        self._is_full = False
        """The send buffer took less than it was given."""
        self._refusals = 0
        """How often it did."""
        self._reads_no_more = False
        self._writes_no_more = False
        if connection is not None:
            self._adopt(connection)
            # The kernel has Nagle's algorithm on, but for asyncio's own transports.
            connection.no_delay = False

    # Beginnings

    def bind(self, address: Any) -> None:
        """OSError as of bind(2): EINVAL, EADDRINUSE, EADDRNOTAVAIL."""
        self._alive()
        ip, port = self.place(address, is_local=True)
        if self._bound or self.connection or self.listener:
            raise system_error(errno.EINVAL)
        host = self.machine.host
        if ip != UNSPECIFIED and not host.ip.is_local(ip):
            raise system_error(errno.EADDRNOTAVAIL)
        try:
            self._bound = host.tcp.bind(None if ip == UNSPECIFIED else ip, port, self.sharing())
        except SocketError as error:
            raise of_stack(error) from error

    def listen(self, backlog: int) -> None:
        """OSError as of listen(2): EINVAL, EADDRINUSE."""
        options = self._alive()
        if self.connection is not None:
            raise system_error(errno.EINVAL)
        if self.listener is not None:
            self.listener.backlog = backlog
            return
        local = (None, 0) if self._bound is None else self._bound.local
        try:
            listener = self.machine.host.tcp.listen(
                *local, backlog=max(backlog, 0), sharing=self.sharing()
            )
        except SocketError as error:
            raise of_stack(error) from error
        self.listener = listener
        self.options = ListenerFacade(listener)
        options.hand_down(self.options)
        self.machine.own(listener, self)

    def accept(self) -> tuple[StreamEndpoint, Name]:
        """A connection, and its peer; BlockingIOError while there is none. OSError EINVAL unless it
        listens."""
        self._alive()
        if self.listener is None:
            raise system_error(errno.EINVAL)
        connection = self.listener.accept()
        if connection is None:
            raise would_block()
        self.operations += 1
        accepted = StreamEndpoint(self.machine, connection)
        self._alive().hand_down(accepted._alive())
        return accepted, socket_address(connection.remote)

    def connect(self, address: Any) -> None:
        """Begin, or tell how it went: as connect(2) on a socket that does not block."""
        options = self._alive()
        if self.connection is None:
            self._begin(self.place(address), options)
            raise system_error(errno.EINPROGRESS)
        if not self._is_connecting:
            raise system_error(errno.EISCONN)
        if not (self.connection.connected or self.connection.closed):
            raise system_error(errno.EALREADY)
        self._is_connecting = False
        if not self.connection.connected:
            error = self.take_error() or errno.ECONNABORTED
            self._disconnect()
            raise system_error(error)

    def _begin(self, remote: tuple[bytes, int], options: SocketFacade) -> None:
        if self.listener is not None:
            raise system_error(errno.EISCONN)
        if is_multicast_ip(remote[0]) or remote[0] == LIMITED_BROADCAST:
            raise system_error(errno.ENETUNREACH)
        segment = options.getsockopt(*_MAXIMUM_SEGMENT)
        machine = self.machine
        try:
            connection = machine.host.tcp.connect(
                remote,
                machine.network_now(),
                local=(None, 0) if self._bound is None else self._bound.local,
                user_mss=0 if segment in (0, UNSET_SEGMENT) else segment,
            )
        except SocketError as error:
            # What is in use is the pair; a port that is bound is the program's own.
            in_use = error.errno == errno.EADDRINUSE
            raise system_error(errno.EADDRNOTAVAIL if in_use else error.errno) from error
        self._is_connecting = True
        self._adopt(connection)
        options.hand_down(self._alive())

    def adopt(self, connection: TcpSocket) -> None:
        """From now on it stands for a connection that somebody else has opened."""
        options = self._alive()
        self._adopt(connection)
        options.hand_down(self._alive())

    def _adopt(self, connection: TcpSocket) -> None:
        self.connection = connection
        self.options = ConnectionFacade(connection, self.machine.network_now)
        self._is_told = self._is_full = False
        self.machine.own(connection, self)

    def _disconnect(self) -> None:
        """A socket that could not be connected may try again (tcp_disconnect)."""
        connection, self.connection = self.connection, None
        options = self._alive()
        if connection is not None:
            self.machine.disown(connection)
        self.options = SocketFacade(socket.SOCK_STREAM, (None, 0))
        options.hand_down(self.options)

    # Data

    def receive(self, size: int, flags: int) -> Received:
        """Data in order, nothing at the end; then the error that ended it, once."""
        self._alive()
        self.operations += 1
        connection = self.connection
        if flags & socket.MSG_OOB:
            raise system_error(errno.EINVAL)
        if connection is None or self.listener is not None:
            raise system_error(errno.ENOTCONN)
        wanted = size if flags & socket.MSG_WAITALL and not self._is_over(connection) else 1
        if connection.readable_bytes >= max(min(wanted, size), 1):
            if flags & socket.MSG_PEEK:
                return connection.peek(size), None
            return connection.receive(size), None
        if connection.error is not None and not self._is_told:
            self._is_told = True
            raise system_error(connection.error)
        if self._is_over(connection):
            return b"", None
        raise would_block()

    def _is_over(self, connection: TcpSocket) -> bool:
        """Nothing more will come, or nobody wants it."""
        return (
            self._reads_no_more
            or connection.closed
            or (connection.receiver.fin_received and connection.connected)
        )

    def send(self, data: Any, flags: int, address: Any = None) -> int:
        """As much as the send buffer takes; BlockingIOError where that is nothing."""
        self._alive()
        self.operations += 1
        connection = self.connection
        if flags & socket.MSG_OOB:
            raise OSError(
                errno.EOPNOTSUPP, "the simulated network has no urgent data: send without MSG_OOB"
            )
        if connection is None or self.listener is not None:
            raise system_error(errno.EPIPE)
        if connection.error is not None and not self._is_told:
            self._is_told = True
            raise system_error(connection.error)
        if connection.closed or self._writes_no_more:
            raise system_error(errno.EPIPE)
        if not connection.connected:
            raise would_block()
        with memoryview(data) as whole, whole.cast("B") as view:
            if not len(view):
                return 0
            if self._is_full and not connection.makes_room():
                raise would_block()
            room = len(view) if connection.takes(len(view)) else connection.send_room
            self._is_full = room < len(view)
            self._refusals += self._is_full
            if room <= 0:
                raise would_block()
            connection.send(bytes(view[:room]))
            return min(room, len(view))

    def shutdown(self, how: int) -> None:
        """OSError ENOTCONN unless there is a connection; a listener listens no more."""
        self._alive()
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise system_error(errno.EINVAL)
        if self.listener is not None:
            if how != socket.SHUT_WR:
                self._end_listening()
            return
        connection = self.connection
        if connection is None or connection.closed:
            raise system_error(errno.ENOTCONN)
        if not connection.connected:
            connection.close()
            self._disconnect()
            return
        if how != socket.SHUT_WR:
            self._reads_no_more = True
        if how != socket.SHUT_RD:
            self._writes_no_more = True
            connection.shutdown()
        self.queue.wake()

    # Truth

    def events(self) -> int:
        """As tcp_poll()."""
        if self.listener is not None:
            return select.POLLIN if self.listener.waiting else 0
        connection = self.connection
        if connection is None:
            return select.POLLOUT | select.POLLHUP
        if not (connection.connected or connection.closed):
            return 0
        events = 0
        if self._is_over(connection):
            events |= _BLOCKING_READ
        elif connection.readable_bytes:
            events |= select.POLLIN
        if connection.closed or self._writes_no_more or connection.makes_room():
            events |= select.POLLOUT
        if connection.closed or (
            self._writes_no_more and (self._reads_no_more or connection.receiver.fin_received)
        ):
            events |= select.POLLHUP
        if connection.error is not None and not self._is_told:
            events |= select.POLLERR
        return events

    def readable_bytes(self) -> int:
        """OSError EINVAL for a listener."""
        if self.listener is not None:
            raise system_error(errno.EINVAL)
        return 0 if self.connection is None else self.connection.readable_bytes

    def news(self) -> object:
        """Data came, there is room again, or an end: what merely acknowledges is none."""
        connection = self.connection
        if connection is None:
            return super().news()
        return connection.receiver.nxt, self._refusals, self.events()

    def take_error(self) -> int | None:
        connection = self.connection
        if connection is None or self._is_told:
            return None
        if connection.error is not None:
            self._is_told = True
        return connection.error

    def getsockname(self) -> Name:
        self._alive()
        if self.connection is not None:
            return socket_address(self.connection.local)
        if self.listener is not None:
            return socket_address(self.listener.local)
        return socket_address((None, 0) if self._bound is None else self._bound.local)

    def getpeername(self) -> Name:
        """OSError ENOTCONN before there is a connection, and after its end."""
        self._alive()
        connection = self.connection
        if connection is None or not connection.connected or connection.closed:
            raise system_error(errno.ENOTCONN)
        return socket_address(connection.remote)

    # The end

    def close(self) -> None:
        """A FIN follows what was sent, or a RST where something was not read or SO_LINGER is 0."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.connection is not None:
            self.machine.disown(self.connection)
            self.connection.close()
        if self.listener is not None:
            self._end_listening()
        self._give_port_back()
        self.queue.wake()

    def _end_listening(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            self.machine.disown(listener)
            listener.close(self.machine.network_now())
            options, self.options = self.options, SocketFacade(socket.SOCK_STREAM, (None, 0))
            if options is not None:
                options.hand_down(self.options)
            self.queue.wake()

    def _give_port_back(self) -> None:
        bound, self._bound = self._bound, None
        if bound is not None:
            self.machine.host.tcp.unbind(bound)

    def forget_stack(self) -> None:
        """Nothing is told to anybody."""
        self.connection = self.listener = self._bound = self.options = None
