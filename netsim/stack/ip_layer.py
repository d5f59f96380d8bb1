"""The Internet layer of a host: sending, receiving, forwarding (RFC 791, RFC 1122 3, RFC 1812 5).

Everything below is called with `now`; frames leave through the neighbour caches, and packets
for the host itself go up to the protocol registered for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from netsim.core.host_faults import PacketFault
from netsim.stack.equal_cost import flow_key
from netsim.stack.fib import Fib, Origin, Route
from netsim.stack.fragment_reassembly import Reassembly
from netsim.stack.fragmentation import PathMtuDiscovery, fragments
from netsim.stack.interface import Interface
from netsim.stack.layers import ErrorSender, Upper
from netsim.stack.neighbour import NeighbourCache
from netsim.stack.packet_faults import vanishes
from netsim.stack.path_mtu import PathChanged, PathMtus
from netsim.stack.socket_errors import MessageTooLongError, NoRouteError, SocketError
from netsim.stack.timers import Timers
from netsim.wire import ethernet, icmp, ipv4, ipv4_options
from netsim.wire.address import (
    BROADCAST_MAC,
    LIMITED_BROADCAST,
    UNSPECIFIED,
    IpAddress,
    format_ip,
    is_multicast_ip,
    is_multicast_mac,
)

DEFAULT_TTL: Final = 64
LOOPBACK_NETWORK: Final = 127
LOOPBACK_MTU: Final = ipv4.MAX_PACKET
_WANT: Final = PathMtuDiscovery.WANT
_ETHERNET: Final = ethernet.HEADER_LENGTH
_PLAIN_HEADER: Final = 0x45
"""Version 4, five words: a header without options."""
_UNICAST: Final = bytes(0 < first < 0xE0 and first != LOOPBACK_NETWORK for first in range(256))
"""By first octet: whether an address on a wire can be one station's (RFC 1122 3.2.1.3)."""


