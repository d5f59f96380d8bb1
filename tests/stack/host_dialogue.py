"""A dialogue with times: one host under test, and a test that plays everything on its cables.

The host has `eth0` (10.0.1.1/24) and `eth1` (10.0.2.1/24); 10.9.0.0/16 lies behind the router
10.0.2.2. Times are ns of network time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from netsim.core.streams import RandomStreams
from netsim.stack.host import Host
from netsim.stack.interface import Interface, InterfaceAddress
from netsim.wire import arp, ethernet, icmp, ipv4, udp
from netsim.wire.address import (
    BROADCAST_MAC,
    IpAddress,
    MacAddress,
    format_ip,
    parse_ip,
)
from netsim.wire.checksum import pseudo_header_sum

MACS = (bytes.fromhex("020000000100"), bytes.fromhex("020000000101"))
"""Of the host's interfaces."""
HERE = parse_ip("10.0.1.1")
HERE_TOO = parse_ip("10.0.2.1")
NEAR = parse_ip("10.0.1.2")
NEAR_MAC = bytes.fromhex("020000000200")
GATEWAY = parse_ip("10.0.2.2")
GATEWAY_MAC = bytes.fromhex("020000000300")
FAR = parse_ip("10.9.0.1")
NO_MAC = bytes(6)


class Sent(NamedTuple):
    """A frame that left the host, and when and where."""

    at: int
    interface: str
    frame: bytes


class Dialogue:
    """Whatever names a time first lets everything before it happen."""

    def __init__(self, *, forwarding: bool = False, mtu: int = 1500, seed: int = 1) -> None:
        self.now = 0
        self.sent: list[Sent] = []
        self.interfaces = [
            Interface(0, "eth0", MACS[0], (InterfaceAddress(HERE, 24),)),
            Interface(1, "eth1", MACS[1], (InterfaceAddress(HERE_TOO, 24),), mtu),
        ]
        self.host = Host(self.interfaces, RandomStreams(seed), forwarding=forwarding)
        self.host.install_routes(
            [self.host.route_via(parse_ip("10.9.0.0"), 16, GATEWAY, self.interfaces[1])]
        )

    # Time

    def run(self, until: int) -> None:
        """Let every timer up to `until` fire."""
        self._collect()
        while (due := self.host.next_timer()) is not None and due <= until:
            self.now = max(self.now, due)
            self.host.handle_timer(self.now)
            self._collect()
        self.now = max(self.now, until)

    def _collect(self) -> None:
        self.host.flush(self.now)
        for interface, frame in self.host.outbox:
            self.sent.append(Sent(self.now, interface.name, frame))
        self.host.outbox.clear()

    # The cables speak

    def receive(self, frame: bytes, on: int = 0) -> None:
        """A frame arrives now."""
        self._collect()
        self.host.receive_frame(self.interfaces[on], frame, self.now)
        self._collect()

    def introduce(self, address: IpAddress, mac: MacAddress, on: int = 0) -> None:
        """A neighbour asks for us, so that the host knows it."""
        self.receive(
            arp_frame(arp.REQUEST, mac, address, NO_MAC, HERE if on == 0 else HERE_TOO), on
        )
        self.sent.clear()

    def introduce_all(self) -> None:
        """Both neighbours are known."""
        self.introduce(NEAR, NEAR_MAC)
        self.introduce(GATEWAY, GATEWAY_MAC, on=1)

    # What we expect

    def expect(self, frame: bytes, *, at: int | None = None, on: int = 0) -> None:
        """The next frame is this one and leaves on that interface, and then."""
        sent = self.take(at)
        assert (sent.interface, sent.frame.hex(" ")) == (f"eth{on}", frame.hex(" "))
        assert at is None or sent.at == at

    def take(self, until: int | None = None) -> Sent:
        """The next frame, whatever it is."""
        self._collect()
        if not self.sent and until is not None:
            self.run(until)
        assert self.sent, "nothing was sent"
        return self.sent.pop(0)

    def expect_nothing(self, until: int | None = None) -> None:
        """Nothing was sent, nor will be up to `until`."""
        self.run(self.now if until is None else until)
        assert not self.sent, [(at, name, frame.hex(" ")) for at, name, frame in self.sent]

    def expect_drop(self, reason: str, frame: bytes, on: int = 0) -> None:
        """This frame is dropped for that reason, for no other, and without a word."""
        before = self.host.drops.copy()
        self.receive(frame, on)
        assert dict(self.host.drops - before) == {reason: 1}
        self.expect_nothing()

    def take_packet(self, until: int | None = None) -> ipv4.Ipv4Header:
        """The next frame's IPv4 header."""
        return ipv4.parse(self.take(until).frame, ethernet.HEADER_LENGTH)

    def take_error(self, until: int | None = None) -> tuple[ipv4.Ipv4Header, icmp.IcmpMessage]:
        """The next frame is ICMP: its IPv4 header, and the message."""
        frame = self.take(until).frame
        header = ipv4.parse(frame, ethernet.HEADER_LENGTH)
        assert header.protocol == ipv4.PROTOCOL_ICMP
        return header, icmp.parse(frame[ethernet.HEADER_LENGTH + header.header_length :])


