"""UDP of a host (RFC 768, RFC 1122 4.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, NamedTuple

from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.icmp_layer import Icmp
from netsim.stack.interface import Interface
from netsim.stack.ip_layer import DEFAULT_TTL, Ip
from netsim.stack.port_sharing import Sharing, overlap, share_of
from netsim.stack.recently_closed import RecentlyClosed
from netsim.stack.socket_errors import (
    AddressInUseError,
    AddressNotAvailableError,
    MessageTooLongError,
    NotConnectedError,
)
from netsim.wire import icmp, ipv4, udp
from netsim.wire.address import IpAddress
from netsim.wire.checksum import pseudo_header_sum

EPHEMERAL_PORTS: Final = range(32768, 61000)
"""The Linux default of ip_local_port_range."""
RECEIVE_BUFFER: Final = 212_992
"""Bytes that wait to be read (Linux: rmem_default); what comes beyond is dropped."""
DATAGRAM_OVERHEAD: Final = 256
"""Bytes that each datagram takes of the buffer beside its payload, so that empty ones fill it."""
MAX_PAYLOAD: Final = ipv4.MAX_PACKET - ipv4.HEADER_LENGTH - udp.HEADER_LENGTH


class Datagram(NamedTuple):
    """A received datagram."""

    payload: bytes
    source: tuple[IpAddress, int]
    destination: IpAddress
    now: int


class UdpError(NamedTuple):
    """An ICMP error about a datagram we sent; `reporter` is None when we found out ourselves."""

    reporter: IpAddress | None
    message: icmp.IcmpMessage
    destination: tuple[IpAddress, int]
    now: int


class UdpSocket:
    """One bound socket. `inbox` and `errors` fill as packets come; reading is popping."""

    def __init__(self, owner: Udp, local: tuple[IpAddress | None, int], sharing: Sharing) -> None:
        self._owner = owner
        self.local = local
        self.sharing = sharing
        self.remote: tuple[IpAddress, int] | None = None
        self.inbox: deque[Datagram] = deque()
        self.errors: deque[UdpError] = deque(maxlen=64)
        self.queued_bytes = 0
        self.last_sent: int | None = None
        """Network time in ns."""
        self.discovery = PathMtuDiscovery.WANT
        """What is done about datagrams larger than the path (Linux: IP_MTU_DISCOVER)."""

    def connect(self, remote: tuple[IpAddress, int]) -> None:
        """Fix the peer: others' datagrams are not received any more."""
        self.remote = remote

    def send(
        self,
        payload: bytes,
        destination: tuple[IpAddress, int] | None,
        now: int,
        *,
        ttl: int = DEFAULT_TTL,
        through: Interface | None = None,
        source: IpAddress | None = None,
    ) -> None:
        """Send one datagram, to the connected peer where no destination is given.

        `through` is the only interface that it may leave by, `source` an address of this host.
        """
        target = destination or self.remote
        if target is None:
            raise NotConnectedError("a datagram needs a destination: the socket has no peer")
        self._owner.send(self, payload, target, now, ttl=ttl, through=through, source=source)

    def receive(self) -> Datagram | None:
        """The oldest datagram that waits; None when there is none."""
        if not self.inbox:
            return None
        datagram = self.inbox.popleft()
        self.queued_bytes -= _cost(datagram.payload)
        return datagram

    def close(self) -> None:
        """Give the port back."""
        self._owner.close(self)


