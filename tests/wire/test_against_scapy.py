"""Every wire format byte for byte against scapy, in both directions."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.wire import arp, ethernet, icmp, ipv4, tcp, udp
from netsim.wire.address import format_ip, format_mac
from netsim.wire.checksum import pseudo_header_sum

with warnings.catch_warnings():
    # scapy and the cryptography it imports warn about their own deprecations.
    warnings.simplefilter("ignore")
    from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
    from scapy.layers.l2 import ARP, Ether

MACS = st.binary(min_size=6, max_size=6)
IPS = st.binary(min_size=4, max_size=4)
OCTETS = st.integers(0, 0xFF)
WORDS = st.integers(0, 0xFFFF)
LONGS = st.integers(0, 0xFFFFFFFF)
PAYLOADS = st.binary(max_size=64)

SOURCE, DESTINATION = b"\x0a\0\0\1", b"\x0a\0\3\x0a"


def ip_layer(protocol: int, **fields: Any) -> Any:
    return IP(src=format_ip(SOURCE), dst=format_ip(DESTINATION), proto=protocol, **fields)


def payload_of(packet: Any) -> bytes:
    """What scapy puts behind the IP header, checksums computed over the pseudo-header."""
    return bytes(packet)[20:]


@given(MACS, MACS, WORDS, PAYLOADS)
def test_ethernet(destination: bytes, source: bytes, ethertype: int, payload: bytes) -> None:
    theirs = bytes(
        Ether(dst=format_mac(destination), src=format_mac(source), type=ethertype) / payload
    )
    assert ethernet.pack_header(destination, source, ethertype) + payload == theirs
    assert ethernet.parse_header(theirs) == (destination, source, ethertype)


@given(st.sampled_from([arp.REQUEST, arp.REPLY]), MACS, IPS, MACS, IPS)
def test_arp(
    operation: int, sender_mac: bytes, sender: bytes, target_mac: bytes, target: bytes
) -> None:
    theirs = bytes(
        ARP(
            op=operation,
            hwsrc=format_mac(sender_mac),
            psrc=format_ip(sender),
            hwdst=format_mac(target_mac),
            pdst=format_ip(target),
        )
    )
    ours = arp.ArpPacket(operation, sender_mac, sender, target_mac, target)
    assert ours.pack() == theirs
    assert arp.parse(bytes(14) + theirs, 14) == ours


@given(
    tos=OCTETS,
    identification=WORDS,
    flags=st.integers(0, 7),
    offset=st.integers(0, 0x1FFF),
    ttl=OCTETS,
    protocol=OCTETS,
    addresses=st.tuples(IPS, IPS),
    options=st.lists(st.sampled_from([b"\1", b"\x94\4\0\0", b"\7\7\4\0\0\0\0", b"\0"]), max_size=5),
    payload=PAYLOADS,
)
def test_ipv4(
    tos: int,
    identification: int,
    flags: int,
    offset: int,
    ttl: int,
    protocol: int,
    addresses: tuple[bytes, bytes],
    options: list[bytes],
    payload: bytes,
) -> None:
    source, destination = addresses
    raw_options = b"".join(options)
    raw_options += bytes(-len(raw_options) % 4)
    theirs = bytes(
        IP(
            tos=tos,
            id=identification,
            flags=flags,
            frag=offset,
            ttl=ttl,
            proto=protocol,
            src=format_ip(source),
            dst=format_ip(destination),
            options=IPOption(raw_options) if raw_options else [],
        )
        / payload
    )
    ours = ipv4.Ipv4Header(
        tos,
        20 + len(raw_options) + len(payload),
        identification,
        flags << 13 | offset,
        ttl,
        protocol,
        source,
        destination,
        raw_options,
    )
    assert ours.pack() + payload == theirs
    assert ipv4.parse(theirs) == ours
    assert ours.header_length == len(theirs) - len(payload)
    assert ours.is_fragment == bool(flags & 1 or offset)


@given(st.sampled_from([icmp.ECHO_REQUEST, icmp.ECHO_REPLY]), WORDS, WORDS, PAYLOADS)
def test_icmp_echo(kind: int, identifier: int, sequence: int, data: bytes) -> None:
    theirs = bytes(ICMP(type=kind, id=identifier, seq=sequence) / data)
    ours = icmp.echo(kind, identifier, sequence, data)
    assert ours.pack() == theirs
    parsed = icmp.parse(theirs)
    assert parsed == ours
    assert (parsed.identifier, parsed.sequence, parsed.body) == (identifier, sequence, data)


@given(st.integers(0, 15), WORDS, PAYLOADS)
def test_icmp_destination_unreachable(code: int, mtu: int, quoted: bytes) -> None:
    next_hop_mtu = mtu if code == icmp.FRAGMENTATION_NEEDED else 0
    theirs = bytes(
        ICMP(type=icmp.DESTINATION_UNREACHABLE, code=code, nexthopmtu=next_hop_mtu) / quoted
    )
    ours = icmp.IcmpMessage(icmp.DESTINATION_UNREACHABLE, code, next_hop_mtu, quoted)
    assert ours.pack() == theirs
    assert icmp.parse(theirs) == ours
    assert icmp.parse(theirs).next_hop_mtu == next_hop_mtu


@given(st.sampled_from([icmp.TTL_EXCEEDED, icmp.REASSEMBLY_TIME_EXCEEDED]), PAYLOADS)
def test_icmp_time_exceeded(code: int, quoted: bytes) -> None:
    theirs = bytes(ICMP(type=icmp.TIME_EXCEEDED, code=code) / quoted)
    ours = icmp.IcmpMessage(icmp.TIME_EXCEEDED, code, 0, quoted)
    assert ours.pack() == theirs
    assert icmp.parse(theirs) == ours


@given(WORDS, WORDS, PAYLOADS)
def test_udp(source_port: int, destination_port: int, payload: bytes) -> None:
    theirs = payload_of(ip_layer(17) / UDP(sport=source_port, dport=destination_port) / payload)
    pseudo_sum = pseudo_header_sum(SOURCE, DESTINATION, ipv4.PROTOCOL_UDP)
    assert udp.pack(source_port, destination_port, payload, pseudo_sum) == theirs
    assert udp.parse(theirs, pseudo_sum) == (source_port, destination_port, payload)


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    pseudo_sum = pseudo_header_sum(SOURCE, DESTINATION, ipv4.PROTOCOL_UDP)
    for word in range(0x10000):
        packed = udp.pack(1, 2, word.to_bytes(2, "big"), pseudo_sum)
        assert packed[6:8] != b"\0\0"
        if packed[6:8] == b"\xff\xff":
            break
    else:
        pytest.fail("one of all words sums to zero")
    assert packed == payload_of(ip_layer(17) / UDP(sport=1, dport=2) / packed[8:])
    assert udp.parse(packed, pseudo_sum).payload == packed[8:]


@given(
    ports=st.tuples(WORDS, WORDS),
    numbers=st.tuples(LONGS, LONGS),
    flags=OCTETS,
    window=WORDS,
    payload=PAYLOADS,
    mss=st.none() | WORDS,
    window_scale=st.none() | st.integers(0, 14),
    sack_permitted=st.booleans(),
    timestamps=st.none() | st.tuples(LONGS, LONGS),
    sack_blocks=st.lists(st.tuples(LONGS, LONGS), max_size=2),
)
def test_tcp(
    ports: tuple[int, int],
    numbers: tuple[int, int],
    flags: int,
    window: int,
    payload: bytes,
    mss: int | None,
    window_scale: int | None,
    sack_permitted: bool,
    timestamps: tuple[int, int] | None,
    sack_blocks: list[tuple[int, int]],
) -> None:
    ours = tcp.TcpSegment(
        ports[0],
        ports[1],
        numbers[0],
        numbers[1],
        flags,
        window,
        payload,
        mss=mss,
        window_scale=window_scale,
        sack_permitted=sack_permitted,
        timestamp=timestamps[0] if timestamps else None,
        timestamp_echo=timestamps[1] if timestamps else 0,
        sack_blocks=tuple(sack_blocks),
    )
    pseudo_sum = pseudo_header_sum(SOURCE, DESTINATION, ipv4.PROTOCOL_TCP)
    packed = ours.pack(pseudo_sum)

    layer = TCP(
        sport=ports[0],
        dport=ports[1],
        seq=numbers[0],
        ack=numbers[1],
        flags=flags,
        window=window,
        options=scapy_options(ours),
    )
    theirs = payload_of(ip_layer(6) / layer / payload)
    assert packed == theirs
    assert tcp.parse(theirs, pseudo_sum) == ours

    understood = TCP(packed)
    meaningful = [option for option in understood.options if option[0] not in ("NOP", "EOL")]
    assert meaningful == [option for option in scapy_options(ours) if option[0] != "NOP"]
    assert bytes(understood.payload) == payload


def scapy_options(segment: tcp.TcpSegment) -> list[tuple[str, Any]]:
    """The options in Linux's order (tcp_options_write), as scapy spells them."""
    nop: tuple[str, Any] = ("NOP", None)
    options: list[tuple[str, Any]] = []
    if segment.mss is not None:
        options.append(("MSS", segment.mss))
    if segment.sack_permitted:
        options.append(("SAckOK", b""))
    if segment.timestamp is not None:
        if not segment.sack_permitted:
            options += [nop, nop]
        options.append(("Timestamp", (segment.timestamp, segment.timestamp_echo)))
    if segment.window_scale is not None:
        options += [nop, ("WScale", segment.window_scale)]
    if segment.sack_blocks:
        edges = tuple(edge for block in segment.sack_blocks for edge in block)
        options += [nop, nop, ("SAck", edges)]
    if segment.sack_permitted and segment.timestamp is None:
        options += [nop, nop]
    return options


def test_the_largest_sack_options_fill_the_header() -> None:
    pseudo_sum = pseudo_header_sum(SOURCE, DESTINATION, ipv4.PROTOCOL_TCP)
    blocks = tuple((start, start + 10) for start in range(0, 80, 20))
    plain = tcp.TcpSegment(1, 2, 3, 4, tcp.ACK, 5, b"x", sack_blocks=blocks)
    stamped = tcp.TcpSegment(
        1, 2, 3, 4, tcp.ACK, 5, b"x", timestamp=6, timestamp_echo=7, sack_blocks=blocks[:3]
    )
    for segment, octets in ((plain, 36), (stamped, 40)):
        assert len(segment.pack_options()) == octets <= tcp.MAX_OPTIONS
        assert tcp.parse(segment.pack(pseudo_sum), pseudo_sum) == segment


def test_the_short_cut_for_timestamps_is_the_option() -> None:
    segment = tcp.TcpSegment(1, 2, 3, 4, tcp.ACK, 5, timestamp=6, timestamp_echo=7)
    assert tcp.timestamp_option(6, 7) == segment.pack_options()
