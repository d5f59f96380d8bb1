"""Options on packets: what is recorded, what is reported, and what is refused."""

from __future__ import annotations

import pytest
from host_dialogue import (
    FAR,
    GATEWAY_MAC,
    HERE,
    HERE_TOO,
    NEAR,
    Dialogue,
    datagram,
    echo_packet,
    frame_of,
    sent_frame,
)

from netsim.stack.icmp_layer import EchoError, EchoReply
from netsim.wire import ethernet, icmp, ipv4
from netsim.wire.address import BROADCAST_MAC, parse_ip
from netsim.wire.ipv4_options import record, record_route, recorded_route

LOOSE = b"\x83\x07\x04\x0a\x09\x00\x01\x00"
STRICT = b"\x89" + LOOSE[1:]
TIMESTAMP = b"\x44\x0c\x05\x00" + bytes(8)


def knowing_all(*, forwarding: bool = False) -> Dialogue:
    dialogue = Dialogue(forwarding=forwarding)
    dialogue.introduce_all()
    return dialogue


def test_a_router_records_the_address_it_sends_from() -> None:
    dialogue = knowing_all(forwarding=True)
    options = record(record_route(3), NEAR)
    dialogue.receive(frame_of(datagram(NEAR, FAR, options=options)))
    expected = datagram(NEAR, FAR, options=record(options, HERE_TOO), ttl=63)
    dialogue.expect(sent_frame(expected, GATEWAY_MAC, on=1), on=1)


def test_an_answer_takes_the_record_back() -> None:
    dialogue = knowing_all()
    options = record(record_route(4), NEAR)
    dialogue.receive(frame_of(echo_packet(NEAR, HERE_TOO, options=TIMESTAMP + options)))
    reply = dialogue.take_packet()
    # As on Linux: where it was asked, and where the answer leaves.
    assert recorded_route(reply.options) == [NEAR, HERE_TOO, HERE]


def test_a_full_record_stays_what_it_is() -> None:
    dialogue = knowing_all()
    options = record(record_route(1), NEAR)
    dialogue.receive(frame_of(echo_packet(NEAR, HERE, options=options)))
    assert dialogue.take_packet().options == options


def test_who_asks_begins_and_ends_the_record() -> None:
    dialogue = knowing_all()
    socket = dialogue.host.icmp.open_echo(5)
    socket.send(NEAR, 6, b"", 0, options=record_route(2))
    assert recorded_route(dialogue.take_packet().options) == [HERE]
    back = echo_packet(NEAR, HERE, kind=icmp.ECHO_REPLY, options=record(record_route(2), NEAR))
    dialogue.receive(frame_of(back))
    (reply,) = socket.inbox
    assert isinstance(reply, EchoReply)
    assert recorded_route(reply.options) == [NEAR, HERE]


def test_a_host_records_its_way_to_itself() -> None:
    dialogue = knowing_all()
    socket = dialogue.host.icmp.open_echo(5)
    socket.send(HERE, 6, b"", 0, options=record_route(9))
    dialogue.expect_nothing()
    (reply,) = socket.inbox
    assert isinstance(reply, EchoReply)
    assert recorded_route(reply.options) == [HERE] * 4


@pytest.mark.parametrize("forwarding", [False, True])
@pytest.mark.parametrize("options", [LOOSE, STRICT, record_route(1) + LOOSE])
def test_source_routes_are_refused(options: bytes, forwarding: bool) -> None:
    """RFC 7126 4.3, 4.4"""
    options = options.replace(record_route(1), b"\x01" * 8)
    dialogue = knowing_all(forwarding=forwarding)
    dialogue.host.udp.bind(None, 53)
    dialogue.expect_drop("source-route", frame_of(datagram(NEAR, HERE, options=options)))
    if forwarding:
        dialogue.expect_drop("source-route", frame_of(datagram(NEAR, FAR, options=options)))


@pytest.mark.parametrize("options", [TIMESTAMP, b"\x94\x04\0\0", b"\x63\x04\0\0", b"\x01" * 4])
def test_others_are_passed_over_and_on(options: bytes) -> None:
    dialogue = knowing_all(forwarding=True)
    socket = dialogue.host.udp.bind(None, 53)
    dialogue.receive(frame_of(datagram(NEAR, HERE, options=options)))
    assert len(socket.inbox) == 1
    dialogue.receive(frame_of(datagram(NEAR, FAR, options=options)))
    assert dialogue.take_packet().options == options


@pytest.mark.parametrize(("forwarding", "destination"), [(False, HERE), (True, HERE), (True, FAR)])
def test_malformed_options_are_reported_with_their_place(
    forwarding: bool, destination: bytes
) -> None:
    dialogue = knowing_all(forwarding=forwarding)
    dialogue.host.udp.bind(None, 53)
    content = datagram(NEAR, destination, b"12345678", options=b"\x01\x07\x07\x03\0\0\0\0")
    dialogue.receive(frame_of(content))
    header, error = dialogue.take_error()
    assert header.destination == NEAR
    assert (error.type, error.code, error.rest) == (icmp.PARAMETER_PROBLEM, 0, 23 << 24)
    assert error.body == content
    assert dialogue.host.drops == {"ipv4-option": 1}


def test_malformed_options_to_everybody_are_not_reported() -> None:
    dialogue = knowing_all()
    content = datagram(NEAR, parse_ip("10.0.1.255"), options=b"\x07\x00\0\0")
    dialogue.expect_drop("ipv4-option", frame_of(content, to=BROADCAST_MAC))


def test_a_parameter_problem_with_our_packet_reaches_its_socket() -> None:
    dialogue = knowing_all()
    asker, speaker = dialogue.host.icmp.open_echo(5), dialogue.host.udp.bind(None, 4000)
    for lost in (echo_packet(HERE, FAR), datagram(HERE, FAR)):
        message = icmp.IcmpMessage(icmp.PARAMETER_PROBLEM, 0, 20 << 24, lost).pack()
        header = ipv4.Ipv4Header(0, 20 + len(message), 1, 0, 64, 1, FAR, HERE)
        dialogue.receive(frame_of(header.pack() + message))
    (error,) = asker.inbox
    assert isinstance(error, EchoError)
    assert error.message.type == icmp.PARAMETER_PROBLEM
    assert speaker.errors[0].message.rest >> 24 == 20


def test_a_record_is_kept_while_the_packet_is_cut() -> None:
    dialogue = Dialogue(forwarding=True, mtu=600)
    dialogue.introduce_all()
    content = datagram(NEAR, FAR, bytes(1000), options=record_route(1))
    dialogue.receive(frame_of(content))
    first, second = (ipv4.parse(sent.frame, ethernet.HEADER_LENGTH) for sent in dialogue.sent)
    assert recorded_route(first.options) == [HERE_TOO]
    assert second.options == b""