class Ip:
    """The IP layer of one host. `forwarding` makes it a router."""

    def __init__(
        self,
        interfaces: list[Interface],
        neighbours: list[NeighbourCache],
        fib: Fib,
        outbox: list[tuple[Interface, bytes]],
        count: Callable[[str], None],
        timers: Timers,
        path_changed: PathChanged,
        *,
        forwarding: bool,
        loopback: Iterable[IpAddress] = (),
    ) -> None:
        self.interfaces = interfaces
        self.neighbours = neighbours
        self.fib = fib
        self.forwarding = forwarding
        self.uppers: dict[int, Upper] = {}
        self.icmp: ErrorSender
        self.faults: tuple[PacketFault, ...] = ()
        """Packets for this host that vanish."""
        self.forwarded = 0
        self.fragmented = 0
        """Packets that were cut into fragments, our own and forwarded ones."""
        self.reassembly = Reassembly(timers, count, self._report)
        self.looped: deque[bytes] = deque()
        """Packets this host sent to itself, delivered when it is done with what it is doing."""
        self.looped_packets = 0
        self.looped_bytes = 0
        """Of those that were delivered; octets of whole packets."""
        self._outbox = outbox
        self._count = count
        self._identification = 0
        self._fragment_identification = 0
        """RFC 6864 4.3: the number of a packet that may be cut does not come again soon, so they
        are not spent on those that may not be."""
        self._path_mtus = PathMtus(timers, path_changed)
        self._known_paths = self._path_mtus.known
        self._simple_paths = self._path_mtus.simple
        self.local = {entry.address for interface in interfaces for entry in interface.addresses}
        self.local.update(loopback)
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
        """The route to a destination that is not this host, the first of equal ones.

        NoRouteError when there is none.
        """
        routes = self.fib.lookup(destination)
        if not routes:
            raise NoRouteError(f"no route to {format_ip(destination)}")
        return routes[0]

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
        routes = self.fib.lookup(destination)
        if len(routes) == 1:
            mtu = routes[0].interface.mtu
        else:
            mtu = min((each.interface.mtu for each in routes), default=1500)
        path = self._known_paths.get(destination)
        return mtu if path is None else min(mtu, path.mtu)

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
        discovery: PathMtuDiscovery = _WANT,
        options: bytes = b"",
        through: Interface | None = None,
    ) -> None:
        """Send one packet of this host's own; `discovery` says what is done if it is large.

        `through` is the only interface that it may leave by.

        `options` are well-formed and padded; a record route among them begins here. NoRouteError
        when nothing leads to the destination, MessageTooLongError when the packet is larger than
        IP can say, or than the path takes and it may not be cut, SocketError when a loopback
        address would leave the host.
        """
        total = ipv4.HEADER_LENGTH + len(payload)
        if options:
            total += len(options)
        if total > ipv4.MAX_PACKET:
            raise MessageTooLongError(f"IP packets have at most {ipv4.MAX_PACKET} bytes")
        if destination in self._own or not _UNICAST[destination[0]]:
            header = ipv4.Ipv4Header(tos, total, 0, 0, ttl, protocol, source, destination, options)
            self._send_special(header, payload, discovery)
            return
        if through is None:
            routes = self.fib.lookup(destination)
        else:
            routes = self._routes_through(through, destination)
        if not routes:
            raise NoRouteError(f"no route to {format_ip(destination)}")
        route = routes[0]
        if len(routes) > 1:
            route = self.fib.choose(routes, flow_key(source, destination, protocol, payload))
        interface = route.interface
        if source[0] == LOOPBACK_NETWORK:
            raise _loopback_leaves()
        next_hop = route.gateway or destination
        cache = self.neighbours[interface.index]
        if (
            total > interface.mtu
            or total > self._simple_paths.get(destination, total)
            or discovery is not _WANT
            or options
        ):
            header = ipv4.Ipv4Header(tos, total, 0, 0, ttl, protocol, source, destination, options)
            for packet in self._packets(header, payload, route.source, interface, discovery):
                cache.send(next_hop, packet, now)
            return
        self._identification = identification = (self._identification + 1) & 0xFFFF
        packet = (
            ipv4.pack_plain(tos, total, identification, ttl, protocol, source, destination)
            + payload
        )
        link_header = cache.header_for(next_hop, now)
        if link_header is not None:
            self._outbox.append((interface, link_header + packet))
        else:
            cache.send(next_hop, packet, now)

    def _routes_through(self, interface: Interface, destination: IpAddress) -> tuple[Route, ...]:
        """As Linux for SO_BINDTODEVICE: what no route leads to is taken to be on the link."""
        routes = self.fib.through(destination, interface)
        if routes or not interface.up:
            return routes
        source = interface.addresses[0].address
        length = len(destination) * 8
        return (Route(destination, length, interface, None, source, Origin.CONNECTED),)

    def _packets(
        self,
        header: ipv4.Ipv4Header,
        payload: bytes,
        recorded: IpAddress,
        interface: Interface | None,
        discovery: PathMtuDiscovery,
    ) -> list[bytes]:
        """Number the packet, and cut it where it has to be and may be; without an interface it
        stays on this host. `recorded` goes into its record route."""
        mtu, path = LOOPBACK_MTU, None
        if interface is not None:
            mtu = interface.mtu
            path = self._known_paths.get(header.destination)
            if path is not None and discovery is not PathMtuDiscovery.PROBE:
                mtu = min(mtu, path.mtu)
        fits = header.total_length <= mtu
        if discovery is _WANT:
            may_be_cut = not fits or (path is not None and path.is_fragmented)
        else:
            may_be_cut = discovery is PathMtuDiscovery.DONT
        if header.options:
            header.options = ipv4_options.record(header.options, recorded)
        if may_be_cut:
            self._fragment_identification = (self._fragment_identification + 1) & 0xFFFF
            header.identification = self._fragment_identification
        else:
            self._identification = (self._identification + 1) & 0xFFFF
            header.identification = self._identification
            header.fragment = ipv4.DONT_FRAGMENT
        if fits:
            return [header.pack() + payload]
        if not may_be_cut:
            raise MessageTooLongError(
                f"a packet of {header.total_length} bytes does not fit the {mtu} bytes that the "
                f"way to {format_ip(header.destination)} takes"
            )
        self.fragmented += 1
        return fragments(header, payload, mtu)

    def _send_special(
        self, header: ipv4.Ipv4Header, payload: bytes, discovery: PathMtuDiscovery
    ) -> None:
        """To this host itself, to everybody on a link, or to a group."""
        source, destination = header.source, header.destination
        if self.is_local(destination):
            self.looped += self._packets(header, payload, source, None, discovery)
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
        if source[0] == LOOPBACK_NETWORK:
            raise _loopback_leaves()
        link_header = ethernet.pack_header(mac, interface.mac, ethernet.ETHERTYPE_IPV4)
        for packet in self._packets(header, payload, source, interface, discovery):
            self._outbox.append((interface, link_header + packet))

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
            self.looped_packets += 1
            self.looped_bytes += len(packet)
            self._deliver(ipv4.parse(packet), packet, now)

    def receive_error(self, error: icmp.IcmpMessage, reporter: IpAddress | None, now: int) -> None:
        """Pass an ICMP error to the protocol whose packet it quotes."""
        quoted = ipv4.parse_quoted(error.body)
        upper = self.uppers.get(quoted.protocol)
        if upper is None or not self.is_local(quoted.source):
            self._count("icmp-error-not-ours")
            return
        head = error.body[quoted.header_length :]
        if (
            upper.receive_error(quoted, head, error, reporter, now)
            and error.type == icmp.DESTINATION_UNREACHABLE
            and error.code == icmp.FRAGMENTATION_NEEDED
            and not self._path_mtus.note(
                quoted.destination, error.next_hop_mtu, quoted.total_length, now
            )
        ):
            self._count("icmp-bad-mtu")

    def unreachable(self, packet: bytes, now: int) -> None:
        """A neighbour did not answer ARP: "host unreachable" to whoever sent the packet."""
        self._count("host-unreachable")
        kind, code = icmp.DESTINATION_UNREACHABLE, icmp.HOST_UNREACHABLE
        if ipv4.parse(packet).source in self.local:
            self.receive_error(icmp.IcmpMessage(kind, code, 0, packet), None, now)
        else:
            self.icmp.send_error(kind, code, packet, now)

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
        if header.options and not self._accepts_options(header.options, packet, now):
            return
        payload = packet[header.header_length :]
        if header.is_fragment:
            whole = self.reassembly.take(header, payload, now)
            if whole is None:
                return
            header, payload = whole
            packet = header.pack() + payload
        if header.options and header.destination in self.local:
            header.options = ipv4_options.record(header.options, header.destination)
        if self.faults and vanishes(self.faults, header, payload):
            self._count("fault")
            return
        upper = self.uppers.get(header.protocol)
        if upper is not None:
            upper.receive(header, payload, now)
            return
        self._count("protocol-unreachable")
        self.icmp.send_error(icmp.DESTINATION_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE, packet, now)

    def _accepts_options(self, options: bytes, packet: bytes, now: int) -> bool:
        """RFC 1122 3.2.1.8, RFC 1812 5.2.4: unknown options are passed over, malformed ones
        reported. Whoever routes around our tables is up to no good (RFC 7126 4.3, 4.4)."""
        try:
            kinds = ipv4_options.verify(options)
        except ipv4_options.OptionError as error:
            self._count(error.reason)
            self.icmp.send_error(icmp.PARAMETER_PROBLEM, 0, packet, now, rest=error.pointer << 24)
            return False
        if ipv4_options.LOOSE_SOURCE_ROUTE in kinds or ipv4_options.STRICT_SOURCE_ROUTE in kinds:
            self._count("source-route")
            return False
        return True

    def _report(self, kind: int, code: int, packet: bytes, now: int) -> None:
        self.icmp.send_error(kind, code, packet, now)

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
        routes = self.fib.lookup(destination)
        if not routes:
            return False
        route = routes[0]
        if len(routes) > 1:
            ports = b"" if frame[20] & 0x3F or frame[21] else frame[34:38]
            route = self.fib.choose(routes, flow_key(source, destination, frame[23], ports))
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
        if header.options and not self._accepts_options(header.options, packet, now):
            return
        routes = self.fib.lookup(header.destination)
        if not routes:
            self._count("no-route")
            self.icmp.send_error(
                icmp.DESTINATION_UNREACHABLE, icmp.NETWORK_UNREACHABLE, packet, now
            )
            return
        if header.ttl <= 1:  # after the route, as in Linux: where nothing leads, TTL says nothing
            self._count("ttl-exceeded")
            self.icmp.send_error(icmp.TIME_EXCEEDED, icmp.TTL_EXCEEDED, packet, now)
            return
        payload = packet[header.header_length :]
        route = routes[0]
        if len(routes) > 1:
            ports = b"" if header.is_fragment else payload
            flow = flow_key(header.source, header.destination, header.protocol, ports)
            route = self.fib.choose(routes, flow)
        mtu = route.interface.mtu
        is_too_big = header.total_length > mtu
        if is_too_big and header.fragment & ipv4.DONT_FRAGMENT:
            self._count("too-big")
            kind, code = icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED
            self.icmp.send_error(kind, code, packet, now, rest=mtu)
            return
        forwarded = replace(
            header,
            ttl=header.ttl - 1,
            options=header.options and ipv4_options.record(header.options, route.source),
        )
        if is_too_big:
            packets = fragments(forwarded, payload, mtu)
            self.fragmented += 1
        else:
            packets = [forwarded.pack() + payload]
        self.forwarded += 1
        next_hop = route.gateway or header.destination
        for each in packets:
            self.neighbours[route.interface.index].send(next_hop, each, now)


def _broadcasts(interface: Interface) -> list[IpAddress]:
    """The directed broadcast addresses of an interface's subnets."""
    return [
        broadcast for entry in interface.addresses if (broadcast := entry.broadcast) is not None
    ]


def _loopback_leaves() -> SocketError:
    return SocketError("packets from 127.0.0.0/8 may not leave the host")