def arp_frame(
    operation: int,
    sender_mac: MacAddress,
    sender: IpAddress,
    target_mac: MacAddress,
    target: IpAddress,
    *,
    to: MacAddress | None = None,
) -> bytes:
    """An ARP packet in its frame; a question without a target MAC is broadcast."""
    destination = to or (BROADCAST_MAC if target_mac == NO_MAC else target_mac)
    packet = arp.ArpPacket(operation, sender_mac, sender, target_mac, target)
    return ethernet.pack_header(destination, sender_mac, ethernet.ETHERTYPE_ARP) + packet.pack()


def ask(target: IpAddress, on: int = 0, target_mac: MacAddress = NO_MAC) -> bytes:
    """What the host under test sends to find `target`, or to see whether it is still there."""
    own = HERE if on == 0 else HERE_TOO
    return arp_frame(arp.REQUEST, MACS[on], own, target_mac, target)


def answer(address: IpAddress, mac: MacAddress, on: int = 0) -> bytes:
    """What a neighbour answers."""
    return arp_frame(arp.REPLY, mac, address, MACS[on], HERE if on == 0 else HERE_TOO)


def packet(
    source: IpAddress,
    destination: IpAddress,
    payload: bytes = b"",
    *,
    protocol: int = ipv4.PROTOCOL_UDP,
    **fields: Any,
) -> bytes:
    """An IPv4 packet; `fields` are those of `Ipv4Header`."""
    options = fields.get("options", b"")
    total = fields.pop("total_length", ipv4.HEADER_LENGTH + len(options) + len(payload))
    header = ipv4.Ipv4Header(
        tos=fields.pop("tos", 0),
        total_length=total,
        identification=fields.pop("identification", 7),
        fragment=fields.pop("fragment", 0),
        ttl=fields.pop("ttl", 64),
        protocol=protocol,
        source=source,
        destination=destination,
        **fields,
    )
    return header.pack() + payload


def datagram(
    source: IpAddress,
    destination: IpAddress,
    payload: bytes = b"",
    ports: tuple[int, int] = (4000, 53),
    **fields: Any,
) -> bytes:
    """An IPv4 packet with a UDP datagram."""
    pseudo_sum = pseudo_header_sum(source, destination, ipv4.PROTOCOL_UDP)
    return packet(source, destination, udp.pack(*ports, payload, pseudo_sum), **fields)


def echo_packet(
    source: IpAddress, destination: IpAddress, *, kind: int = icmp.ECHO_REQUEST, **fields: Any
) -> bytes:
    """An IPv4 packet with an ICMP echo, identifier 5, sequence 6."""
    payload = icmp.echo(kind, 5, 6, b"data").pack()
    return packet(source, destination, payload, protocol=ipv4.PROTOCOL_ICMP, **fields)


def frame_of(
    content: bytes, *, to: MacAddress | None = None, by: MacAddress = NEAR_MAC, on: int = 0
) -> bytes:
    """An IPv4 packet in a frame to the host under test."""
    return ethernet.pack_header(to or MACS[on], by, ethernet.ETHERTYPE_IPV4) + content


def sent_frame(content: bytes, to: MacAddress, on: int = 0) -> bytes:
    """An IPv4 packet in a frame from the host under test."""
    return ethernet.pack_header(to, MACS[on], ethernet.ETHERTYPE_IPV4) + content


def show(address: IpAddress) -> str:
    """For scapy."""
    return format_ip(address)
