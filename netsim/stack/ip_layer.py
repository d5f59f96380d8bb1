"""The Internet layer of a host, as the protocols above use it: its addresses, the paths from it,
and sending (RFC 791, RFC 1122 3.3).

What arrives is in `ip_input`, what is for others in `ip_forward`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from netsim.stack.equal_cost import flow_key
from netsim.stack.fib import Fib, Origin, Route
from netsim.stack.fragmentation import PathMtuDiscovery, fragments
from netsim.stack.interface import Interface
from netsim.stack.neighbour import NeighbourCache
from netsim.stack.path_mtu import PathChanged, PathMtus
from netsim.stack.socket_errors import MessageTooLongError, NoRouteError, SocketError
from netsim.stack.timers import Timers
from netsim.wire import ethernet, ipv4, ipv4_options
from netsim.wire.address import (
    BROADCAST_MAC,
    LIMITED_BROADCAST,
    IpAddress,
    format_ip,
    is_multicast_ip,
)

DEFAULT_TTL: Final = 64
LOOPBACK_NETWORK: Final = 127
LOOPBACK_MTU: Final = ipv4.MAX_PACKET
_WANT: Final = PathMtuDiscovery.WANT
UNICAST: Final = bytes(0 < first < 0xE0 and first != LOOPBACK_NETWORK for first in range(256))
"""By first octet: whether an address on a wire can be one station's (RFC 1122 3.2.1.3)."""


class Ip:
    """The IP layer of one host."""

    def __init__(
        self,
        interfaces: list[Interface],
        neighbours: list[NeighbourCache],
        fib: Fib,
        outbox: list[tuple[Interface, bytes]],
        timers: Timers,
        path_changed: PathChanged,
        *,
        loopback: Iterable[IpAddress] = (),
    ) -> None:
        self.interfaces = interfaces
        self.neighbours = neighbours
        self.fib = fib
        self.outbox = outbox
        self.fragmented = 0
        """Packets that were cut into fragments, our own and forwarded ones."""
        self.looped: deque[bytes] = deque()
        """Packets this host sent to itself, delivered when it is done with what it is doing."""
        self._identification = 0
        self._fragment_identification = 0
        """RFC 6864 4.3: the number of a packet that may be cut does not come again soon, so they
        are not spent on those that may not be."""
        self.path_mtus = PathMtus(timers, path_changed)
        self._known_paths = self.path_mtus.known
        self._simple_paths = self.path_mtus.simple
        self.local = {entry.address for interface in interfaces for entry in interface.addresses}
        self.local.update(loopback)
        self.own = self.local.union(*map(Interface.broadcasts, interfaces))
        """Addresses of this host, and the directed broadcasts of its subnets."""

    def is_local(self, address: IpAddress) -> bool:
        """Whether packets to `address` stay on this host."""
        return address in self.local or (len(address) == 4 and address[0] == LOOPBACK_NETWORK)

    def is_broadcast(self, address: IpAddress) -> bool:
        """Limited broadcast, or the directed broadcast of a subnet of ours."""
        return address == LIMITED_BROADCAST or (address in self.own and address not in self.local)

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
        self.path_mtus.clear()

    # Sending

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
        if destination in self.own or not UNICAST[destination[0]]:
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
            self.outbox.append((interface, link_header + packet))
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
            self.outbox.append((interface, link_header + packet))

    def _broadcast_interface(self, destination: IpAddress) -> Interface:
        """The first interface that is up and on the subnet; limited broadcast is on any."""
        for interface in self.interfaces:
            if interface.up and (
                destination in interface.broadcasts()
                or (destination == LIMITED_BROADCAST and interface.addresses)
            ):
                return interface
        raise NoRouteError(f"no interface is up to reach {format_ip(destination)}")


def _loopback_leaves() -> SocketError:
    return SocketError("packets from 127.0.0.0/8 may not leave the host")
