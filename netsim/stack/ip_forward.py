"""Forwarding (RFC 1812 5): the plain way, for a frame that needs nothing special, and the full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from struct import Struct
from typing import Final

from netsim.stack.equal_cost import flow_key
from netsim.stack.fragmentation import fragments
from netsim.stack.icmp_layer import Icmp
from netsim.stack.ip_layer import UNICAST, Ip
from netsim.wire import ethernet, icmp, ipv4, ipv4_options

_ETHERNET: Final = ethernet.HEADER_LENGTH
_PLAIN_HEADER: Final = 0x45
"""Version 4, five words: a header without options."""
_PLAIN_LENGTH: Final = _ETHERNET + ipv4.HEADER_LENGTH
_PLAIN_FIELDS: Final = Struct("!BxHxxxxBBH4s4s").unpack_from
"""Version and length, total length, TTL, protocol, checksum, source, destination."""
_TTL_TO_CHECKSUM: Final = Struct("!BBH")


class IpForward:
    """Sends on what is for others. `forwarded` counts packets."""

    def __init__(self, ip: Ip, icmp_layer: Icmp, count: Callable[[str], None]) -> None:
        self.forwarded = 0
        self._ip = ip
        self._own = ip.own
        self._fib = ip.fib
        self._neighbours = ip.neighbours
        self._outbox = ip.outbox
        self._icmp = icmp_layer
        self._count = count

    def forward_plainly(self, frame: bytes, now: int) -> bool:
        """Forward the ordinary packet without taking it apart; False leaves it to the long way.

        Ordinary is: no options, TTL to spare, a good checksum, a unicast destination beyond
        this router over a resolved neighbour, no larger than the next link takes.
        """
        if len(frame) < _PLAIN_LENGTH:
            return False
        kind, total, ttl, protocol, checksum, source, destination = _PLAIN_FIELDS(frame, _ETHERNET)
        own = self._own
        if (
            kind != _PLAIN_HEADER
            or ttl <= 1
            or frame[0] & 1
            or destination in own
            or source in own
            or not UNICAST[source[0]]
            or not UNICAST[destination[0]]
            # The checksum is good when the words add up to a multiple of 0xFFFF (RFC 1071).
            or int.from_bytes(frame[_ETHERNET:_PLAIN_LENGTH], "big") % 0xFFFF
        ):
            return False
        routes = self._fib.lookup(destination)
        if not routes:
            return False
        route = routes[0]
        if len(routes) > 1:
            ports = b"" if frame[20] & 0x3F or frame[21] else frame[34:38]
            route = self._fib.choose(routes, flow_key(source, destination, protocol, ports))
        egress = route.interface
        if not ipv4.HEADER_LENGTH <= total <= len(frame) - _ETHERNET or total > egress.mtu:
            return False
        link_header = self._neighbours[egress.index].header_for(route.gateway or destination, now)
        if link_header is None:
            return False
        # TTL and protocol share a word: decrementing TTL takes 0x0100 off it (RFC 1624, RFC 1141).
        checksum += 0x0100
        if checksum >= 0xFFFF:
            checksum -= 0xFFFF
        self.forwarded += 1
        changed = _TTL_TO_CHECKSUM.pack(ttl - 1, protocol, checksum)
        forwarded = link_header + frame[14:22] + changed + frame[26 : _ETHERNET + total]
        self._outbox.append((egress, forwarded))
        return True

    def forward(self, header: ipv4.Ipv4Header, packet: bytes, now: int) -> None:
        """RFC 1812 5.2: everything that the plain way leaves, and the errors."""
        routes = self._fib.lookup(header.destination)
        if not routes:
            self._count("no-route")
            self._icmp.send_error(
                icmp.DESTINATION_UNREACHABLE, icmp.NETWORK_UNREACHABLE, packet, now
            )
            return
        if header.ttl <= 1:  # after the route, as in Linux: where nothing leads, TTL says nothing
            self._count("ttl-exceeded")
            self._icmp.send_error(icmp.TIME_EXCEEDED, icmp.TTL_EXCEEDED, packet, now)
            return
        payload = packet[header.header_length :]
        route = routes[0]
        if len(routes) > 1:
            ports = b"" if header.is_fragment else payload
            flow = flow_key(header.source, header.destination, header.protocol, ports)
            route = self._fib.choose(routes, flow)
        mtu = route.interface.mtu
        is_too_big = header.total_length > mtu
        if is_too_big and header.fragment & ipv4.DONT_FRAGMENT:
            self._count("too-big")
            kind, code = icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED
            self._icmp.send_error(kind, code, packet, now, rest=mtu)
            return
        forwarded = replace(
            header,
            ttl=header.ttl - 1,
            options=header.options and ipv4_options.record(header.options, route.source),
        )
        if is_too_big:
            packets = fragments(forwarded, payload, mtu)
            self._ip.fragmented += 1
        else:
            packets = [forwarded.pack() + payload]
        self.forwarded += 1
        next_hop = route.gateway or header.destination
        for each in packets:
            self._neighbours[route.interface.index].send(next_hop, each, now)
