"""Parsers raise WireError on whatever is not what it claims to be, and nothing else, ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.wire import arp, ethernet, icmp, ipv4, tcp, udp
from netsim.wire.checksum import internet_checksum, pseudo_header_sum
from netsim.wire.wire_error import WireError

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"
UDP_SUM = pseudo_header_sum(A, B, ipv4.PROTOCOL_UDP)
TCP_SUM = pseudo_header_sum(A, B, ipv4.PROTOCOL_TCP)

IPV4 = ipv4.Ipv4Header(0, 32, 1, ipv4.DONT_FRAGMENT, 64, 17, A, B, b"\x94\4\0\0")
SEGMENT = tcp.TcpSegment(
    80, 40000, 1, 2, tcp.SYN | tcp.ACK, 3, b"abc", 1460, 7, True, 5, 6, ((10, 20),)
)

PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "ethernet": (ethernet.parse_header, ethernet.pack_header(b"\1" * 6, b"\2" * 6, 0x0800)),
    "arp": (
        lambda data: arp.parse(data, 0),
        arp.ArpPacket(arp.REQUEST, b"\1" * 6, A, bytes(6), B).pack(),
    ),
    "ipv4": (ipv4.parse, IPV4.pack() + bytes(8)),
    "icmp": (icmp.parse, icmp.echo(icmp.ECHO_REQUEST, 1, 2, b"abc").pack()),
    "udp": (lambda data: udp.parse(data, UDP_SUM), udp.pack(53, 40000, b"abc", UDP_SUM)),
    "tcp": (lambda data: tcp.parse(data, TCP_SUM), SEGMENT.pack(TCP_SUM)),
}


def reason_of(parse: Callable[[bytes], object], data: bytes) -> str | None:
    """Why the parser refused; None when it took the data."""
    try:
        parse(data)
    except WireError as error:
        return error.reason
    return None


def with_ipv4_checksum(header: bytes) -> bytes:
    blank = header[:10] + b"\0\0" + header[12:]
    length = (header[0] & 15) * 4
    return header[:10] + internet_checksum(blank[:length]).to_bytes(2, "big") + header[12:]


def tcp_with_options(options: bytes) -> bytes:
    return tcp.build(1, 2, 3, 4, tcp.ACK, 5, options + bytes(-len(options) % 4), b"x", TCP_SUM)


@pytest.mark.parametrize("protocol", PARSERS)
def test_what_is_well_formed_is_taken(protocol: str) -> None:
    parse, good = PARSERS[protocol]
    assert reason_of(parse, good) is None


@pytest.mark.parametrize("protocol", PARSERS)
def test_a_truncated_header_is_refused_at_every_length(protocol: str) -> None:
    parse, good = PARSERS[protocol]
    for length in range(len(good)):
        assert reason_of(parse, good[:length]) is not None, length


@pytest.mark.parametrize("protocol", ["ipv4", "icmp", "udp", "tcp"])
def test_every_flipped_bit_is_noticed(protocol: str) -> None:
    parse, good = PARSERS[protocol]
    # The checksum of IPv4 covers its header alone. A UDP length is checked before the sum.
    covered = IPV4.header_length if protocol == "ipv4" else len(good)
    for bit in range(covered * 8):
        bad = bytearray(good)
        bad[bit >> 3] ^= 0x80 >> (bit & 7)
        assert reason_of(parse, bytes(bad)) is not None, bit


@pytest.mark.parametrize("protocol", PARSERS)
@given(data=st.data())
def test_nothing_but_wire_error_escapes(protocol: str, data: st.DataObject) -> None:
    parse, good = PARSERS[protocol]
    noise = data.draw(st.binary(max_size=80), label="noise")
    at = data.draw(st.integers(0, len(good)), label="at")
    replaced = data.draw(st.integers(0, 20), label="replaced")
    reason_of(parse, noise)
    reason_of(parse, good[:at] + noise + good[at + replaced :])


@given(st.binary(min_size=20, max_size=80))
def test_ipv4_headers_with_a_good_checksum_and_arbitrary_fields(noise: bytes) -> None:
    reason_of(ipv4.parse, with_ipv4_checksum(bytes((0x40 | noise[0] & 15,)) + noise[1:]))


@given(st.binary(max_size=40), st.integers(0, 15))
def test_tcp_segments_with_a_good_checksum_and_arbitrary_options(noise: bytes, words: int) -> None:
    packed = bytearray(tcp_with_options(noise))
    packed[12] = words << 4
    packed[16:18] = bytes(2)
    packed[16:18] = internet_checksum(bytes(packed), TCP_SUM + len(packed)).to_bytes(2, "big")
    reason_of(lambda data: tcp.parse(data, TCP_SUM), bytes(packed))


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (IPV4.pack() + bytes(7), "ipv4-truncated"),
        (with_ipv4_checksum(b"\x65" + IPV4.pack()[1:] + bytes(8)), "ipv4-version"),
        (with_ipv4_checksum(b"\x44" + IPV4.pack()[1:] + bytes(8)), "ipv4-header-length"),
        (replace(IPV4, total_length=23).pack() + bytes(8), "ipv4-header-length"),
        (replace(IPV4, total_length=33).pack() + bytes(8), "ipv4-truncated"),
    ],
)
def test_ipv4_names_what_is_wrong(packet: bytes, reason: str) -> None:
    assert reason_of(ipv4.parse, packet) == reason


@pytest.mark.parametrize(
    ("position", "value"), [(1, 6), (2, 0x86), (4, 8), (5, 16), (7, 0), (7, 3)]
)
def test_arp_for_other_media_or_operations_is_refused(position: int, value: int) -> None:
    parse, good = PARSERS["arp"]
    bad = bytearray(good)
    bad[position] = value
    assert reason_of(parse, bytes(bad)) is not None


@pytest.mark.parametrize("length", [0, 7, 12])
def test_a_udp_length_that_cannot_be_is_refused(length: int) -> None:
    packed = udp.pack(1, 2, b"abc", UDP_SUM)
    assert (
        reason_of(
            lambda data: udp.parse(data, UDP_SUM),
            packed[:4] + length.to_bytes(2, "big") + packed[6:],
        )
        == "udp-length"
    )


def test_octets_behind_a_udp_datagram_are_not_its_payload() -> None:
    packed = udp.pack(1, 2, b"abc", UDP_SUM)
    assert udp.parse(packed + b"padding", UDP_SUM) == (1, 2, b"abc")


def test_udp_without_a_checksum_is_taken() -> None:
    packed = udp.pack(1, 2, b"abc", UDP_SUM)
    assert udp.parse(packed[:6] + b"\0\0" + b"xyz", UDP_SUM).payload == b"xyz"


@pytest.mark.parametrize(
    "options",
    [
        b"\x01\x01\x01\x02",
        b"\x02\x00\x05\xb4",
        b"\x02\x01\x05\xb4",
        b"\x08\x0a\x00\x00",
        b"\xfe\xff\x00\x00",
    ],
    ids=["no-length", "length-0", "length-1", "timestamps-cut", "unknown-beyond-the-end"],
)
def test_tcp_options_with_a_bad_length_are_refused(options: bytes) -> None:
    assert reason_of(lambda data: tcp.parse(data, TCP_SUM), tcp_with_options(options)) == (
        "tcp-options"
    )


def test_unknown_tcp_options_are_skipped_and_those_of_odd_length_ignored() -> None:
    options = b"\xfe\x04\xf9\x89" + b"\x02\x03\x05" + b"\x05\x09" + bytes(7) + b"\x03\x03\x02\x00"
    segment = tcp.parse(tcp_with_options(options + b"\x02\x04\x05\xb4"), TCP_SUM)
    assert segment.window_scale == 2
    # The end-of-options octet hides the MSS behind it.
    assert segment.mss is None
    assert segment.sack_blocks == ()


@pytest.mark.parametrize("words", [0, 4, 15])
def test_a_tcp_data_offset_that_cannot_be_is_refused(words: int) -> None:
    packed = bytearray(tcp_with_options(b""))
    packed[12] = words << 4
    packed[16:18] = bytes(2)
    packed[16:18] = internet_checksum(bytes(packed), TCP_SUM + len(packed)).to_bytes(2, "big")
    assert reason_of(lambda data: tcp.parse(data, TCP_SUM), bytes(packed)) == "tcp-header-length"
