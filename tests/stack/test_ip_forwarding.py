"""What a router does with packets for others, byte for byte."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from host_dialogue import (
    FAR,
    GATEWAY_MAC,
    HERE,
    HERE_TOO,
    MACS,
    NEAR,
    NEAR_MAC,
    Dialogue,
    datagram,
    echo_packet,
    frame_of,
    packet,
    sent_frame,
    show,
)
from hypothesis import given
from hypothesis import strategies as st

from netsim.stack.ip_forward import IpForward
from netsim.wire import icmp, ipv4
from netsim.wire.address import BROADCAST_MAC, LIMITED_BROADCAST, UNSPECIFIED, IpAddress, parse_ip

with warnings.catch_warnings():
    # scapy and the cryptography it imports warn about their own deprecations.
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, IPOption_RR

GROUP = parse_ip("224.0.0.251")
NOWHERE = parse_ip("192.0.2.1")


def router(mtu: int = 1500) -> Dialogue:
    dialogue = Dialogue(forwarding=True, mtu=mtu)
    dialogue.introduce_all()
    return dialogue


def scapy_packet(**fields: Any) -> bytes:
    defaults: dict[str, Any] = {"src": show(NEAR), "dst": show(FAR), "proto": 17}
    layer = IP(**(defaults | fields))
    return bytes(layer / b"twelve bytes")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ttl": 255},
        {"ttl": 2},
        {"tos": 0xB8, "id": 0xFFFF, "flags": "DF"},
        {"flags": "MF", "frag": 100},
        {"proto": 253},
        {"options": [IPOption_RR(pointer=16, routers=["10.7.7.7"] * 3)]},
        {"options": b"\x94\x04\x00\x00"},
    ],
)
def test_a_forwarded_packet_has_one_less_to_live_and_is_otherwise_the_same(
    fields: dict[str, Any],
) -> None:
    dialogue = router()
    ttl = fields.get("ttl", 64)
    dialogue.receive(frame_of(scapy_packet(**fields)))
    expected = scapy_packet(**fields | {"ttl": ttl - 1})
    dialogue.expect(sent_frame(expected, GATEWAY_MAC, on=1), on=1)
    assert dialogue.host.forwarded == 1
    assert not dialogue.host.drops


@pytest.mark.parametrize("options", [b"", b"\x01\x01\x01\x00"])
@pytest.mark.parametrize("wanted", [0x0000, 0x0001, 0x00FF, 0xFEFF, 0xFF00, 0xFFFE])
def test_checksums_near_the_two_zeroes_of_ones_complement(wanted: int, options: bytes) -> None:
    # RFC 1624 3: here the incremental update of RFC 1141 went wrong.
    def content(identification: int, ttl: int) -> bytes:
        return packet(NEAR, FAR, b"1234", identification=identification, ttl=ttl, options=options)

    identification = next(
        number for number in range(0x10000) if content(number, 64)[10:12] == wanted.to_bytes(2)
    )
    dialogue = router()
    dialogue.receive(frame_of(content(identification, 64)))
    expected = content(identification, 63)
    assert ipv4.parse(expected).ttl == 63
    dialogue.expect(sent_frame(expected, GATEWAY_MAC, on=1), on=1)


def test_padding_behind_a_packet_is_not_forwarded() -> None:
    dialogue = router()
    dialogue.receive(frame_of(datagram(NEAR, FAR, b"short") + b"padding"))
    expected = datagram(NEAR, FAR, b"short", ttl=63)
    dialogue.expect(sent_frame(expected, GATEWAY_MAC, on=1), on=1)


def test_a_packet_whose_time_has_run_out_is_reported() -> None:
    for ttl in (0, 1):
        for options in (b"", b"\x94\x04\0\0"):
            dialogue = router()
            content = packet(NEAR, FAR, ttl=ttl, options=options)
            dialogue.receive(frame_of(content))
            header, error = dialogue.take_error()
            assert (header.source, header.destination) == (HERE, NEAR)
            assert (error.type, error.code, error.rest) == (icmp.TIME_EXCEEDED, 0, 0)
            assert error.body == content
            assert dialogue.host.drops == {"ttl-exceeded": 1}
            dialogue.expect_nothing()


def test_a_packet_without_a_route_is_reported() -> None:
    dialogue = router()
    content = datagram(NEAR, NOWHERE, b"data")
    dialogue.receive(frame_of(content))
    header, error = dialogue.take_error()
    assert (header.source, header.destination) == (HERE, NEAR)
    assert (error.type, error.code) == (icmp.DESTINATION_UNREACHABLE, icmp.NETWORK_UNREACHABLE)
    assert error.body == content
    assert dialogue.host.drops == {"no-route": 1}


def test_a_packet_too_large_for_the_next_link_is_reported_with_its_mtu() -> None:
    dialogue = router(mtu=600)
    exact = packet(NEAR, FAR, bytes(580), fragment=ipv4.DONT_FRAGMENT)
    dialogue.receive(frame_of(exact))
    assert dialogue.take().interface == "eth1"
    content = packet(NEAR, FAR, bytes(581), fragment=ipv4.DONT_FRAGMENT)
    dialogue.receive(frame_of(content))
    _, error = dialogue.take_error()
    assert (error.type, error.code) == (icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED)
    assert (error.rest, error.next_hop_mtu) == (600, 600)
    assert error.body == content[: 576 - 28]
    assert dialogue.host.drops == {"too-big": 1}


@pytest.mark.parametrize("known", [True, False])
def test_a_packet_back_to_where_it_came_from_is_forwarded(known: bool) -> None:
    dialogue = router()
    other, mac = parse_ip("10.0.1.3"), bytes.fromhex("020000000400")
    if known:
        dialogue.introduce(other, mac)
    dialogue.receive(frame_of(datagram(NEAR, other)))
    if not known:
        dialogue.take()
        dialogue.introduce(other, mac)
        return
    dialogue.expect(sent_frame(datagram(NEAR, other, ttl=63), mac))


@pytest.mark.parametrize("ttl", [1, 64])
def test_directed_broadcasts_are_not_forwarded(ttl: int) -> None:
    dialogue = router()
    content = datagram(NEAR, parse_ip("10.0.2.255"), ttl=ttl)
    dialogue.expect_drop("directed-broadcast", frame_of(content))


@pytest.mark.parametrize(
    ("reason", "source", "destination", "to"),
    [
        ("multicast-not-joined", NEAR, GROUP, MACS[0]),
        ("udp-no-port", NEAR, LIMITED_BROADCAST, MACS[0]),
        ("martian", NEAR, parse_ip("250.0.0.1"), MACS[0]),
        ("martian", NEAR, parse_ip("127.0.0.1"), MACS[0]),
        ("martian", NEAR, parse_ip("0.0.0.1"), MACS[0]),
        ("martian", HERE, FAR, MACS[0]),
        ("martian", HERE_TOO, FAR, MACS[0]),
        ("martian", parse_ip("10.0.2.255"), FAR, MACS[0]),
        ("martian", UNSPECIFIED, FAR, MACS[0]),
        ("martian", LIMITED_BROADCAST, FAR, MACS[0]),
        ("martian", GROUP, FAR, MACS[0]),
        ("martian", parse_ip("127.0.0.1"), FAR, MACS[0]),
        ("not-for-us", NEAR, FAR, BROADCAST_MAC),
    ],
)
def test_a_default_route_does_not_draw_in_what_may_not_be_forwarded(
    reason: str, source: IpAddress, destination: IpAddress, to: bytes
) -> None:
    dialogue = router()
    interface = dialogue.interfaces[1]
    gateway = parse_ip("10.0.2.2")
    dialogue.host.install_routes([dialogue.host.route_via(UNSPECIFIED, 0, gateway, interface)])
    dialogue.expect_drop(reason, frame_of(datagram(source, destination), to=to))
    assert dialogue.host.forwarded == 0


def test_a_bad_checksum_is_not_forwarded() -> None:
    dialogue = router()
    content = bytearray(datagram(NEAR, FAR))
    content[1] ^= 4
    dialogue.expect_drop("ipv4-checksum", frame_of(bytes(content)))


def test_a_route_over_a_dead_interface_is_none() -> None:
    dialogue = router()
    dialogue.receive(frame_of(datagram(NEAR, FAR)))
    dialogue.take()
    dialogue.host.set_carrier(dialogue.interfaces[1], False)
    dialogue.receive(frame_of(datagram(NEAR, FAR)))
    _, error = dialogue.take_error()
    assert error.code == icmp.NETWORK_UNREACHABLE


def test_a_stale_neighbour_is_used_and_probed_by_what_is_forwarded() -> None:
    dialogue = router()
    dialogue.run(100 * 10**9)
    dialogue.receive(frame_of(datagram(NEAR, FAR)))
    assert dialogue.take().frame[:6] == GATEWAY_MAC
    probe = dialogue.take(dialogue.now + 5 * 10**9)
    assert (probe.at, probe.frame[:6]) == (105 * 10**9, GATEWAY_MAC)


OCTETS = st.integers(0, 255)
SOURCES = st.one_of(
    st.sampled_from([NEAR, HERE, HERE_TOO, UNSPECIFIED, LIMITED_BROADCAST, GROUP]),
    st.tuples(OCTETS, OCTETS, OCTETS, OCTETS).map(bytes),
)
DESTINATIONS = st.one_of(
    st.sampled_from([NEAR, FAR, HERE, HERE_TOO, LIMITED_BROADCAST, GROUP, NOWHERE]),
    st.sampled_from([parse_ip("10.0.1.255"), parse_ip("10.0.2.255"), parse_ip("10.9.255.255")]),
    st.tuples(OCTETS, OCTETS, OCTETS, OCTETS).map(bytes),
)
FRAMES = st.builds(
    lambda source, destination, size, fields, mac, tail: (
        frame_of(packet(source, destination, bytes(size), **fields), to=mac) + tail
    ),
    SOURCES,
    DESTINATIONS,
    st.integers(0, 600),
    st.fixed_dictionaries(
        {},
        optional={
            "ttl": st.sampled_from([0, 1, 2, 64, 255]),
            "tos": OCTETS,
            "identification": st.integers(0, 0xFFFF),
            "fragment": st.sampled_from([0, 0x4000, 0x2000, 1]),
            "protocol": st.sampled_from([1, 6, 17, 253]),
            "total_length": st.integers(0, 700),
        },
    ),
    st.sampled_from([MACS[0], BROADCAST_MAC, b"\x01\0\x5e\0\0\1"]),
    st.sampled_from([b"", b"padding"]),
)


@given(FRAMES, st.booleans(), st.integers(0, 2000))
def test_the_short_way_and_the_long_way_do_the_same(
    frame: bytes, default_route: bool, flip: int
) -> None:
    if flip < len(frame):
        mutable = bytearray(frame)
        mutable[flip] ^= 1 << flip % 8
        frame = bytes(mutable)
    seen = []
    for long_way in (False, True):
        dialogue = router(mtu=576)
        if default_route:
            gateway = parse_ip("10.0.2.2")
            route = dialogue.host.route_via(UNSPECIFIED, 0, gateway, dialogue.interfaces[1])
            dialogue.host.install_routes([route])
        with pytest.MonkeyPatch.context() as patch:
            if long_way:
                patch.setattr(IpForward, "forward_plainly", lambda *_: False)
            dialogue.receive(frame)
        seen.append((dialogue.sent, dialogue.host.drops, dialogue.host.forwarded))
    assert seen[0] == seen[1]


def test_the_short_way_is_taken() -> None:
    dialogue = router()
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(IpForward, "forward")
        dialogue.receive(frame_of(echo_packet(NEAR, FAR)))
        dialogue.receive(frame_of(echo_packet(FAR, NEAR), by=GATEWAY_MAC, on=1), on=1)
    assert [sent.frame[:6] for sent in dialogue.sent] == [GATEWAY_MAC, NEAR_MAC]


def test_where_nothing_leads_the_time_to_live_says_nothing() -> None:
    """As in Linux: the route is looked up first."""
    dialogue = router()
    dialogue.receive(frame_of(packet(NEAR, parse_ip("192.0.2.1"), b"1234", ttl=1)))
    assert dict(dialogue.host.drops) == {"no-route": 1}
