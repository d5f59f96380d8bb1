"""Frames in a line, beside what tcpdump prints of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pcap_files import tcpdump, write_pcap
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from netsim import Network, run
from netsim.observe.frame_lines import FrameLines, summarise
from netsim.observe.pcapng import Packet as Captured
from netsim.observe.pcapng import PcapngReader, read_block

ETHER = Ether(src="02:00:00:01:00:00", dst="02:00:00:02:00:00")
ADDRESSES = IP(src="10.0.1.10", dst="10.0.3.10")
BACK = IP(src="10.0.3.10", dst="10.0.1.10")
SACK = [("NOP", None), ("NOP", None), ("SAck", (1101, 1201, 1301, 1401))]
TIMES = [("Timestamp", (1, 2))]
REQUEST = b"GET /ip HTTP/1.1\r\n\r\n"
QUOTE = ADDRESSES / UDP(sport=5, dport=33434) / b"12345678"
NAME = "www.web.campus.test"


def dns(source: int, destination: int, **fields: Any) -> Packet:
    return ADDRESSES / UDP(sport=source, dport=destination) / DNS(id=77, **fields)


PACKETS = [
    ADDRESSES / TCP(sport=49152, dport=80, flags="S", seq=7, options=[("MSS", 1460)]),
    BACK / TCP(sport=80, dport=49152, flags="SA", seq=1000, ack=8, options=[("WScale", 7)]),
    ADDRESSES / TCP(sport=49152, dport=80, flags="A", seq=8, ack=1001),
    ADDRESSES / TCP(sport=49152, dport=80, flags="PA", seq=8, ack=1001) / REQUEST,
    BACK / TCP(sport=80, dport=49152, flags="A", seq=1001, ack=28) / (b"x" * 100),
    ADDRESSES / TCP(sport=49152, dport=80, flags="A", seq=28, ack=1101, options=SACK),
    BACK / TCP(sport=80, dport=49152, flags="FPA", seq=1101, ack=28, options=TIMES),
    ADDRESSES / TCP(sport=49152, dport=80, flags="R", seq=28),
    ADDRESSES / TCP(sport=9, dport=9, flags="SEC", options=[("SAckOK", b""), ("EOL", None)]),
    ADDRESSES / TCP(sport=9, dport=9, flags="", urgptr=3),
    ADDRESSES / TCP(sport=9, dport=9, flags="UA", seq=1 << 31, ack=5, urgptr=3) / b"abc",
    ADDRESSES / UDP(sport=5, dport=7) / b"abc",
    dns(40000, 53, rd=1, qd=DNSQR(qname="web")),
    dns(40000, 53, rd=0, qd=DNSQR(qname=NAME, qtype="AAAA"), ar=DNSRR(type="OPT", rrname=".")),
    dns(53, 40000, qr=1, aa=1, rcode=3, qd=DNSQR(qname="wbe")),
    dns(
        53, 40000, qr=1, ra=1, qd=DNSQR(qname=NAME),
        an=[DNSRR(rrname=NAME, type="CNAME", rdata="web"), DNSRR(rrname="web", rdata="10.0.3.10")],
    ),
    ADDRESSES / ICMP(type=8, id=3, seq=4) / b"12345678",
    ADDRESSES / ICMP(type=0, id=3, seq=4) / b"12345678",
    ADDRESSES / ICMP(type=3, code=0) / QUOTE,
    ADDRESSES / ICMP(type=3, code=1) / QUOTE,
    ADDRESSES / ICMP(type=3, code=2) / QUOTE,
    ADDRESSES / ICMP(type=3, code=3) / QUOTE,
    ADDRESSES / ICMP(type=3, code=3) / ADDRESSES / TCP(dport=80),
    ADDRESSES / ICMP(type=3, code=4, nexthopmtu=1400) / QUOTE,
    ADDRESSES / ICMP(type=3, code=10) / QUOTE,
    ADDRESSES / ICMP(type=3, code=13) / QUOTE,
    ADDRESSES / ICMP(type=5, code=1, gw="10.0.1.2") / QUOTE,
    ADDRESSES / ICMP(type=11, code=0) / QUOTE,
    ADDRESSES / ICMP(type=11, code=1) / QUOTE,
    ADDRESSES / ICMP(type=12, code=0, ptr=20) / QUOTE,
    *fragment(ADDRESSES / UDP(sport=5, dport=7) / (b"x" * 2000), 1480),
    IP(src="10.0.1.10", dst="10.0.3.10", proto=200) / b"abcd",
    ARP(op=1, hwsrc="02:00:00:01:00:00", psrc="10.0.1.10", pdst="10.0.1.1"),
    ARP(op=1, hwsrc="02:00:00:01:00:00", psrc="0.0.0.0", pdst="10.0.1.1"),
    ARP(op=1, hwsrc="02:00:00:01:00:00", psrc="10.0.1.10", pdst="10.0.1.10"),
    ARP(op=2, hwsrc="02:00:00:02:00:00", psrc="10.0.1.1", pdst="10.0.1.10"),
    IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=1, dport=2, flags="S", seq=5),
    IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=1, dport=2) / b"abc",
]  # fmt: skip


@pytest.mark.parametrize("options", [(), ("-e",), ("-v",), ("-q",), ("-q", "-e")])
def test_lines_are_those_of_tcpdump(options: tuple[str, ...], tmp_path: Path) -> None:
    frames = [bytes(ETHER / packet) for packet in PACKETS]
    if "-v" in options:  # tcpdump says more then of IPv6, DNS, and packets that ICMP quotes
        frames = [each for each in frames if each[34:36] != b"\0\x35"]
        frames = [each for each in frames if each[12:14] != b"\x86\xdd"]
        frames = [each for each in frames if each[34] in (0, 8) or each[23] != 1]
    lines = FrameLines(link="-e" in options, verbose="-v" in options, quick="-q" in options)
    own = "\n".join(map(lines.words, frames)).splitlines()
    assert own == [
        line.replace(":  ip-proto", ": ip-proto")
        for line in tcpdump(write_pcap(tmp_path / "frames.pcap", frames), "-t", *options)
        if line != "\t"
    ]


@pytest.mark.parametrize("dump", ["x", "xx", "X", "XX", "A", "AA"])
def test_bytes_are_those_of_tcpdump(dump: str, tmp_path: Path) -> None:
    text = b"a\r\nb\r\tc\x1b[2J\x7f\xff \n\r"
    packets = [*PACKETS, ADDRESSES / UDP(sport=5, dport=7) / text]
    frames = [bytes(ETHER / packet) for packet in packets]
    lines = FrameLines(dump=dump)
    own = "".join(f"{lines.words(frame)}\n{lines.bytes_of(frame)}" for frame in frames)
    theirs = tcpdump(write_pcap(tmp_path / "frames.pcap", frames), "-t", f"-{dump}")
    assert own.split("\n")[:-1] == [line.replace(":  ip-proto", ": ip-proto") for line in theirs]
    assert FrameLines().bytes_of(frames[0]) == ""


def test_lines_of_a_network_are_those_of_tcpdump(tmp_path: Path) -> None:
    file = tmp_path / "r1.pcapng"

    async def main() -> None:
        async with Network("topologies/campus.yaml", time="virtual", seed=3) as network:
            await network.capture("r1", file)
            async with network.link("r1", "r2").set(loss="5%"):
                await asyncio.gather(
                    network["alice"].transfer("web", size="200KB"),
                    network["alice"].get("http://web/ip"),
                    network["alice"].ping("web", count=3),
                )

    run(main())
    frames = [
        block.frame
        for block in map(read_block, PcapngReader().blocks(file.read_bytes()))
        if isinstance(block, Captured)
    ]
    theirs = tcpdump(file, "-t")
    assert any("sack 1 {" in line for line in theirs)
    assert list(map(FrameLines().words, frames)) == theirs


def test_a_frame_alone() -> None:
    request = TCP(sport=1, dport=8000, flags="PA", seq=5, ack=2, options=[("MSS", 1460)])
    packet = ADDRESSES / request / b"GET /ip HTTP/1.1\r\nHost: web\r\n\r\n"
    assert summarise(bytes(ETHER / packet)) == (
        "IP 10.0.1.10.1 > 10.0.3.10.8000: Flags [P.], seq 5:36, ack 2, win 8192, length 31: "
        "HTTP: GET /ip HTTP/1.1"
    )
    unknown = Ether(src=ETHER.src, dst=ETHER.dst, type=0x88CC) / b"abcd"
    assert summarise(bytes(unknown)) == (
        "02:00:00:01:00:00 > 02:00:00:02:00:00, ethertype Unknown (0x88cc), length 18"
    )


@pytest.mark.parametrize(
    ("packet", "place", "told"),
    [
        (ADDRESSES / UDP(sport=5, dport=7) / b"abc", -1, "UDP, length 3 [bad udp cksum]"),
        (ADDRESSES / TCP(sport=5, dport=7) / b"abc", -1, "length 3 [bad tcp cksum]"),
        (ADDRESSES / ICMP(type=8) / b"abc", -1, "length 11 [bad icmp cksum]"),
        (ADDRESSES / ICMP(type=8) / b"abc", 22, "length 11 [bad ip cksum]"),
    ],
)
def test_a_flipped_bit_is_seen(packet: Packet, place: int, told: str) -> None:
    frame = bytearray(bytes(ETHER / packet))
    frame[place] ^= 1
    assert summarise(bytes(frame)).endswith(told)


def test_what_is_cut_short_is_told() -> None:
    frame = bytes(ETHER / ADDRESSES / UDP(sport=5, dport=7) / b"abcdef")[:-2]
    assert summarise(frame).endswith("UDP, length 6 [cut short: 2 bytes are missing]")
    assert summarise(frame[:30]) == f"malformed, 30 bytes: {frame[:30].hex()}"


@given(
    st.binary(max_size=100),
    st.sampled_from([b"", b"\x08\x00", b"\x08\x06", b"\x86\xdd", b"\x08\x00\x45\x00"]),
    st.sampled_from([b"", bytes(8) + b"\x06", bytes(8) + b"\x11\0\0" + bytes(8) + b"\0\x35"]),
)
def test_nothing_is_too_broken_to_be_said(rest: bytes, kind: bytes, more: bytes) -> None:
    for frame in (rest, bytes(12) + kind + more[:7] + rest, bytes(12) + kind + more + rest):
        assert summarise(frame).isprintable()
        verbose = FrameLines(verbose=True, link=True).words(frame)
        assert verbose.replace("\n", "").replace("\t", "").isprintable()
