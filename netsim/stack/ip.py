"""The Internet layer of a host: sending, receiving, forwarding (RFC 791, RFC 1122 3, RFC 1812 5).

Everything below is called with `now`; frames leave through the neighbour caches, and packets
for the host itself go up to the protocol registered for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from netsim.stack.errors import MessageTooLongError, NoRouteError, SocketError
from netsim.stack.fib import Fib, Route
from netsim.stack.interface import Interface
from netsim.stack.neighbour import NeighbourCache
from netsim.wire import ethernet, icmp, ipv4
from netsim.wire.address import (
    BROADCAST_MAC,
    LIMITED_BROADCAST,
    UNSPECIFIED,
    IpAddress,
    format_ip,
    is_multicast_ip,
    is_multicast_mac,
)
from netsim.wire.checksum import update

DEFAULT_TTL: Final = 64
LOOPBACK_NETWORK: Final = 127
LOOPBACK_MTU: Final = ipv4.MAX_PACKET
PATH_MTU_LIMIT: Final = 1024
"""Destinations whose path MTU is remembered; beyond that all are forgotten and found again."""
MIN_MTU: Final = 68
"""Every link takes packets of this size (RFC 791 3.2): no smaller path MTU is believed."""
_ETHERNET: Final = ethernet.HEADER_LENGTH
_PLAIN_HEADER: Final = 0x45
"""Version 4, five words: a header without options."""
_UNICAST: Final = bytes(0 < first < 0xE0 and first != LOOPBACK_NETWORK for first in range(256))
"""By first octet: whether an address on a wire can be one station's (RFC 1122 3.2.1.3)."""


class Upper(Protocol):
    """A protocol above IP."""

    def receive(self, header: ipv4.Ipv4Header, payload: bytes, now: int) -> None:
        """Take a packet for this host; WireError when it is malformed."""

    def receive_error(
        self,
        quoted: ipv4.Ipv4Header,
        head: bytes,
        error: icmp.IcmpMessage,
        reporter: IpAddress | None,
        now: int,
    ) -> None:
        """An ICMP error about a packet this host sent.

        `head` is what it quotes of the payload, at least eight octets; `reporter` is None when
        this host found out by itself.
        """


class ErrorSender(Protocol):
    """What IP needs of ICMP."""

    def send_error(self, kind: int, code: int, packet: bytes, now: int, *, rest: int = 0) -> None:
        """Report on `packet` to its source, unless RFC 1122 3.2.2 forbids it."""


