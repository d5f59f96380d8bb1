"""Fragments, cut and put together; scapy cuts and mends beside us."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest
from host_dialogue import (
    FAR,
    GATEWAY_MAC,
    HERE,
    HERE_TOO,
    NEAR,
    NEAR_MAC,
    Dialogue,
    datagram,
    echo_packet,
    frame_of,
    packet,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack import fragment_reassembly
from netsim.stack.fragment_reassembly import LIFETIME
from netsim.stack.fragmentation import PathMtuDiscovery, fragments
from netsim.stack.udp_layer import UdpSocket
from netsim.wire import icmp, ipv4
from netsim.wire.address import BROADCAST_MAC, IpAddress, parse_ip
from netsim.wire.ipv4_options import record_route
from netsim.wire.wire_error import WireError

with warnings.catch_warnings():
    # scapy and the cryptography it imports warn about their own deprecations.
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, defragment, fragment
    from scapy.plist import PacketList

scapy_cuts: Any = fragment
scapy_puts_together: Any = defragment

ALERT = b"\x94\x04\0\0"
TEXT = random.Random(1).randbytes(4000)


def cut(content: bytes, mtu: int) -> list[bytes]:
    header = ipv4.parse(content)
    return fragments(header, content[header.header_length :], mtu)


def scapy_mends(pieces: list[bytes]) -> bytes:
    whole = scapy_puts_together(PacketList([IP(piece) for piece in pieces]))
    (result,) = whole
    return bytes(result[IP])


def listener(**words: Any) -> tuple[Dialogue, UdpSocket]:
    dialogue = Dialogue(**words)
    dialogue.introduce_all()
    return dialogue, dialogue.host.udp.bind(None, 53)


def deliver(dialogue: Dialogue, pieces: list[bytes]) -> None:
    for piece in pieces:
        dialogue.receive(frame_of(piece))


def received(socket: UdpSocket) -> list[bytes]:
    payloads = []
    while (got := socket.receive()) is not None:
        payloads.append(got.payload)
    return payloads


def is_whole(content: bytes) -> bool:
    return not ipv4.parse(content).is_fragment


def nothing_is_kept(dialogue: Dialogue) -> bool:
    kept = dialogue.host.ip_input.reassembly
    return (len(kept), kept.memory, kept.fragments) == (0, 0, 0)


# Cutting


@given(st.integers(1, 5000), st.integers(68, 1500), st.integers(0, 0xFFFF))
def test_we_cut_as_scapy_does(size: int, mtu: int, identification: int) -> None:
    content = datagram(NEAR, FAR, bytes(size), identification=identification)
    theirs = scapy_cuts(IP(content), fragsize=(mtu - 20) // 8 * 8)
    ours = cut(content, mtu)
    assert all(len(piece) <= mtu for piece in ours)
    if len(content) > mtu:
        wanted = [bytes(piece) for piece in theirs]
        # scapy cuts off a last piece that would have fitted behind the one before it.
        assert ours == wanted or (
            len(ours) == len(wanted) - 1 and ours[:-1] == wanted[: len(ours) - 1]
        )
    assert len(ours) == 1 or scapy_mends(ours) == content


@given(st.integers(9, 3000), st.integers(68, 600), st.integers(68, 600))
def test_fragments_can_be_cut_again(size: int, first: int, second: int) -> None:
    dialogue, socket = listener()
    content = datagram(NEAR, HERE, TEXT[:size])
    pieces = [again for piece in cut(content, first) for again in cut(piece, second)]
    assert all(len(piece) <= min(first, second) for piece in pieces)
    deliver(dialogue, pieces)
    assert received(socket) == [TEXT[:size]]


def test_the_first_fragment_has_all_options_and_others_those_to_be_copied() -> None:
    content = datagram(NEAR, FAR, bytes(1000), options=ALERT + record_route(3))
    first, *others = (ipv4.parse(piece) for piece in cut(content, 500))
    assert first.options == ALERT + record_route(3)
    assert {other.options for other in others} == {ALERT}


def test_what_ends_beyond_the_largest_packet_is_not_cut() -> None:
    bomb = packet(NEAR, FAR, bytes(1000), fragment=0x1FFE)
    with pytest.raises(WireError):
        cut(bomb, 500)


# Sending


@pytest.mark.parametrize("size", [1473, 4000, 65507])
def test_a_large_datagram_leaves_in_fragments(size: int) -> None:
    dialogue, socket = listener()
    socket.send(bytes(size), (NEAR, 4000), 0)
    dialogue.run(0)
    pieces = [sent.frame[14:] for sent in dialogue.sent]
    assert len(pieces) == -(-(size + 8) // 1480) == dialogue.host.ip.fragmented + len(pieces) - 1
    assert scapy_mends(pieces)[20:] == datagram(HERE, NEAR, bytes(size), (53, 4000))[20:]
    assert all(sent.frame[:6] == NEAR_MAC for sent in dialogue.sent)


def test_broadcasts_too() -> None:
    dialogue, socket = listener()
    socket.send(bytes(2000), (parse_ip("10.0.1.255"), 4000), 0)
    dialogue.run(0)
    assert [sent.frame[:6] for sent in dialogue.sent] == [BROADCAST_MAC] * 2


@pytest.mark.parametrize(
    ("how", "size", "flags"),
    [("want", 100, 0x4000), ("dont", 100, 0), ("do", 100, 0x4000), ("probe", 100, 0x4000)],
)
def test_who_may_cut_it_on_the_way(how: str, size: int, flags: int) -> None:
    dialogue, socket = listener()
    socket.discovery = PathMtuDiscovery(how)
    socket.send(bytes(size), (NEAR, 4000), 0)
    assert dialogue.take_packet().fragment == flags


def test_numbers_of_what_may_be_cut_are_not_spent_on_the_rest() -> None:
    """RFC 6864 4: only they have to be told apart."""
    dialogue, socket = listener()
    numbers = []
    for _ in range(3):
        for _ in range(5):
            socket.send(b"", (NEAR, 4000), 0)
            dialogue.take()
        socket.send(bytes(2000), (NEAR, 4000), 0)
        numbers += [dialogue.take_packet().identification, dialogue.take_packet().identification]
    assert numbers == [1, 1, 2, 2, 3, 3]


def test_what_a_host_says_to_itself_is_never_cut() -> None:
    dialogue, socket = listener()
    socket.send(bytes(60_000), (HERE, 53), 0)
    dialogue.run(0)
    assert received(socket) == [bytes(60_000)]
    assert dialogue.host.ip.fragmented == 0


# Forwarding


@pytest.mark.parametrize("options", [b"", ALERT])
def test_a_router_cuts_what_may_be_cut(options: bytes) -> None:
    dialogue = Dialogue(forwarding=True, mtu=600)
    dialogue.introduce_all()
    content = datagram(NEAR, FAR, TEXT[:1400], options=options)
    dialogue.receive(frame_of(content))
    assert [sent.frame[:6] for sent in dialogue.sent] == [GATEWAY_MAC] * 3
    pieces = [sent.frame[14:] for sent in dialogue.sent]
    expected = cut(datagram(NEAR, FAR, TEXT[:1400], options=options, ttl=63), 600)
    assert pieces == expected
    assert (dialogue.host.forwarded, dialogue.host.ip.fragmented) == (1, 1)
    assert not dialogue.host.drops


def test_a_router_does_not_put_together_what_is_not_its_own() -> None:
    dialogue = Dialogue(forwarding=True)
    dialogue.introduce_all()
    deliver(dialogue, cut(datagram(NEAR, FAR, TEXT), 600))
    assert len(dialogue.sent) == len(cut(datagram(NEAR, FAR, TEXT), 600))


def test_a_router_drops_what_would_burst_where_it_comes_together() -> None:
    dialogue = Dialogue(forwarding=True, mtu=600)
    dialogue.introduce_all()
    bomb = packet(NEAR, FAR, bytes(1000), fragment=0x1FFE)
    dialogue.expect_drop("fragment-too-far", frame_of(bomb))


# Putting together


@settings(max_examples=200)
@given(st.data(), st.integers(9, 4000), st.sampled_from([68, 69, 76, 300, 576, 1500]))
def test_in_whatever_order_and_however_often(data: st.DataObject, size: int, mtu: int) -> None:
    pieces = cut(datagram(NEAR, HERE, TEXT[:size]), mtu)
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    order = data.draw(st.permutations(pieces + again))
    dialogue, socket = listener()
    deliver(dialogue, order)
    got = received(socket)
    # Duplicates of a datagram that is whole already may make another one.
    assert got
    assert set(got) == {TEXT[:size]}
    dialogue.run(LIFETIME)
    assert nothing_is_kept(dialogue)


@settings(max_examples=200)
@given(st.data(), st.integers(100, 2000))
def test_whatever_comes_it_is_the_datagram_or_nothing(data: st.DataObject, size: int) -> None:
    """Pieces of two ways to cut it, some of another text, dropped and repeated at will."""
    text = TEXT[:size]
    true = [
        piece
        for mtu in data.draw(st.lists(st.sampled_from([100, 104, 300, 576, 900]), max_size=3))
        for piece in cut(datagram(NEAR, HERE, text), mtu)
    ]
    false = cut(datagram(NEAR, HERE, bytes(size)), data.draw(st.sampled_from([100, 300])))
    chosen = data.draw(
        st.lists(st.sampled_from([*true, *data.draw(st.lists(st.sampled_from(false)))] or false))
    )
    dialogue, socket = listener()
    deliver(dialogue, chosen)
    assert set(received(socket)) <= {text, bytes(size)}
    kept = dialogue.host.ip_input.reassembly
    lost = kept.fragments + sum(dialogue.host.drops.values())
    assert lost <= len(chosen)
    assert lost == len(chosen) or kept.reassembled or any(map(is_whole, chosen))
    dialogue.run(LIFETIME)
    assert nothing_is_kept(dialogue)


def test_two_datagrams_come_together_at_the_same_time() -> None:
    dialogue, socket = listener()
    one = cut(datagram(NEAR, HERE, TEXT[:2000], identification=1), 600)
    two = cut(datagram(NEAR, HERE, TEXT[2000:], identification=2), 600)
    deliver(dialogue, [piece for pair in zip(one, reversed(two), strict=True) for piece in pair])
    assert received(socket) == [TEXT[:2000], TEXT[2000:]]


@pytest.mark.parametrize(
    "other",
    [
        {"source": parse_ip("10.0.1.77")},
        {"destination": HERE_TOO},
        {"protocol": 253},
        {"identification": 8},
    ],
)
def test_a_datagram_is_known_by_four_things(other: dict[str, Any]) -> None:
    dialogue, socket = listener()
    first, last = cut(datagram(NEAR, HERE, TEXT[:100]), 100)
    header = ipv4.parse(last)
    for name, value in other.items():
        setattr(header, name, value)
    deliver(dialogue, [first, header.pack() + last[20:]])
    assert not received(socket)
    assert len(dialogue.host.ip_input.reassembly) == 2


def test_options_of_the_first_fragment_are_those_of_the_datagram() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    request = icmp.echo(icmp.ECHO_REQUEST, 1, 1, bytes(1000)).pack()
    content = packet(NEAR, HERE, request, protocol=1, options=record_route(2))
    deliver(dialogue, cut(content, 600))
    reply = dialogue.take_packet()
    assert reply.options[3:11] == HERE + HERE


@pytest.mark.parametrize("forwarding", [False, True])
def test_what_is_never_whole_is_given_up_and_reported(forwarding: bool) -> None:
    dialogue, _ = listener(forwarding=forwarding)
    first, second, last = cut(datagram(NEAR, HERE, TEXT[:1000]), 500)
    dialogue.receive(frame_of(second))
    dialogue.run(5 * SECOND)
    dialogue.receive(frame_of(first))
    dialogue.expect_nothing(LIFETIME - 1)
    header, error = dialogue.take_error(LIFETIME)
    assert (header.source, header.destination) == (HERE, NEAR)
    assert (error.type, error.code) == (icmp.TIME_EXCEEDED, icmp.REASSEMBLY_TIME_EXCEEDED)
    assert error.body == first
    assert dialogue.host.drops == {"reassembly-timeout": 2}
    assert nothing_is_kept(dialogue)
    dialogue.receive(frame_of(last))
    dialogue.run(3 * LIFETIME)
    assert dialogue.host.drops["reassembly-timeout"] == 3
    told = [sent for sent in dialogue.sent if sent.frame[12:14] == b"\x08\x00"]
    assert not told, "nothing is told of a datagram without a first fragment"


def test_each_datagram_has_its_own_time() -> None:
    dialogue, _ = listener()
    for number in range(3):
        dialogue.receive(frame_of(packet(NEAR, HERE, bytes(8), fragment=1, identification=number)))
        dialogue.run(dialogue.now + SECOND)
    for number in range(3):
        dialogue.run(LIFETIME + number * SECOND - 1)
        assert len(dialogue.host.ip_input.reassembly) == 3 - number
    dialogue.run(LIFETIME + 2 * SECOND)
    assert nothing_is_kept(dialogue)
    assert dialogue.host.next_timer() is None or dialogue.host.next_timer() != dialogue.now


def piece(start: int, size: int, more: bool, fill: int = 1) -> bytes:
    field = start // 8 | (ipv4.MORE_FRAGMENTS if more else 0)
    return packet(NEAR, HERE, bytes([fill]) * size, protocol=253, fragment=field)


@pytest.mark.parametrize(
    "bad",
    [
        piece(8, 16, True),
        piece(0, 24, True),
        piece(16, 8, True, fill=2),
        piece(16, 8, False, fill=2),
        piece(0, 80, True),
        piece(40, 8, True),
        piece(24, 16, True),
        piece(24, 8, False),
        piece(8, 8, False),
        piece(64, 8, False),
    ],
    ids=[
        *("from before", "over a start", "another text", "another end", "over all"),
        *("behind the end", "over the end", "an end within", "an end before", "two ends"),
    ],
)
def test_fragments_that_overlap_spoil_all_of_it(bad: bytes) -> None:
    """RFC 5722 3, also for what comes later."""
    dialogue = Dialogue()
    dialogue.introduce_all()
    deliver(dialogue, [piece(16, 8, True), piece(32, 8, False)])
    before = dialogue.host.drops.total()
    dialogue.receive(frame_of(bad))
    assert dialogue.host.drops.total() - before == 3
    deliver(dialogue, [piece(0, 16, True), piece(24, 8, True), piece(16, 8, True)])
    assert dialogue.host.drops == {"fragment-overlap": 6}
    dialogue.expect_nothing(LIFETIME)
    assert nothing_is_kept(dialogue)


def test_a_hole_is_filled_exactly() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    deliver(dialogue, [piece(16, 8, True), piece(32, 8, False), piece(0, 16, True)])
    assert not dialogue.host.drops
    deliver(dialogue, [piece(16, 8, True)])
    assert dialogue.host.drops == {"fragment-duplicate": 1}
    deliver(dialogue, [piece(24, 8, True)])
    _, error = dialogue.take_error()
    assert (error.type, error.code) == (3, icmp.PROTOCOL_UNREACHABLE)
    assert (ipv4.parse(error.body).total_length, len(error.body)) == (60, 60)


def test_a_datagram_that_does_not_fit_an_ip_packet_is_dropped() -> None:
    dialogue = Dialogue()
    with_options = packet(NEAR, HERE, bytes(8), protocol=253, fragment=0x2000, options=ALERT * 5)
    deliver(dialogue, [with_options])
    for start in range(8, 65504, 8000):
        size = min(8000, 65504 - start)
        dialogue.receive(frame_of(piece(start, size, True)))
    dialogue.receive(frame_of(piece(65504, 8, False)))
    assert dialogue.host.drops == {"fragment-too-far": 11}
    assert nothing_is_kept(dialogue)


def test_crumbs_of_one_datagram_have_a_limit() -> None:
    dialogue = Dialogue()
    for number in range(fragment_reassembly.FRAGMENT_LIMIT + 10):
        dialogue.receive(frame_of(piece(16 * number, 8, True)))
    assert dialogue.host.ip_input.reassembly.fragments == 0
    assert dialogue.host.drops == {"fragment-overlap": fragment_reassembly.FRAGMENT_LIMIT + 10}


def test_the_smallest_links_carry_the_largest_datagram() -> None:
    dialogue, socket = listener()
    deliver(dialogue, cut(datagram(NEAR, HERE, bytes(65507)), 68))
    assert received(socket) == [bytes(65507)]


@pytest.mark.parametrize(
    ("size", "bound"), [(8, "datagrams"), (1400, "datagrams"), (40_000, "memory")]
)
def test_a_hundred_thousand_strangers_do_not_fill_the_memory(size: int, bound: str) -> None:
    dialogue, socket = listener()
    kept = dialogue.host.ip_input.reassembly
    whole = cut(datagram(NEAR, HERE, TEXT), 1500)
    body = bytes(size)
    count = 100_000 if size < 1000 else 5000
    for number in range(count):
        source = IpAddress((0x0B000000 + number % 0xFFFF).to_bytes(4, "big"))
        header = ipv4.Ipv4Header(0, 20 + size, number & 0xFFFF, 0x2001, 64, 17, source, HERE)
        dialogue.host.receive_frame(dialogue.interfaces[0], frame_of(header.pack() + body), 0)
        assert kept.memory <= fragment_reassembly.MEMORY_LIMIT
    assert len(kept) == (
        fragment_reassembly.DATAGRAM_LIMIT
        if bound == "datagrams"
        else fragment_reassembly.MEMORY_LIMIT // (size + 2 * fragment_reassembly.FRAGMENT_OVERHEAD)
    )
    assert kept.fragments + dialogue.host.drops["reassembly-limit"] == count
    deliver(dialogue, whole)
    assert received(socket) == [TEXT], "who comes in one go comes through"
    dialogue.run(LIFETIME)
    assert nothing_is_kept(dialogue)
    dialogue.expect_nothing()


def test_a_large_ping_is_answered_in_fragments() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    request = packet(
        NEAR, HERE, icmp.echo(icmp.ECHO_REQUEST, 1, 2, TEXT).pack(), protocol=ipv4.PROTOCOL_ICMP
    )
    deliver(dialogue, cut(request, 576))
    pieces = [sent.frame[14:] for sent in dialogue.sent]
    assert len(pieces) == 3
    assert scapy_mends(pieces)[20:] == icmp.echo(icmp.ECHO_REPLY, 1, 2, TEXT).pack()


def test_the_error_about_our_own_datagram_reaches_its_socket() -> None:
    dialogue, socket = listener()
    socket.send(TEXT, (NEAR, 4000), 0)
    first = dialogue.take().frame[14:]
    message = icmp.IcmpMessage(icmp.TIME_EXCEEDED, 1, 0, first[:548]).pack()
    dialogue.run(MILLISECOND)
    dialogue.receive(frame_of(packet(NEAR, HERE, message, protocol=1)))
    (error,) = socket.errors
    assert (error.message.type, error.message.code) == (11, 1)


def test_fragments_of_an_echo_request_for_others_pass() -> None:
    dialogue = Dialogue(forwarding=True)
    dialogue.introduce_all()
    dialogue.receive(frame_of(echo_packet(NEAR, FAR, fragment=0x2001)))
    assert dialogue.take_packet().fragment == 0x2001
