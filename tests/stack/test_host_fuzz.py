"""Whatever arrives, nothing but frames comes out, and what is not used is counted."""

from __future__ import annotations

from host_dialogue import (
    FAR,
    HERE,
    HERE_TOO,
    MACS,
    NEAR,
    NEAR_MAC,
    NO_MAC,
    Dialogue,
    answer,
    arp_frame,
    datagram,
    echo_packet,
    frame_of,
    packet,
)
from hypothesis import given
from hypothesis import strategies as st

from netsim.core.time import SECOND
from netsim.wire import arp, icmp, ipv4, tcp
from netsim.wire.address import BROADCAST_MAC, parse_ip
from netsim.wire.checksum import pseudo_header_sum

LOCAL_PORT = 40000
SUM = pseudo_header_sum(NEAR, HERE, ipv4.PROTOCOL_TCP)


def segment(flags: int, **fields: int) -> bytes:
    ports = (fields.pop("source", 4000), fields.pop("destination", 80))
    built = tcp.TcpSegment(*ports, fields.pop("sequence", 1), 1, flags, 1000, b"text")
    return frame_of(packet(NEAR, HERE, built.pack(SUM), protocol=ipv4.PROTOCOL_TCP))


def error_frame(kind: int, code: int, quoted: bytes, rest: int = 0) -> bytes:
    message = icmp.IcmpMessage(kind, code, rest, quoted).pack()
    return frame_of(packet(NEAR, HERE, message, protocol=ipv4.PROTOCOL_ICMP))


OURS = packet(HERE, FAR, bytes.fromhex("9c400050000000010000000050020000"), protocol=6)
VALID = [
    answer(NEAR, NEAR_MAC),
    arp_frame(arp.REQUEST, NEAR_MAC, NEAR, NO_MAC, HERE),
    arp_frame(arp.REQUEST, NEAR_MAC, NEAR, NO_MAC, FAR),
    frame_of(echo_packet(NEAR, HERE)),
    frame_of(echo_packet(NEAR, HERE, kind=icmp.ECHO_REPLY)),
    frame_of(echo_packet(NEAR, FAR)),
    frame_of(echo_packet(NEAR, FAR, ttl=1, options=b"\x07\x07\x04\0\0\0\0\0")),
    frame_of(datagram(NEAR, HERE, b"query")),
    frame_of(datagram(NEAR, HERE_TOO, b"query", ports=(1, 2))),
    frame_of(datagram(NEAR, parse_ip("10.0.1.255"), b"all"), to=BROADCAST_MAC),
    frame_of(packet(NEAR, HERE, bytes(40), protocol=253, fragment=0x2001)),
    frame_of(packet(NEAR, HERE, bytes(40), protocol=253, fragment=0x2000)),
    frame_of(packet(NEAR, HERE, bytes(40), protocol=253, fragment=0x0006)),
    frame_of(echo_packet(NEAR, HERE, options=b"\x07\x0b\x04" + bytes(9))),
    segment(tcp.SYN),
    segment(tcp.SYN | tcp.FIN),
    segment(tcp.ACK, source=80, destination=LOCAL_PORT),
    segment(tcp.SYN | tcp.ACK, source=80, destination=LOCAL_PORT),
    segment(tcp.RST, destination=81),
    error_frame(3, 1, echo_packet(HERE, FAR)),
    error_frame(3, 3, datagram(HERE, FAR, ports=(53, 9))),
    error_frame(3, 4, OURS, 100),
    error_frame(11, 0, OURS[:28]),
    error_frame(12, 0, OURS[:28]),
    error_frame(5, 0, OURS[:28]),
]


def flipped(frame: bytes, bits: list[int]) -> bytes:
    mutable = bytearray(frame)
    for bit in bits:
        if mutable:
            mutable[(bit >> 3) % len(mutable)] ^= 1 << (bit & 7)
    return bytes(mutable)


