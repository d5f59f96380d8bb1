"""Frames in a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from netsim.observe.summary import summarise

ETHER = Ether(src="02:00:00:01:00:00", dst="02:00:00:02:00:00")
ADDRESSES = IP(src="10.0.1.10", dst="10.0.3.10")


@pytest.mark.parametrize(
    ("packet", "line"),
    [
        (
            ETHER / ADDRESSES / TCP(sport=49152, dport=80, flags="S", seq=7, window=100),
            "10.0.1.10.49152 > 10.0.3.10.80: TCP [S] seq 7 ack 0 win 100 len 0",
        ),
        (
            ETHER
            / ADDRESSES
            / TCP(sport=1, dport=80, flags="PA", seq=1, ack=2, window=3)
            / Raw(b"GET /ip HTTP/1.1\r\nHost: web\r\n\r\n"),
            "10.0.1.10.1 > 10.0.3.10.80: TCP [P.] seq 1 ack 2 win 3 len 31: GET /ip HTTP/1.1",
        ),
        (
            ETHER
            / ADDRESSES
            / TCP(sport=1, dport=80, flags="A", seq=1, ack=2, window=3)
            / b"\0\xff",
            "10.0.1.10.1 > 10.0.3.10.80: TCP [.] seq 1 ack 2 win 3 len 2",
        ),
        (
            ETHER / ADDRESSES / UDP(sport=5, dport=53) / b"abc",
            "10.0.1.10.5 > 10.0.3.10.53: UDP, length 3",
        ),
        (
            ETHER / ADDRESSES / ICMP(type=8, id=3, seq=4) / b"12345678",
            "10.0.1.10 > 10.0.3.10: ICMP echo request, id 3, seq 4, length 16",
        ),
        (
            ETHER / ADDRESSES / ICMP(type=3, code=1) / b"12345678",
            "10.0.1.10 > 10.0.3.10: ICMP host unreachable, length 16",
        ),
        (
            ETHER / ADDRESSES / ICMP(type=11) / b"",
            "10.0.1.10 > 10.0.3.10: ICMP time exceeded, length 8",
        ),
        (
            ETHER / IP(src="10.0.1.10", dst="10.0.3.10", proto=89) / b"abcd",
            "10.0.1.10 > 10.0.3.10: proto 89, length 4",
        ),
        (
            ETHER / ARP(op=1, hwsrc="02:00:00:01:00:00", psrc="10.0.1.10", pdst="10.0.1.1"),
            "ARP who-has 10.0.1.1 tell 10.0.1.10",
        ),
        (
            ETHER / ARP(op=2, hwsrc="02:00:00:02:00:00", psrc="10.0.1.1", pdst="10.0.1.10"),
            "ARP reply 10.0.1.1 is-at 02:00:00:02:00:00",
        ),
        (
            Ether(src="02:00:00:01:00:00", dst="02:00:00:02:00:00", type=0x88CC) / b"abcd",
            "02:00:00:01:00:00 > 02:00:00:02:00:00: ethertype 0x88cc, length 18",
        ),
    ],
)
def test_what_a_frame_is(packet: Ether, line: str) -> None:
    assert summarise(bytes(packet)) == line


def test_a_fragment_has_no_ports() -> None:
    whole = ADDRESSES / UDP(sport=5, dport=53) / (b"x" * 2000)
    lines = [summarise(bytes(ETHER / part)) for part in fragment(whole, 1480)]
    assert lines == [
        "10.0.1.10 > 10.0.3.10: IP fragment, proto 17, length 1480",
        "10.0.1.10 > 10.0.3.10: IP fragment, proto 17, length 528",
    ]


def test_a_flipped_bit_is_seen() -> None:
    frame = bytearray(bytes(ETHER / ADDRESSES / UDP(sport=5, dport=53) / b"abc"))
    frame[-1] ^= 1
    assert summarise(bytes(frame)) == f"malformed (udp-checksum), {len(frame)} bytes"


@given(
    st.binary(max_size=100), st.sampled_from([b"", b"\x08\x00", b"\x08\x06", b"\x08\x00\x45\x00"])
)
def test_nothing_is_too_broken_to_be_said(rest: bytes, kind: bytes) -> None:
    line = summarise((bytes(12) + kind + rest) if kind else rest)
    assert line.isprintable()
