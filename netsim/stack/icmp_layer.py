"""ICMP of a host (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3): echo, and errors both ways."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.interface import Interface
from netsim.stack.ip_layer import DEFAULT_TTL, Ip
from netsim.stack.recently_closed import RecentlyClosed
from netsim.stack.socket_errors import AddressInUseError, SocketError
from netsim.stack.upper import Upper
from netsim.wire import icmp, ipv4, ipv4_options
from netsim.wire.address import IpAddress, is_multicast_ip

ERROR_RATE: Final = 1000
"""Errors a second, with bursts of `ERROR_BURST`: the Linux defaults (icmp_msgs_per_sec)."""
ERROR_BURST: Final = 50
_QUOTE_LIMIT: Final = 576 - ipv4.HEADER_LENGTH - icmp.HEADER_LENGTH
"""RFC 1812 4.3.2.3: as much of the packet as fits without exceeding 576 octets."""
INBOX_LIMIT: Final = 1024
_IDENTIFIERS: Final = 0xFFFF
"""1 to this."""
_MILLISECONDS_OF_A_DAY: Final = 24 * 3600 * 1000


class EchoReply(NamedTuple):
    """An answer to an echo request."""

    source: IpAddress
    sequence: int
    ttl: int
    data: bytes
    now: int
    options: bytes = b""
    """Of the IP header, a record route with our own address at its end."""


class EchoError(NamedTuple):
    """An ICMP error about an echo request; `source` is who reported it."""

    source: IpAddress
    sequence: int
    message: icmp.IcmpMessage
    now: int


class EchoSocket:
    """Sends echo requests under one identifier and collects what comes back."""

    def __init__(self, owner: Icmp, identifier: int) -> None:
        self._owner = owner
        self.identifier = identifier
        self.last_sent: int | None = None
        """Network time in ns."""
        self.inbox: deque[EchoReply | EchoError] = deque()
        """What came back, oldest first; reading is popping. What comes to a full one is lost."""

    def send(
        self,
        destination: IpAddress,
        sequence: int,
        data: bytes,
        now: int,
        *,
        ttl: int = DEFAULT_TTL,
        discovery: PathMtuDiscovery = PathMtuDiscovery.WANT,
        options: bytes = b"",
        source: IpAddress | None = None,
        through: Interface | None = None,
    ) -> None:
        """Ask; `sequence` counts modulo 65536, `options` are those of the IP header. `source` and
        `through` are an address and an interface of this host. SocketError where IP cannot send."""
        message = icmp.echo(icmp.ECHO_REQUEST, self.identifier, sequence & 0xFFFF, data)
        self.last_sent = now
        self._owner.send(
            destination,
            message,
            now,
            ttl=ttl,
            source=source,
            discovery=discovery,
            options=options,
            through=through,
        )

    def close(self) -> None:
        """Give the identifier back."""
        self._owner.close_echo(self)


class Icmp:
    """The ICMP layer of one host."""

    def __init__(
        self,
        ip: Ip,
        uppers: dict[int, Upper],
        ready: dict[Any, None],
        count: Callable[[str], None],
    ) -> None:
        self._ip = ip
        self._uppers = uppers
        self._ready = ready
        self._count = count
        self._echo_sockets: dict[int, EchoSocket] = {}
        self._last_identifier = 0
        self._recently_closed = RecentlyClosed()
        self._credit_ns = ERROR_BURST * SECOND // ERROR_RATE
        self._credited_at = 0

    def open_echo(self, identifier: int | None = None) -> EchoSocket:
        """A socket for pings; AddressInUseError when the identifier (16 bits) is taken.

        Without one it gets the next that is free after the last it gave, as of Linux's ping
        sockets: answers that are late for one socket do not come to the next.
        """
        if identifier is None:
            identifier = self._next_identifier()
        identifier &= 0xFFFF
        if identifier in self._echo_sockets:
            raise AddressInUseError(f"echo identifier {identifier} is in use")
        socket = self._echo_sockets[identifier] = EchoSocket(self, identifier)
        return socket

    def _next_identifier(self) -> int:
        for _ in range(_IDENTIFIERS):
            self._last_identifier = self._last_identifier % _IDENTIFIERS + 1
            if self._last_identifier not in self._echo_sockets:
                break
        return self._last_identifier

    def echo_sockets(self) -> list[EchoSocket]:
        """Every open one, oldest first."""
        return list(self._echo_sockets.values())

    def close_echo(self, socket: EchoSocket) -> None:
        """Forget an echo socket."""
        if self._echo_sockets.get(socket.identifier) is socket:
            del self._echo_sockets[socket.identifier]
            self._recently_closed.note(socket.identifier, socket.last_sent)
        self._ready.pop(socket, None)

    def send(
        self,
        destination: IpAddress,
        message: icmp.IcmpMessage,
        now: int,
        *,
        ttl: int = DEFAULT_TTL,
        source: IpAddress | None = None,
        discovery: PathMtuDiscovery = PathMtuDiscovery.DONT,
        options: bytes = b"",
        tos: int = 0,
        through: Interface | None = None,
    ) -> None:
        """Send a message, from `source` or the address of the outgoing interface.

        Answers and errors may be fragmented by routers, as those of Linux: nobody would send
        them again in smaller pieces.
        """
        source = source or self._ip.source_for(destination)
        self._ip.send(
            ipv4.PROTOCOL_ICMP,
            source,
            destination,
            message.pack(),
            now,
            ttl=ttl,
            discovery=discovery,
            options=options,
            tos=tos,
            through=through,
        )

    def receive(self, header: ipv4.Ipv4Header, payload: bytes, now: int) -> None:
        """Answer an echo request, or tell the socket that a reply or an error is for."""
        message = icmp.parse(payload)
        if message.type == icmp.ECHO_REQUEST:
            self._answer(header, message, now)
        elif message.type == icmp.ECHO_REPLY:
            socket = self._echo_sockets.get(message.identifier)
            if socket is None:
                if not self._recently_closed.awaited(message.identifier, now):
                    self._count("icmp-unasked-reply")
                return
            reply = EchoReply(
                header.source, message.sequence, header.ttl, message.body, now, header.options
            )
            self._put(socket, reply)
        elif message.type in icmp.ERRORS:
            if message.type == icmp.REDIRECT:
                # Routes come from the topology: a redirect is a mistake or an attack.
                self._count("icmp-redirect")
                return
            self._deliver_error(message, header.source, now)
        elif message.type == icmp.TIMESTAMP_REQUEST:
            # RFC 1122 3.2.2.8; the clock is network time.
            milliseconds = now // MILLISECOND % _MILLISECONDS_OF_A_DAY
            self._reply(header, icmp.timestamp_reply(message, milliseconds), now)
        else:
            self._count("icmp-unknown-type")

    def receive_error(
        self,
        quoted: ipv4.Ipv4Header,
        head: bytes,
        error: icmp.IcmpMessage,
        reporter: IpAddress | None,
        now: int,
    ) -> bool:
        """An error about one of our own echo requests."""
        identifier = int.from_bytes(head[4:6], "big")
        sequence = int.from_bytes(head[6:8], "big")
        socket = self._echo_sockets.get(identifier)
        if head[0] != icmp.ECHO_REQUEST or socket is None:
            asked = head[0] == icmp.ECHO_REQUEST
            if not (asked and self._recently_closed.awaited(identifier, now)):
                self._count("icmp-error-not-ours")
            return False
        source = reporter or quoted.source
        self._put(socket, EchoError(source, sequence, error, now))
        return True

    def unreachable(self, packet: bytes, now: int) -> None:
        """A neighbour did not answer ARP: "host unreachable" to whoever sent the packet."""
        self._count("host-unreachable")
        kind, code = icmp.DESTINATION_UNREACHABLE, icmp.HOST_UNREACHABLE
        if ipv4.parse(packet).source in self._ip.local:
            self._deliver_error(icmp.IcmpMessage(kind, code, 0, packet), None, now)
        else:
            self.send_error(kind, code, packet, now)

    def send_error(self, kind: int, code: int, packet: bytes, now: int, *, rest: int = 0) -> None:
        """Report on `packet` to its source, unless RFC 1122 3.2.2 and RFC 1812 4.3.2.7 forbid."""
        header = ipv4.parse(packet)
        if not self._may_report(header, packet):
            return
        if not self._take_credit(now):
            self._count("icmp-rate-limited")
            return
        try:
            message = icmp.IcmpMessage(kind, code, rest, packet[:_QUOTE_LIMIT])
            # The address that was meant, where it is ours, is what traceroute expects at its end.
            own = header.destination if self._ip.is_local(header.destination) else None
            self.send(header.source, message, now, source=own)
        except SocketError:
            self._count("icmp-error-unsent")

    def _answer(self, header: ipv4.Ipv4Header, message: icmp.IcmpMessage, now: int) -> None:
        reply = icmp.echo(icmp.ECHO_REPLY, message.identifier, message.sequence, message.body)
        self._reply(header, reply, now)

    def _reply(self, header: ipv4.Ipv4Header, reply: icmp.IcmpMessage, now: int) -> None:
        if self._ip.is_broadcast(header.destination):
            # RFC 1122 3.2.2.6 lets a host ignore these; Linux does (icmp_echo_ignore_broadcasts).
            self._count("icmp-broadcast-echo")
            return
        # RFC 1122 3.2.2.6: the way there and the way back, in one record, and the same service.
        options = ipv4_options.only(header.options, ipv4_options.RECORD_ROUTE)
        try:
            self.send(
                header.source,
                reply,
                now,
                source=header.destination,
                options=options,
                tos=header.tos,
            )
        except SocketError:
            self._count("icmp-reply-unsent")

    def _put(self, socket: EchoSocket, answer: EchoReply | EchoError) -> None:
        if len(socket.inbox) >= INBOX_LIMIT:
            self._count("icmp-receive-buffer")
            return
        socket.inbox.append(answer)
        self._ready[socket] = None

    def _deliver_error(self, error: icmp.IcmpMessage, reporter: IpAddress | None, now: int) -> None:
        """Pass an ICMP error to the protocol whose packet it quotes."""
        quoted = ipv4.parse_quoted(error.body)
        upper = self._uppers.get(quoted.protocol)
        if upper is None or not self._ip.is_local(quoted.source):
            self._count("icmp-error-not-ours")
            return
        head = error.body[quoted.header_length :]
        if (
            upper.receive_error(quoted, head, error, reporter, now)
            and error.type == icmp.DESTINATION_UNREACHABLE
            and error.code == icmp.FRAGMENTATION_NEEDED
            and not self._ip.path_mtus.note(
                quoted.destination, error.next_hop_mtu, quoted.total_length, now
            )
        ):
            self._count("icmp-bad-mtu")

    def _may_report(self, header: ipv4.Ipv4Header, packet: bytes) -> bool:
        if header.fragment & ipv4.OFFSET_MASK:
            return False
        if header.protocol == ipv4.PROTOCOL_ICMP:
            kind = packet[header.header_length : header.header_length + 1]
            if not kind or kind[0] in icmp.ERRORS:
                return False
        # A source that is not one host's is a martian, except in a packet to everybody.
        destination = header.destination
        return not (self._ip.is_broadcast(destination) or is_multicast_ip(destination))

    def _take_credit(self, now: int) -> bool:
        """Token bucket in nanoseconds of credit (RFC 1812 4.3.2.8)."""
        cost = SECOND // ERROR_RATE
        earned = now - self._credited_at
        self._credit_ns = min(self._credit_ns + earned, ERROR_BURST * cost)
        self._credited_at = now
        if self._credit_ns < cost:
            return False
        self._credit_ns -= cost
        return True
