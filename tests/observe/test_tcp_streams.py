from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tcp_streams import Flow, reassemble

from netsim.wire import ethernet, ipv4, tcp
from netsim.wire.checksum import pseudo_header_sum

FLOW = Flow(b"\x0a\0\0\1", 40000, b"\x0a\0\0\2", 80)
BACK = Flow(FLOW.destination, FLOW.destination_port, FLOW.source, FLOW.source_port)


def tcp_frame(
    sequence: int, payload: bytes = b"", flags: int = tcp.ACK, flow: Flow = FLOW
) -> bytes:
    segment = tcp.TcpSegment(
        flow.source_port,
        flow.destination_port,
        sequence & 0xFFFFFFFF,
        0,
        flags,
        65535,
        payload,
        timestamp=7,
    ).pack(pseudo_header_sum(flow.source, flow.destination, ipv4.PROTOCOL_TCP))
    header = ipv4.Ipv4Header(
        0, 20 + len(segment), 0, 0, 64, ipv4.PROTOCOL_TCP, flow.source, flow.destination
    )
    padding = bytes(max(0, 46 - 20 - len(segment)))
    return (
        ethernet.pack_header(b"\2" * 6, b"\4" * 6, ethernet.ETHERTYPE_IPV4)
        + header.pack()
        + segment
        + padding
    )


def test_both_directions_of_a_dialogue() -> None:
    frames = [
        tcp_frame(99, flags=tcp.SYN),
        tcp_frame(499, flags=tcp.SYN | tcp.ACK, flow=BACK),
        tcp_frame(100),
        tcp_frame(100, b"GET / HTTP/1.1\r\n\r\n"),
        tcp_frame(500, b"HTTP/1.1 204 No Content\r\n\r\n", flow=BACK),
        tcp_frame(118, flags=tcp.FIN | tcp.ACK),
    ]
    assert reassemble(frames) == {
        FLOW: b"GET / HTTP/1.1\r\n\r\n",
        BACK: b"HTTP/1.1 204 No Content\r\n\r\n",
    }


def test_it_begins_in_the_middle_of_a_connection() -> None:
    assert reassemble([tcp_frame(1003, b"def"), tcp_frame(1000, b"abc")]) == {FLOW: b"abcdef"}


def test_a_flow_ends_at_the_first_gap() -> None:
    frames = [tcp_frame(0, flags=tcp.SYN), tcp_frame(1, b"abc"), tcp_frame(5, b"efg")]
    assert reassemble(frames) == {FLOW: b"abc"}
    assert reassemble([tcp_frame(0, flags=tcp.SYN), tcp_frame(2, b"bc")]) == {FLOW: b""}


def test_ports_used_again_are_another_connection() -> None:
    frames = [
        tcp_frame(0, flags=tcp.SYN),
        tcp_frame(0, flags=tcp.SYN),
        tcp_frame(1, b"first "),
        tcp_frame(70_000, flags=tcp.SYN),
        tcp_frame(70_001, b"second"),
    ]
    assert reassemble(frames) == {FLOW: b"first second"}


def test_everything_else_is_passed_over() -> None:
    good = tcp_frame(1, b"abc")
    damaged = bytearray(tcp_frame(4, b"def"))
    damaged[60] ^= 1
    arp = ethernet.pack_header(b"\2" * 6, b"\4" * 6, ethernet.ETHERTYPE_ARP) + bytes(28)
    udp = ipv4.Ipv4Header(0, 28, 0, 0, 64, ipv4.PROTOCOL_UDP, FLOW.source, FLOW.destination)
    fragment = ipv4.Ipv4Header(0, 40, 0, 1, 64, ipv4.PROTOCOL_TCP, FLOW.source, FLOW.destination)
    others = [
        good[:14] + udp.pack() + bytes(8),
        good[:14] + fragment.pack() + bytes(20),
        bytes(damaged),
        arp,
        good[:40],
        b"",
    ]
    assert reassemble([*others, good, *others]) == {FLOW: b"abc"}


@given(
    data=st.binary(min_size=1, max_size=400),
    isn=st.sampled_from([0, 5, 0xFFFFFFFF, 0xFFFFFF80, 0x7FFFFFF0]),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 50)), max_size=30),
    shuffle=st.integers(),
)
def test_any_segmentation_repetition_and_order_gives_the_same_bytes(
    data: bytes, isn: int, cuts: list[tuple[int, int]], shuffle: int
) -> None:
    whole = [(start, 37) for start in range(0, len(data), 37)]
    segments = whole + [(start, size) for start, size in cuts if start < len(data)]
    Random(shuffle).shuffle(segments)
    frames = [tcp_frame(isn, flags=tcp.SYN)]
    frames += [tcp_frame(isn + 1 + at, data[at : at + size]) for at, size in segments]
    assert reassemble(frames) == {FLOW: data}
