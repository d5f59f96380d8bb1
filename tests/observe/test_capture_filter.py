"""Capture filters beside tcpdump's: the same words let the same frames pass."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
from pcap_files import tcpdump, write_pcap
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

from netsim.core.errors import InvalidFilterError
from netsim.observe.capture_filter import MOST_CHARACTERS, parse_filter
from netsim.observe.frame_match import matcher

HOSTS = ["10.0.1.10", "10.0.1.11", "10.0.3.10", "192.168.7.1"]
MACS = ["02:00:00:01:00:00", "02:00:00:02:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"]
PORTS = [53, 80, 443, 8080, 8085, 49152]
HOSTS6 = ["fd00::1", "fd00:1::7"]
NAMES = {"web": [bytes((10, 0, 3, 10))], "r1": [bytes((10, 0, 1, 10)), bytes((10, 0, 1, 11))]}
SEEDS = 12


def a_frame(draw: random.Random) -> bytes:
    ether = Ether(src=draw.choice(MACS[:2]), dst=draw.choice(MACS))
    ip: Packet = IP(src=draw.choice(HOSTS), dst=draw.choice(HOSTS))
    if draw.random() < 0.1:
        ip.options = [b"\x01" * 4]
    ports: dict[str, Any] = {"sport": draw.choice(PORTS), "dport": draw.choice(PORTS)}
    payload = bytes(draw.randrange(120))
    match draw.randrange(13):
        case 0:
            return bytes(ether / ARP(psrc=draw.choice(HOSTS), pdst=draw.choice(HOSTS)))
        case 1:
            ether.type = 0x8035
            return bytes(ether / ARP(op=3, psrc=draw.choice(HOSTS), pdst=draw.choice(HOSTS)))
        case 2:
            return bytes(ether / ip / ICMP() / payload)
        case 3:
            parts = fragment(ip / UDP(**ports) / bytes(2000), 1200)
            return bytes(ether / draw.choice(parts))
        case 4:
            return bytes(ether / Dot1Q(vlan=7) / ip / TCP(**ports))
        case 5:
            ip.proto = 132
            return bytes(ether / ip / struct.pack("!HH8x", ports["sport"], ports["dport"]))
        case 6:
            ip.dst = "224.0.0.5"
            ip.proto = 89
            return bytes(ether / ip / payload)
        case 7:
            six = IPv6(src=draw.choice(HOSTS6), dst=draw.choice(HOSTS6))
            return bytes(ether / six / draw.choice([TCP(**ports), UDP(**ports)]) / payload)
        case 8:
            six = IPv6(src=draw.choice(HOSTS6), dst=draw.choice(HOSTS6))
            return bytes(ether / six / IPv6ExtHdrFragment(nh=6) / TCP(**ports))
        case 9:
            ether.type = 0x88CC
            return bytes(ether / (payload + bytes(60)))
        case 10 | 11:
            return bytes(ether / ip / UDP(**ports) / payload)
    return bytes(ether / ip / TCP(**ports) / payload)


def a_filter(draw: random.Random, depth: int = 0) -> str:
    if depth < 3 and draw.random() < 0.6:
        left, right = a_filter(draw, depth + 1), a_filter(draw, depth + 1)
        operator = draw.choice(["and", "or", "&&", "||"])
        return draw.choice(
            [
                f"{left} {operator} {right}",
                f"({left}) {operator} {right}",
                f"not ({left}) {operator} {right}",
                f"! {left} {operator} {right}",
            ]
        )
    way = draw.choice(["", "src ", "dst ", "src or dst ", "src and dst "])
    host, port = draw.choice(HOSTS), draw.choice(PORTS)
    other = draw.choice(PORTS)
    net = draw.choice(["10.0.1.0/24", "10.0.0.0/8", "10.0.3", "0.0.0.0/0", "10", "192.168.7.0/31"])
    family = draw.choice(["", "ip ", "arp ", "rarp "])
    transport = draw.choice(["", "tcp ", "udp "])
    return draw.choice(
        [
            draw.choice(["ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "sctp"]),
            f"{family}{way}host {host}",
            f"{way or 'src '}{host}",
            f"{way}host {host} or {draw.choice(HOSTS)}",
            f"{way}host ({host} or {draw.choice(HOSTS)})",
            f"{way}host {draw.choice(HOSTS6)}",
            f"{way}net fd00:1::/32",
            f"{family}{way}net {net}",
            f"{way}net 10.0.0.0 mask 255.255.0.0",
            f"{transport}{way}port {port}",
            f"{transport}{way}port {port} or {other}",
            f"{transport}{way}port ({port} or {other})",
            f"port {port} and not {other}",
            f"{transport}{way}portrange {min(port, other)}-{max(port, other)}",
            f"ether {draw.choice(['src ', 'dst ', ''])}host {draw.choice(MACS)}",
            f"ether {draw.choice(['src', 'dst'])} {draw.choice(MACS)}",
            draw.choice(["broadcast", "multicast", "ether multicast", "ip multicast"]),
            f"{draw.choice(['less', 'greater'])} {draw.choice([60, 100])}",
            a_byte_test(draw),
            a_byte_test(draw),
        ]
    )


def a_byte_test(draw: random.Random) -> str:
    compared = draw.choice(["=", "==", "!=", "<", "<=", ">", ">="])
    number = draw.choice([0, 2, 17, 80, 0x1FF, 0xFFFF0000])
    sign, other = draw.choice("|&+-*/"), draw.choice(["2", "0x10", "len", "ether[9]", "(8 + 3)"])
    protocol = draw.choice(["ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp", "ether"])
    # Within all headers: whether tcpdump reads beyond a frame depends on its optimizer.
    at, size = draw.randrange(5), draw.choice(["", ":1", ":2", ": 4"])
    return draw.choice(
        [
            f"{protocol}[{at}{size}] {compared} {number}",
            f"{protocol}[{at}]{sign}{other} {compared} {number}",
            f"({protocol}[{at}{size}] {sign} {other}) {compared} {number}",
            f"{protocol}[{at}] {compared} {protocol}[{draw.randrange(9)}]",
            f"tcp[((tcp[12]&0xf0)>>2) - 4{size}] {compared} {number}",
            f"tcp[tcpflags] & (tcp-syn|tcp-ack) {compared} tcp-syn",
            f"udp[4:2] - 8 << 1 {compared} {draw.randrange(200)}",
            f"ether[{at}] & 1 {compared} 0",
            f"len {compared} {draw.randrange(40, 120)}",
            f"icmp[icmptype] {compared} icmp-echo",
        ]
    )


def passed_by_tcpdump(file: Path, words: str) -> set[int]:
    lines = tcpdump(file, "-tt", "-q", words)
    return {int(line.partition(".")[0]) for line in lines if line[:1].isdigit()}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_same_frames_pass_as_in_tcpdump(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    frames = [a_frame(draw) for _ in range(120)]
    file = write_pcap(tmp_path / "frames.pcap", frames)
    for _ in range(25):
        words = a_filter(draw)
        matches = matcher(parse_filter(words, {}))
        passed = {number for number, frame in enumerate(frames) if matches(frame)}
        assert passed == passed_by_tcpdump(file, words), words


def test_a_frame_that_is_cut_short_passes_as_in_tcpdump(tmp_path: Path) -> None:
    frames = [bytes(a_frame(random.Random(seed))[: 14 + seed % 30]) for seed in range(60)]
    file = write_pcap(tmp_path / "frames.pcap", frames)
    for words in (
        "tcp",
        "not tcp",
        "port 80",
        "not port 80",
        "host 10.0.1.10",
        "not arp",
        "tcp[13] & 2 != 0",
        "not tcp[40] = 1",
        "udp[(1 / ip[1])] = 0",
        "ip[8] < 65",
    ):
        matches = matcher(parse_filter(words, {}))
        passed = {number for number, frame in enumerate(frames) if matches(frame)}
        assert passed == passed_by_tcpdump(file, words), words


def test_names_are_those_of_the_network() -> None:
    to_web = bytes(Ether(src=MACS[0], dst=MACS[1]) / IP(src="10.0.1.11", dst="10.0.3.10") / UDP())
    for words, passes in (
        ("host web", True),
        ("src host r1", True),
        ("dst WEB.", True),
        ("src web", False),
        ("port http", False),
        ("port domain", True),
    ):
        assert matcher(parse_filter(words, NAMES))(to_web) is passes, words
    assert matcher(parse_filter("", NAMES))(b"")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("tcp prot 80", [(5, 4, "`prot` is no word of a filter; write `port`")]),
        ("80", [(1, 2, "`80` of what? write `port 80`")]),
        ("tcp 80", [(5, 2, "`80` of what? write `tcp port 80`")]),
        ("web", [(1, 3, "`web` of what? write `host web`")]),
        ("host wbe", [(6, 3, "there is no host `wbe`; write `web`")]),
        ("10.0.1.0/24", [(1, 11, "`10.0.1.0/24` of what? write `net 10.0.1.0/24`")]),
        ("host 10.0.1.0/24", [(6, 11, "`10.0.1.0/24` is no host; write `net 10.0.1.0/24`")]),
        (
            "net 10.0.1.7/24",
            [(5, 11, "`10.0.1.7/24` has bits behind its prefix; write `10.0.1.0/24`")],
        ),
        (
            "net 10.0.1.0/240",
            [(5, 12, "`10.0.1.0/240` is no network; write for example `10.0.1.0/24`")],
        ),
        ("port 80-90", [(6, 5, "`80-90` is no port; write `portrange 80-90`")]),
        ("port 99999", [(6, 5, "`99999` is no port; write one from 0 to 65535")]),
        ("port", [(1, 4, "`port` is the end, and something is missing; add `80`")]),
        (
            "tcp and",
            [(5, 3, "`and` is the end, and something is missing; add a word such as `tcp`")],
        ),
        ("(tcp or udp", [(1, 1, "`(` is never closed; write `)`")]),
        (
            "tcp)",
            [(4, 1, "`)` is no word of a filter; write `host`, `net`, `port`, `tcp` or the like")],
        ),
        ("and tcp", [(1, 3, "`and` has nothing before it; write for example `tcp`")]),
        ("tcp udp", [(5, 3, "`udp` comes unexpectedly; write `and` or `or` before it")]),
        ("tcp & udp", [(5, 1, "`&` is no operator; write `&&`")]),
        ("tcp[13] & 2", [(11, 1, "`2` is the end, and something is missing; add `!= 0`")]),
        ("tcp[13] 2", [(9, 1, "`2` compares nothing; write for example `!= 0`")]),
        ("tcp[13", [(4, 1, "`[` is never closed; write `]`")]),
        ("tcp[(13] = 2", [(8, 1, "`]` comes unexpectedly; write `)`")]),
        ("tcp[0:3] = 1", [(7, 1, "`3` bytes are no number; write 1, 2 or 4")]),
        ("tcp[syn] = 1", [(5, 3, "`syn` is no number; write for example `13` or `0x0d`")]),
        ("ip[0] & 08 = 0", [(9, 2, "`08` is no number; write for example `13` or `0x0d`")]),
        ("ip[0] / 0 = 1", [(7, 1, "nothing can be divided by 0; write another number")]),
        ("ip[0] = udp", [(9, 3, "`udp` is the end, and something is missing; add `[13]`")]),
        ("ip[0] = udp and tcp", [(9, 3, "`udp` of what? write `udp[13]`")]),
        ("tcp = 80", [(5, 1, "`=` comes unexpectedly; write for example `tcp[13] & 2 != 0`")]),
        (
            "ip[" * 51 + "0",
            [(153, 1, "too deep; write at most 50 parentheses in each other")],
        ),
        (
            "vlan 7",
            [(1, 4, "`vlan` is not there; write `-w FILE`, and let tshark -Y look at the file")],
        ),
        ("icmp port 80", [(1, 4, "`icmp` has no ports; write `port`, or `tcp port`")]),
        ("tcp host web", [(1, 3, "`tcp host` is not there; write `tcp and host`")]),
        ("ether web", [(1, 5, "`ether` of what? write `ether host 02:00:00:01:00:00`")]),
        (
            "ether host web",
            [(12, 3, "`web` is no MAC address; write for example `02:00:00:01:00:00`")],
        ),
        (
            "host 02:00:00:01:00:00",
            [(6, 17, "`02:00:00:01:00:00` is a MAC address; write `ether host 02:00:00:01:00:00`")],
        ),
        (
            "host wbe or port http3x",
            [
                (6, 3, "there is no host `wbe`; write `web`"),
                (18, 6, "`http3x` is no port; write one from 0 to 65535"),
            ],
        ),
        ("host port", [(6, 4, "`port` is no host; write one before it")]),
        ("(" * 60 + "tcp", [(51, 1, "too deep; write at most 50 parentheses in each other")]),
    ],
)
def test_mistakes_are_pointed_at(words: str, told: list[tuple[int, int, str]]) -> None:
    with pytest.raises(InvalidFilterError) as raised:
        parse_filter(words, NAMES)
    mistakes = [(each.column, each.length, each.message) for each in raised.value.mistakes]
    assert mistakes == told
    column, length, message = told[0]
    first, shown, carets = str(raised.value).splitlines()[:3]
    assert (first, shown) == (message, f"  {words}")
    assert carets == f"  {' ' * (column - 1)}{'^' * length}"


def test_a_filter_without_end_is_refused() -> None:
    with pytest.raises(InvalidFilterError, match="write at most 2,000"):
        parse_filter("tcp or " * MOST_CHARACTERS, {})