def resummed(frame: bytes) -> bytes:
    """With a right IPv4 header checksum, so that the layers above get to see it."""
    start, end = 14, 14 + (frame[14] & 15) * 4 if len(frame) > 14 else 14
    if frame[12:14] != b"\x08\x00" or not start + 20 <= end <= len(frame):
        return frame
    blank = frame[start : start + 10] + b"\0\0" + frame[start + 12 : end]
    total = sum(int.from_bytes(blank[i : i + 2], "big") for i in range(0, len(blank), 2))
    checksum = 0xFFFF - (total % 0xFFFF or 0xFFFF)
    return frame[: start + 10] + checksum.to_bytes(2, "big") + frame[start + 12 :]


MUTATED = st.builds(
    lambda frame, bits, cut, tail, mend: (
        resummed(flipped(frame, bits)[:cut] + tail) if mend else flipped(frame, bits)[:cut] + tail
    ),
    st.sampled_from(VALID),
    st.lists(st.integers(0, 800), max_size=4),
    st.one_of(st.none(), st.integers(0, 100)),
    st.one_of(st.just(b""), st.binary(max_size=20)),
    st.booleans(),
)
RANDOM = st.one_of(
    st.binary(max_size=100),
    st.binary(max_size=100).map(lambda tail: MACS[0] + NEAR_MAC + b"\x08\x00\x45" + tail),
    st.binary(max_size=40).map(lambda tail: BROADCAST_MAC + NEAR_MAC + b"\x08\x06" + tail),
)
STEPS = st.lists(
    st.one_of(MUTATED, RANDOM, st.sampled_from(VALID), st.integers(0, 10 * SECOND)), max_size=30
)


def busy(forwarding: bool) -> Dialogue:
    """A host with something of everything going on."""
    dialogue = Dialogue(forwarding=forwarding)
    host = dialogue.host
    host.udp.bind(None, 53)
    host.icmp.open_echo(5)
    host.tcp.listen(None, 80)
    host.tcp.connect((NEAR, 80), 0, local=(HERE, LOCAL_PORT))
    return dialogue


def traces(dialogue: Dialogue) -> tuple[int, ...]:
    """Everywhere that a frame can leave a trace."""
    host = dialogue.host
    (echo_socket,) = host.icmp._echo_sockets.values()
    (udp_socket,) = host.udp.sockets()
    return (
        sum(host.drops.values()),
        len(dialogue.sent),
        host.tcp.counters.segments_in,
        len(echo_socket.inbox),
        len(udp_socket.inbox) + len(udp_socket.errors),
        sum(len(n.waiting) for cache in host.neighbours for n in cache.entries()),
        host.ip_input.reassembly.fragments,
    )


@given(STEPS, st.booleans())
def test_nothing_escapes_and_no_packet_vanishes(steps: list[bytes | int], forwarding: bool) -> None:
    dialogue = busy(forwarding)
    for step in steps:
        if isinstance(step, int):
            dialogue.run(dialogue.now + step)
            continue
        before = traces(dialogue)
        dialogue.receive(step)
        if not is_good_arp(step) and not is_error_about_tcp(step):
            assert traces(dialogue) != before, step.hex(" ")


def is_good_arp(frame: bytes) -> bool:
    """ARP that concerns others is passed over, as it should be."""
    return frame[12:14] == b"\x08\x06" and len(frame) >= 42


def is_error_about_tcp(frame: bytes) -> bool:
    """TCP judges errors by their quotes, and counts what it does not believe by itself."""
    return frame[12:14] == b"\x08\x00" and frame[23:24] == b"\x01"


@given(st.binary(max_size=80), st.booleans())
def test_noise_is_counted(noise: bytes, forwarding: bool) -> None:
    dialogue = Dialogue(forwarding=forwarding)
    dialogue.receive(noise)
    assert sum(dialogue.host.drops.values()) == 1
    dialogue.expect_nothing(100 * SECOND)
