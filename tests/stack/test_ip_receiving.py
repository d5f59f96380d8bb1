"""What a host accepts from a cable and what it drops, each for its own reason."""

from __future__ import annotations

from collections import Counter

import pytest
from host_dialogue import (
    FAR,
    GATEWAY,
    GATEWAY_MAC,
    HERE,
    HERE_TOO,
    MACS,
    NEAR,
    Dialogue,
    datagram,
    echo_packet,
    frame_of,
    packet,
)

from netsim.wire import ethernet, icmp, ipv4, tcp
from netsim.wire.address import BROADCAST_MAC, LIMITED_BROADCAST, UNSPECIFIED, IpAddress, parse_ip
from netsim.wire.checksum import pseudo_header_sum

DIRECTED = parse_ip("10.0.1.255")
DIRECTED_TOO = parse_ip("10.0.2.255")
LOOPBACK = parse_ip("127.0.0.1")
GROUP = parse_ip("224.0.0.251")
GROUP_MAC = bytes.fromhex("01005e0000fb")


def syn_to(destination: IpAddress) -> bytes:
    segment = tcp.TcpSegment(4000, 80, 1, 0, tcp.SYN, 1000, b"")
    data = segment.pack(pseudo_header_sum(NEAR, destination, ipv4.PROTOCOL_TCP))
    return packet(NEAR, destination, data, protocol=ipv4.PROTOCOL_TCP)


def spoiled(frame: bytes, offset: int) -> bytes:
    return frame[:offset] + bytes([frame[offset] ^ 1]) + frame[offset + 1 :]


COMMON = [
    ("ethernet-truncated", b""),
    ("ethernet-truncated", MACS[0]),
    ("ethernet-truncated", BROADCAST_MAC + bytes(7)),
    ("ethertype-unknown", MACS[0] + bytes(6) + b"\x86\xdd" + bytes(40)),
    ("other-station", frame_of(datagram(NEAR, HERE), to=MACS[1])),
    ("ipv4-truncated", frame_of(datagram(NEAR, HERE))[:-1]),
    ("ipv4-truncated", frame_of(datagram(NEAR, HERE))[:33]),
    ("ipv4-version", frame_of(b"\x65" + datagram(NEAR, HERE)[1:])),
    ("ipv4-header-length", frame_of(b"\x44" + datagram(NEAR, HERE)[1:])),
    ("ipv4-header-length", frame_of(packet(NEAR, HERE, total_length=19))),
    ("ipv4-checksum", spoiled(frame_of(datagram(NEAR, HERE)), 24)),
    ("udp-checksum", spoiled(frame_of(datagram(NEAR, HERE, b"data")), -1 + 14 + 32)),
    ("udp-truncated", frame_of(packet(NEAR, HERE, bytes(7)))),
    ("udp-length", frame_of(packet(NEAR, HERE, bytes(8)))),
    ("icmp-truncated", frame_of(packet(NEAR, HERE, bytes(7), protocol=1))),
    ("icmp-checksum", frame_of(packet(NEAR, HERE, b"\x08" + bytes(7), protocol=1))),
    ("tcp-truncated", frame_of(packet(NEAR, HERE, bytes(7), protocol=6))),
    ("martian", frame_of(datagram(UNSPECIFIED, HERE))),
    ("martian", frame_of(datagram(parse_ip("0.1.2.3"), HERE))),
    ("martian", frame_of(datagram(LOOPBACK, HERE))),
    ("martian", frame_of(datagram(GROUP, HERE))),
    ("martian", frame_of(datagram(LIMITED_BROADCAST, HERE))),
    ("martian", frame_of(datagram(parse_ip("240.0.0.1"), HERE))),
    ("martian", frame_of(datagram(DIRECTED, HERE))),
    ("martian", frame_of(datagram(HERE, HERE))),
    ("martian", frame_of(datagram(HERE_TOO, HERE))),
    ("martian", frame_of(datagram(HERE, LIMITED_BROADCAST), to=BROADCAST_MAC)),
    ("martian", frame_of(datagram(NEAR, LOOPBACK))),
    ("martian", frame_of(datagram(NEAR, UNSPECIFIED))),
    ("martian", frame_of(datagram(NEAR, parse_ip("240.0.0.1")))),
    ("unicast-in-broadcast", frame_of(datagram(NEAR, HERE), to=BROADCAST_MAC)),
    ("unicast-in-broadcast", frame_of(datagram(NEAR, HERE), to=GROUP_MAC)),
    ("multicast-not-joined", frame_of(datagram(NEAR, GROUP), to=GROUP_MAC)),
    ("multicast-not-joined", frame_of(datagram(NEAR, GROUP))),
    ("not-for-us", frame_of(datagram(NEAR, FAR), to=BROADCAST_MAC)),
    ("fragment-length", frame_of(datagram(NEAR, HERE, b"1234", fragment=ipv4.MORE_FRAGMENTS))),
    ("fragment-length", frame_of(packet(NEAR, HERE, fragment=1))),
    ("fragment-too-far", frame_of(datagram(NEAR, HERE, b"1234", fragment=0x1FFE))),
    ("tcp-broadcast", frame_of(syn_to(DIRECTED), to=BROADCAST_MAC)),
    ("tcp-broadcast", frame_of(syn_to(LIMITED_BROADCAST), to=BROADCAST_MAC)),
]