class Udp:
    """The UDP layer of one host."""

    def __init__(
        self,
        ip: Ip,
        icmp_layer: Icmp,
        random: Random,
        ready: dict[Any, None],
        count: Callable[[str], None],
    ) -> None:
        self._ip = ip
        self._icmp = icmp_layer
        self._random = random
        self._ready = ready
        self._count = count
        self._sockets: dict[tuple[IpAddress | None, int], list[UdpSocket]] = {}
        """In the order in which they were bound; several where they share a port."""
        self._recently_closed = RecentlyClosed()

    def sockets(self) -> list[UdpSocket]:
        """Every open socket, oldest first where they do not share a port."""
        return [socket for sockets in self._sockets.values() for socket in sockets]

    def bind(
        self, address: IpAddress | None, port: int, sharing: Sharing = Sharing.NOTHING
    ) -> UdpSocket:
        """Open a socket on one address, or on all with None; port 0 takes a free one.

        AddressInUseError where somebody has the port with whom it is not shared.
        """
        if address is not None and not self._ip.is_local(address):
            raise AddressNotAvailableError("that address does not belong to this host")
        if port == 0:
            port = self._free_port(address)
        elif self._is_taken(address, port, sharing):
            raise AddressInUseError(f"UDP port {port} is in use")
        socket = UdpSocket(self, (address, port), sharing)
        self._sockets.setdefault(socket.local, []).append(socket)
        return socket

    def close(self, socket: UdpSocket) -> None:
        """Forget a socket."""
        sockets = self._sockets.get(socket.local, [])
        if socket in sockets:
            sockets.remove(socket)
            if not sockets:
                del self._sockets[socket.local]
            self._recently_closed.note(socket.local, socket.last_sent)
        self._ready.pop(socket, None)

    def send(
        self,
        socket: UdpSocket,
        payload: bytes,
        destination: tuple[IpAddress, int],
        now: int,
        *,
        ttl: int,
        through: Interface | None = None,
        source: IpAddress | None = None,
    ) -> None:
        """Build and send one datagram; SocketError where IP cannot."""
        address, port = destination
        if len(payload) > MAX_PAYLOAD:
            raise MessageTooLongError(f"a datagram carries at most {MAX_PAYLOAD} bytes")
        source = source or socket.local[0] or self._ip.source_for(address)
        pseudo_sum = pseudo_header_sum(source, address, ipv4.PROTOCOL_UDP)
        data = udp.pack(socket.local[1], port, payload, pseudo_sum)
        socket.last_sent = now
        self._ip.send(
            *(ipv4.PROTOCOL_UDP, source, address, data, now),
            ttl=ttl,
            discovery=socket.discovery,
            through=through,
        )

    def receive(self, header: ipv4.Ipv4Header, payload: bytes, now: int) -> None:
        """Hand a datagram to its socket, or answer "port unreachable"; a broadcast is for all that
        have the port."""
        pseudo_sum = pseudo_header_sum(header.source, header.destination, ipv4.PROTOCOL_UDP)
        datagram = udp.parse(payload, pseudo_sum)
        source = (header.source, datagram.source_port)
        local = (header.destination, datagram.destination_port)
        socket = self._find(local, source)
        if socket is None:
            self._count("udp-no-port")
            packet = header.pack() + payload
            self._icmp.send_error(icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE, packet, now)
            return
        received = Datagram(datagram.payload, source, header.destination, now)
        if self._ip.is_broadcast(header.destination):
            for each in self._all(local, source):
                self._queue(each, received)
        else:
            self._queue(socket, received)

    def _queue(self, socket: UdpSocket, datagram: Datagram) -> None:
        cost = _cost(datagram.payload)
        if socket.queued_bytes + cost > RECEIVE_BUFFER:
            self._count("udp-receive-buffer")
            return
        socket.queued_bytes += cost
        socket.inbox.append(datagram)
        self._ready[socket] = None

    def receive_error(
        self,
        quoted: ipv4.Ipv4Header,
        head: bytes,
        error: icmp.IcmpMessage,
        reporter: IpAddress | None,
        now: int,
    ) -> bool:
        """Queue an ICMP error on the socket that sent the datagram."""
        source_port = int.from_bytes(head[:2], "big")
        destination = (quoted.destination, int.from_bytes(head[2:4], "big"))
        socket = self._find((quoted.source, source_port), destination)
        if socket is None:
            closed = self._recently_closed
            if not any(
                closed.awaited((address, source_port), now) for address in (quoted.source, None)
            ):
                self._count("icmp-error-not-ours")
            return False
        if len(socket.errors) == socket.errors.maxlen:
            self._count("udp-error-queue")  # the oldest goes
        socket.errors.append(UdpError(reporter, error, destination, now))
        self._ready[socket] = None
        return True

    def _find(
        self, local: tuple[IpAddress, int], remote: tuple[IpAddress, int]
    ) -> UdpSocket | None:
        """Who hears of a datagram (udp4_lib_lookup): who is connected to the peer before who is
        not, who has the address before who has all, and who was bound last; but those with
        SO_REUSEPORT each have their share of the peers."""
        unconnected: UdpSocket | None = None
        for place in (local, (None, local[1])):
            for socket in reversed(self._sockets.get(place, ())):
                if socket.remote == remote:
                    return socket
                if socket.remote is None and unconnected is None:
                    unconnected = socket
        if unconnected is None or not unconnected.sharing & Sharing.PORT:
            return unconnected
        group = [
            socket
            for socket in self._sockets[unconnected.local]
            if socket.remote is None and socket.sharing & Sharing.PORT
        ]
        return share_of(group, local, remote)

    def _all(
        self, local: tuple[IpAddress, int], remote: tuple[IpAddress, int]
    ) -> Iterator[UdpSocket]:
        """Who hears of a broadcast (__udp4_lib_mcast_deliver)."""
        for place in (local, (None, local[1])):
            for socket in self._sockets.get(place, ()):
                if socket.remote in (None, remote):
                    yield socket

    def _is_taken(
        self, address: IpAddress | None, port: int, sharing: Sharing = Sharing.NOTHING
    ) -> bool:
        return any(
            overlap(place, (address, port))
            and not all(sharing.goes_with(socket.sharing) for socket in sockets)
            for place, sockets in self._sockets.items()
        )

    def _free_port(self, address: IpAddress | None) -> int:
        """RFC 6056 3.3.1: start at a random port, take the next that is free."""
        start = self._random.randrange(len(EPHEMERAL_PORTS))
        for step in range(len(EPHEMERAL_PORTS)):
            port = EPHEMERAL_PORTS[(start + step) % len(EPHEMERAL_PORTS)]
            if not self._is_taken(address, port):
                return port
        raise AddressNotAvailableError("every ephemeral UDP port is in use")


def _cost(payload: bytes) -> int:
    return len(payload) + DATAGRAM_OVERHEAD
