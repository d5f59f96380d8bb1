"""What a host does with IP packets that arrive (RFC 791, RFC 1122 3.2, RFC 1812 5.2): it drops
what must not be, delivers what is its own and leaves the rest to forwarding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netsim.core.host_faults import PacketFault
from netsim.stack.fragment_reassembly import Reassembly
from netsim.stack.icmp_layer import Icmp
from netsim.stack.interface import Interface
from netsim.stack.ip_forward import IpForward
from netsim.stack.ip_layer import UNICAST, Ip
from netsim.stack.packet_faults import vanishes
from netsim.stack.timers import Timers
from netsim.stack.upper import Upper
from netsim.wire import ethernet, icmp, ipv4, ipv4_options
from netsim.wire.address import (
    LIMITED_BROADCAST,
    UNSPECIFIED,
    IpAddress,
    is_multicast_ip,
    is_multicast_mac,
)

_ETHERNET: Final = ethernet.HEADER_LENGTH


class IpInput:
    """Takes the IP packets of one host. `forward` makes it a router."""

    def __init__(
        self,
        ip: Ip,
        icmp_layer: Icmp,
        uppers: dict[int, Upper],
        forward: IpForward | None,
        count: Callable[[str], None],
        timers: Timers,
    ) -> None:
        self.faults: tuple[PacketFault, ...] = ()
        """Packets for this host that vanish."""
        self.reassembly = Reassembly(timers, count, icmp_layer.send_error)
        self.looped_packets = 0
        self.looped_bytes = 0
        """Of what this host has sent to itself and was delivered; octets of whole packets."""
        self._ip = ip
        self._own = ip.own
        self._local = ip.local
        self._looped = ip.looped
        self._icmp = icmp_layer
        self._uppers = uppers
        self._forward = forward
        self._count = count

    def receive(self, interface: Interface, frame: bytes, now: int) -> None:
        """Take an IPv4 frame: drop what must not be, deliver what is ours, forward the rest."""
        forward = self._forward
        if forward is not None and forward.forward_plainly(frame, now):
            return
        header = ipv4.parse(frame, _ETHERNET)
        if self._is_martian(header):
            self._count("martian")
            return
        destination = header.destination
        packet = frame[_ETHERNET : _ETHERNET + header.total_length]
        if destination in self._local:
            if is_multicast_mac(frame[:6]):
                # RFC 1122 3.3.6: a unicast packet in a broadcast frame is discarded.
                self._count("unicast-in-broadcast")
                return
            self._deliver(header, packet, now)
        elif destination == LIMITED_BROADCAST or destination in interface.broadcasts():
            self._deliver(header, packet, now)
        elif is_multicast_ip(destination):
            self._count("multicast-not-joined")
        elif forward is None or is_multicast_mac(frame[:6]):
            self._count("not-for-us")
        elif self._ip.is_broadcast(destination):
            # RFC 2644: directed broadcasts are not forwarded.
            self._count("directed-broadcast")
        elif not header.options or self._accepts_options(header.options, packet, now):
            forward.forward(header, packet, now)

    def deliver_looped(self, now: int) -> None:
        """Deliver what this host has sent to itself, and what it answers to that."""
        while self._looped:
            packet = self._looped.popleft()
            self.looped_packets += 1
            self.looped_bytes += len(packet)
            self._deliver(ipv4.parse(packet), packet, now)

    def _is_martian(self, header: ipv4.Ipv4Header) -> bool:
        """RFC 1812 5.3.7, RFC 1122 3.2.1.3: addresses that may not appear on a wire."""
        source, destination = header.source, header.destination
        if destination == LIMITED_BROADCAST:
            # A host that asks for its address (DHCP) has none yet.
            return source != UNSPECIFIED and self._is_nobody(source)
        return self._is_nobody(source) or not (
            UNICAST[destination[0]] or is_multicast_ip(destination)
        )

    def _is_nobody(self, source: IpAddress) -> bool:
        """Whether a packet from there is a lie: not one station's address, or our own."""
        return not UNICAST[source[0]] or source in self._own

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
        if header.options and header.destination in self._local:
            header.options = ipv4_options.record(header.options, header.destination)
        if self.faults and vanishes(self.faults, header, payload):
            self._count("fault")
            return
        upper = self._uppers.get(header.protocol)
        if upper is not None:
            upper.receive(header, payload, now)
            return
        self._count("protocol-unreachable")
        self._icmp.send_error(icmp.DESTINATION_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE, packet, now)

    def _accepts_options(self, options: bytes, packet: bytes, now: int) -> bool:
        """RFC 1122 3.2.1.8, RFC 1812 5.2.4: unknown options are passed over, malformed ones
        reported. Whoever routes around our tables is up to no good (RFC 7126 4.3, 4.4)."""
        try:
            kinds = ipv4_options.verify(options)
        except ipv4_options.OptionError as error:
            self._count(error.reason)
            self._icmp.send_error(icmp.PARAMETER_PROBLEM, 0, packet, now, rest=error.pointer << 24)
            return False
        if ipv4_options.LOOSE_SOURCE_ROUTE in kinds or ipv4_options.STRICT_SOURCE_ROUTE in kinds:
            self._count("source-route")
            return False
        return True