@pytest.mark.parametrize("forwarding", [False, True])
@pytest.mark.parametrize(("reason", "frame"), COMMON)
def test_what_may_not_be_delivered_is_dropped_without_a_word(
    reason: str, frame: bytes, forwarding: bool
) -> None:
    dialogue = Dialogue(forwarding=forwarding)
    dialogue.host.tcp.listen(None, 80)
    dialogue.host.udp.bind(None, 53)
    dialogue.introduce_all()
    dialogue.expect_drop(reason, frame)
    assert not dialogue.host.ready
    assert not dialogue.host.tcp.connections()


def test_a_computer_forwards_nothing() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    dialogue.expect_drop("not-for-us", frame_of(datagram(NEAR, FAR)))
    dialogue.expect_drop("not-for-us", frame_of(datagram(NEAR, DIRECTED_TOO)))


def test_the_reason_is_told_while_the_frame_is_at_hand() -> None:
    dialogue = Dialogue()
    told: list[str] = []
    dialogue.host.on_drop = told.append
    dialogue.receive(frame_of(datagram(LOOPBACK, HERE)))
    assert told == ["martian"]
    assert dialogue.host.drops == Counter(martian=1)


@pytest.mark.parametrize("forwarding", [False, True])
@pytest.mark.parametrize(
    ("source", "destination", "to"),
    [
        (NEAR, HERE, MACS[0]),
        (NEAR, HERE_TOO, MACS[0]),
        (NEAR, DIRECTED, BROADCAST_MAC),
        (NEAR, LIMITED_BROADCAST, BROADCAST_MAC),
        (NEAR, LIMITED_BROADCAST, MACS[0]),
        (UNSPECIFIED, LIMITED_BROADCAST, BROADCAST_MAC),
    ],
)
def test_datagrams_to_an_address_or_broadcast_of_ours_are_received(
    source: IpAddress, destination: IpAddress, to: bytes, forwarding: bool
) -> None:
    dialogue = Dialogue(forwarding=forwarding)
    socket = dialogue.host.udp.bind(None, 53)
    dialogue.receive(frame_of(datagram(source, destination, b"hello"), to=to))
    received = socket.receive()
    assert received is not None
    assert received == (b"hello", (source, 4000), destination, 0)
    assert not dialogue.host.drops


def test_two_interfaces_on_one_subnet_both_hear_its_broadcasts() -> None:
    dialogue = Dialogue()
    dialogue.interfaces[1].addresses = dialogue.interfaces[0].addresses
    socket = dialogue.host.udp.bind(None, 53)
    for on in (0, 1):
        content = datagram(NEAR, DIRECTED, b"all")
        dialogue.receive(frame_of(content, to=BROADCAST_MAC, on=on), on)
    assert len(socket.inbox) == 2


def test_the_broadcast_of_another_subnet_is_not_ours_to_hear() -> None:
    dialogue = Dialogue()
    dialogue.host.udp.bind(None, 53)
    frame = frame_of(datagram(NEAR, DIRECTED_TOO), to=BROADCAST_MAC)
    dialogue.expect_drop("not-for-us", frame)


def test_options_are_tolerated_and_padding_is_cut_off() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 53)
    options = b"\x94\x04\0\0" + b"\x01" * 3 + b"\0"
    dialogue.receive(frame_of(datagram(NEAR, HERE, b"hello", options=options) + b"padding"))
    received = socket.receive()
    assert received is not None
    assert received.payload == b"hello"


def test_a_packet_that_has_arrived_may_have_no_time_to_live_left() -> None:
    dialogue = Dialogue(forwarding=True)
    socket = dialogue.host.udp.bind(None, 53)
    for ttl in (0, 1):
        dialogue.receive(frame_of(datagram(NEAR, HERE, ttl=ttl)))
    assert len(socket.inbox) == 2


def test_an_unknown_protocol_is_reported_to_its_sender() -> None:
    dialogue = Dialogue()
    dialogue.introduce(NEAR, bytes.fromhex("020000000200"))
    content = packet(NEAR, HERE, b"what is this", protocol=253)
    dialogue.receive(frame_of(content))
    header, error = dialogue.take_error()
    assert (header.source, header.destination) == (HERE, NEAR)
    assert (error.type, error.code) == (icmp.DESTINATION_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE)
    assert error.body == content
    assert dialogue.host.drops == {"protocol-unreachable": 1}


def test_an_error_tells_of_the_address_that_was_asked_for() -> None:
    # So that traceroute to a router's far side ends with the address it was given.
    dialogue = Dialogue(forwarding=True)
    dialogue.introduce_all()
    dialogue.receive(frame_of(datagram(NEAR, HERE_TOO)))
    header, error = dialogue.take_error()
    assert (header.source, header.destination) == (HERE_TOO, NEAR)
    assert error.code == icmp.PORT_UNREACHABLE


def test_addresses_are_looked_for_on_every_interface() -> None:
    dialogue = Dialogue()
    dialogue.introduce(GATEWAY, GATEWAY_MAC, on=1)
    content = echo_packet(GATEWAY, HERE)
    dialogue.receive(frame_of(content, by=GATEWAY_MAC, on=1), on=1)
    reply = dialogue.take()
    header = ipv4.parse(reply.frame, ethernet.HEADER_LENGTH)
    assert (reply.interface, header.source, header.destination) == ("eth1", HERE, GATEWAY)