class Ip:
    """The IP layer of one host. `forwarding` makes it a router."""

    def __init__(
        self,
        interfaces: list[Interface],
        neighbours: list[NeighbourCache],
        fib: Fib,
        outbox: list[tuple[Interface, bytes]],
        count: Callable[[str], None],
        *,
        forwarding: bool,
    ) -> None:
        self.interfaces = interfaces
        self.neighbours = neighbours
        self.fib = fib
        self.forwarding = forwarding
        self.uppers: dict[int, Upper] = {}
        self.icmp: ErrorSender
        self.forwarded = 0
        self.looped: deque[bytes] = deque()
        """Packets this host sent to itself, delivered when it is done with what it is doing."""
        self._outbox = outbox
        self._count = count
        self._identification = 0
        self._path_mtus: dict[IpAddress, int] = {}
        self.local = {entry.address for interface in interfaces for entry in interface.addresses}
        self._own = self.local.union(*map(_broadcasts, interfaces))
        """Addresses of this host, and the directed broadcasts of its subnets."""

    def is_local(self, address: IpAddress) -> bool:
        """Whether packets to `address` stay on this host."""
        return address in self.local or (len(address) == 4 and address[0] == LOOPBACK_NETWORK)

    def is_broadcast(self, address: IpAddress) -> bool:
        """Limited broadcast, or the directed broadcast of a subnet of ours."""
        return address == LIMITED_BROADCAST or (address in self._own and address not in self.local)

    # Sending

    def route_to(self, destination: IpAddress) -> Route:
        """The route to a destination that is not this host; NoRouteError when there is none."""
        route = self.fib.lookup(destination)
        if route is None:
            raise NoRouteError(f"no route to {format_ip(destination)}")
        return route

    def source_for(self, destination: IpAddress) -> IpAddress:
        """The address that packets to `destination` are sent from (RFC 1122 3.3.4.3)."""
        if self.is_local(destination):
            return destination
        if self.is_broadcast(destination):
            return self._broadcast_interface(destination).addresses[0].address
        return self.route_to(destination).source

    def mtu_to(self, destination: IpAddress) -> int:
        """Largest packet in bytes that can go to `destination`, as far as is known."""
        if self.is_local(destination):
            return LOOPBACK_MTU
        route = self.fib.lookup(destination)
        mtu = route.interface.mtu if route is not None else 1500
        return min(mtu, self._path_mtus.get(destination, mtu))

    def paths_changed(self) -> None:
        """Routes or carriers have changed: forget what was learned about the old paths."""
        self.fib.changed()
        self._path_mtus.clear()

    def send(
        self,
        protocol: int,
        source: IpAddress,
        destination: IpAddress,
        payload: bytes,
        now: int,
        *,
        ttl: int = DEFAULT_TTL,
        tos: int = 0,
    ) -> None:
        """Send one packet of this host's own, with "don't fragment" set.

        NoRouteError when nothing leads to the destination, MessageTooLongError when the packet
        is larger than the path takes, SocketError when a loopback address would leave the host.
        """
        total = ipv4.HEADER_LENGTH + len(payload)
        if total > ipv4.MAX_PACKET:
            raise MessageTooLongError(f"IP packets have at most {ipv4.MAX_PACKET} bytes")
        self._identification = identification = (self._identification + 1) & 0xFFFF
        packet = (
            ipv4.pack_plain(tos, total, identification, ttl, protocol, source, destination)
            + payload
        )
        if destination in self._own or not _UNICAST[destination[0]]:
            self._send_special(source, destination, packet)
            return
        route = self.route_to(destination)
        interface = route.interface
        _check(source, total, interface, self._path_mtus.get(destination, total))
        next_hop = route.gateway or destination
        cache = self.neighbours[interface.index]
        header = cache.header_for(next_hop, now)
        if header is not None:
            self._outbox.append((interface, header + packet))
        else:
            cache.send(next_hop, packet, now)

    def _send_special(self, source: IpAddress, destination: IpAddress, packet: bytes) -> None:
        """To this host itself, to everybody on a link, or to a group."""
        if self.is_local(destination):
            self.looped.append(packet)
            return
        if self.is_broadcast(destination):
            interface, mac = self._broadcast_interface(destination), BROADCAST_MAC
        elif is_multicast_ip(destination):
            # RFC 1112 6.4: the low 23 bits of the group address.
            low = int.from_bytes(destination[1:], "big") & 0x7FFFFF
            mac = b"\x01\x00\x5e" + low.to_bytes(3, "big")
            interface = self.route_to(destination).interface
        else:
            raise NoRouteError(f"{format_ip(destination)} is nobody's address")
        _check(source, len(packet), interface, len(packet))
        header = ethernet.pack_header(mac, interface.mac, ethernet.ETHERTYPE_IPV4)
        self._outbox.append((interface, header + packet))

    def _broadcast_interface(self, destination: IpAddress) -> Interface:
        """The first interface that is up and on the subnet; limited broadcast is on any."""
        for interface in self.interfaces:
            if interface.up and (
                destination in _broadcasts(interface)
                or (destination == LIMITED_BROADCAST and interface.addresses)
            ):
                return interface
        raise NoRouteError(f"no interface is up to reach {format_ip(destination)}")

    # Receiving

    def receive(self, interface: Interface, frame: bytes, now: int) -> None:
        """Take an IPv4 frame: drop what must not be, deliver what is ours, forward the rest."""
        if self.forwarding and self._forward_plainly(frame, now):
            return
        header = ipv4.parse(frame, _ETHERNET)
        if self._is_martian(header):
            self._count("martian")
            return
        destination = header.destination
        packet = frame[_ETHERNET : _ETHERNET + header.total_length]
        if destination in self.local:
            if is_multicast_mac(frame[:6]):
                # RFC 1122 3.3.6: a unicast packet in a broadcast frame is discarded.
                self._count("unicast-in-broadcast")
                return
            self._deliver(header, packet, now)
        elif destination == LIMITED_BROADCAST or destination in _broadcasts(interface):
            self._deliver(header, packet, now)
        elif is_multicast_ip(destination):
            self._count("multicast-not-joined")
        elif not self.forwarding or is_multicast_mac(frame[:6]):
            self._count("not-for-us")
        elif self.is_broadcast(destination):
            # RFC 2644: directed broadcasts are not forwarded.
            self._count("directed-broadcast")
        else:
            self._forward(header, packet, now)

    def deliver_looped(self, now: int) -> None:
        """Deliver what this host has sent to itself, and what it answers to that."""
        while self.looped:
            packet = self.looped.popleft()
            self._deliver(ipv4.parse(packet), packet, now)

    def receive_error(self, error: icmp.IcmpMessage, reporter: IpAddress | None, now: int) -> None:
        """Pass an ICMP error to the protocol whose packet it quotes."""
        quoted = ipv4.parse_quoted(error.body)
        upper = self.uppers.get(quoted.protocol)
        if upper is None or not self.is_local(quoted.source):
            self._count("icmp-error-not-ours")
            return
        if error.type == icmp.DESTINATION_UNREACHABLE and error.code == icmp.FRAGMENTATION_NEEDED:
            self._note_path_mtu(quoted, error.next_hop_mtu)
        upper.receive_error(quoted, error.body[quoted.header_length :], error, reporter, now)

    def unreachable(self, packet: bytes, now: int) -> None:
        """A neighbour did not answer ARP: "host unreachable" to whoever sent the packet."""
        self._count("host-unreachable")
        kind, code = icmp.DESTINATION_UNREACHABLE, icmp.HOST_UNREACHABLE
        if ipv4.parse(packet).source in self.local:
            self.receive_error(icmp.IcmpMessage(kind, code, 0, packet), None, now)
        else:
            self.icmp.send_error(kind, code, packet, now)

    def _note_path_mtu(self, quoted: ipv4.Ipv4Header, mtu: int) -> None:
        """RFC 1191 3: what it reports is smaller than the packet that did not fit."""
        if not MIN_MTU <= mtu < quoted.total_length:
            self._count("icmp-bad-mtu")
            return
        if len(self._path_mtus) >= PATH_MTU_LIMIT:
            self._path_mtus.clear()
        known = self._path_mtus.get(quoted.destination, mtu)
        self._path_mtus[quoted.destination] = min(known, mtu)

    def _is_martian(self, header: ipv4.Ipv4Header) -> bool:
        """RFC 1812 5.3.7, RFC 1122 3.2.1.3: addresses that may not appear on a wire."""
        source, destination = header.source, header.destination
        if destination == LIMITED_BROADCAST:
            # A host that asks for its address (DHCP) has none yet.
            return source != UNSPECIFIED and self._is_nobody(source)
        return self._is_nobody(source) or not (
            _UNICAST[destination[0]] or is_multicast_ip(destination)
        )

    def _is_nobody(self, source: IpAddress) -> bool:
        """Whether a packet from there is a lie: not one station's address, or our own."""
        return not _UNICAST[source[0]] or source in self._own

    def _deliver(self, header: ipv4.Ipv4Header, packet: bytes, now: int) -> None:
        if header.is_fragment:
            self._count("fragment")
            return
        upper = self.uppers.get(header.protocol)
        if upper is not None:
            upper.receive(header, packet[header.header_length :], now)
            return
        self._count("protocol-unreachable")
        self.icmp.send_error(icmp.DESTINATION_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE, packet, now)

    # Forwarding

    def _forward_plainly(self, frame: bytes, now: int) -> bool:
        """Forward the ordinary packet without taking it apart; False leaves it to the long way.

        Ordinary is: no options, TTL to spare, a good checksum, a unicast destination beyond
        this router over a resolved neighbour, no larger than the next link takes.
        """
        if len(frame) < 34 or frame[14] != _PLAIN_HEADER or frame[22] <= 1 or frame[0] & 1:
            return False
        source, destination = frame[26:30], frame[30:34]
        own = self._own
        if (
            destination in own
            or source in own
            or not _UNICAST[frame[26]]
            or not _UNICAST[frame[30]]
            # The checksum is good when the words add up to a multiple of 0xFFFF (RFC 1071).
            or int.from_bytes(frame[14:34], "big") % 0xFFFF
        ):
            return False
        route = self.fib.lookup(destination)
        if route is None:
            return False
        total = frame[16] << 8 | frame[17]
        egress = route.interface
        if not ipv4.HEADER_LENGTH <= total <= len(frame) - _ETHERNET or total > egress.mtu:
            return False
        link_header = self.neighbours[egress.index].header_for(route.gateway or destination, now)
        if link_header is None:
            return False
        # TTL and protocol share a word: decrementing TTL takes 0x0100 off it (RFC 1624, RFC 1141).
        checksum = (frame[24] << 8 | frame[25]) + 0x0100
        if checksum >= 0xFFFF:
            checksum -= 0xFFFF
        self.forwarded += 1
        forwarded = b"%b%b%c%c%b%b" % (
            link_header,
            frame[14:22],
            frame[22] - 1,
            frame[23],
            checksum.to_bytes(2, "big"),
            frame[26 : _ETHERNET + total],
        )
        self._outbox.append((egress, forwarded))
        return True

    def _forward(self, header: ipv4.Ipv4Header, packet: bytes, now: int) -> None:
        """RFC 1812 5.2: everything that the plain way leaves, and the errors."""
        if header.ttl <= 1:
            self._count("ttl-exceeded")
            self.icmp.send_error(icmp.TIME_EXCEEDED, icmp.TTL_EXCEEDED, packet, now)
            return
        route = self.fib.lookup(header.destination)
        if route is None:
            self._count("no-route")
            self.icmp.send_error(
                icmp.DESTINATION_UNREACHABLE, icmp.NETWORK_UNREACHABLE, packet, now
            )
            return
        if header.total_length > route.interface.mtu:
            self._count("too-big")
            self.icmp.send_error(
                icmp.DESTINATION_UNREACHABLE,
                icmp.FRAGMENTATION_NEEDED,
                packet,
                now,
                rest=route.interface.mtu,
            )
            return
        ttl_word = header.ttl << 8 | header.protocol
        checksum = update(int.from_bytes(packet[10:12], "big"), ttl_word, ttl_word - 0x0100)
        forwarded = b"%b%c%c%b%b" % (
            packet[:8],
            header.ttl - 1,
            header.protocol,
            checksum.to_bytes(2, "big"),
            packet[12:],
        )
        self.forwarded += 1
        next_hop = route.gateway or header.destination
        self.neighbours[route.interface.index].send(next_hop, forwarded, now)


def _broadcasts(interface: Interface) -> list[IpAddress]:
    """The directed broadcast addresses of an interface's subnets."""
    return [
        broadcast for entry in interface.addresses if (broadcast := entry.broadcast) is not None
    ]


def _check(source: IpAddress, total: int, interface: Interface, path_mtu: int) -> None:
    """Refuse what may not leave through `interface`."""
    if total > interface.mtu or total > path_mtu:
        raise MessageTooLongError(
            f"a packet of {total} bytes does not fit the {min(interface.mtu, path_mtu)} bytes "
            f"that the way through {interface.name} takes"
        )
    if source[0] == LOOPBACK_NETWORK:
        raise SocketError("packets from 127.0.0.0/8 may not leave the host")
