from __future__ import annotations

import errno
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
    sent_frame,
)

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.icmp_layer import ERROR_BURST, ERROR_RATE, INBOX_LIMIT, EchoError, EchoReply
from netsim.stack.socket_errors import AddressInUseError, MessageTooLongError, NoRouteError
from netsim.wire import icmp, ipv4
from netsim.wire.address import BROADCAST_MAC, LIMITED_BROADCAST, IpAddress, parse_ip

LOOPBACK = parse_ip("127.0.0.1")
DIRECTED = parse_ip("10.0.1.255")
NOWHERE = parse_ip("192.0.2.1")


def knowing_all(*, forwarding: bool = False) -> Dialogue:
    dialogue = Dialogue(forwarding=forwarding)
    dialogue.introduce_all()
    return dialogue


def icmp_frame(message: icmp.IcmpMessage, source: IpAddress = NEAR) -> bytes:
    return frame_of(packet(source, HERE, message.pack(), protocol=ipv4.PROTOCOL_ICMP))


def report(content: bytes, kind: int = icmp.TIME_EXCEEDED, code: int = 0) -> bytes:
    """A router reports on a packet of ours."""
    return icmp_frame(icmp.IcmpMessage(kind, code, 0, content), FAR)


# Echo


@pytest.mark.parametrize("destination", [HERE, HERE_TOO])
def test_an_echo_request_is_answered_from_where_it_went(destination: IpAddress) -> None:
    dialogue = knowing_all()
    dialogue.receive(frame_of(echo_packet(NEAR, destination)))
    reply = echo_packet(
        destination,
        NEAR,
        kind=icmp.ECHO_REPLY,
        identification=1,
    )
    dialogue.expect(sent_frame(reply, NEAR_MAC))


def test_an_echo_reply_has_the_service_that_was_asked_for() -> None:
    """RFC 1122 3.2.2.6"""
    dialogue = knowing_all()
    request = icmp.echo(icmp.ECHO_REQUEST, 5, 6, b"data")
    dialogue.receive(
        frame_of(packet(NEAR, HERE, request.pack(), protocol=ipv4.PROTOCOL_ICMP, tos=0x28))
    )
    (reply,) = dialogue.sent
    assert ipv4.parse(reply.frame, 14).tos == 0x28


def test_a_timestamp_request_is_answered_with_network_time() -> None:
    """RFC 792, RFC 1122 3.2.2.8: milliseconds since midnight"""
    dialogue = knowing_all()
    dialogue.run(25 * 3600 * SECOND + 7 * MILLISECOND)
    request = icmp.IcmpMessage(icmp.TIMESTAMP_REQUEST, 0, 0x0005_0006, b"mine" + bytes(8))
    dialogue.sent.clear()
    dialogue.receive(icmp_frame(request))
    frame = dialogue.sent[-1].frame
    reply = icmp.parse(frame[14 + 20 :])
    assert (reply.type, reply.rest, reply.body[:4]) == (icmp.TIMESTAMP_REPLY, 0x0005_0006, b"mine")
    assert reply.body[4:8] == reply.body[8:] == (3600_007).to_bytes(4, "big")


def test_a_timestamp_request_without_room_is_malformed() -> None:
    dialogue = knowing_all()
    short = icmp.IcmpMessage(icmp.TIMESTAMP_REQUEST, 0, 0, bytes(11))
    dialogue.expect_drop("icmp-truncated", icmp_frame(short))


def test_a_broadcast_echo_request_is_not_answered() -> None:
    dialogue = knowing_all()
    for destination in (DIRECTED, LIMITED_BROADCAST):
        frame = frame_of(echo_packet(NEAR, destination), to=BROADCAST_MAC)
        dialogue.expect_drop("icmp-broadcast-echo", frame)


def test_an_echo_request_that_cannot_be_answered_is_counted() -> None:
    dialogue = knowing_all()
    dialogue.expect_drop("icmp-reply-unsent", frame_of(echo_packet(NOWHERE, HERE)))


def test_an_echo_socket_hears_its_replies_alone() -> None:
    dialogue = knowing_all()
    mine, other = dialogue.host.icmp.open_echo(5), dialogue.host.icmp.open_echo(6)
    mine.send(NEAR, 6, b"data", 0)
    content = echo_packet(HERE, NEAR, identification=1, fragment=ipv4.DONT_FRAGMENT)
    dialogue.expect(sent_frame(content, NEAR_MAC))
    dialogue.run(3 * MILLISECOND)
    dialogue.receive(frame_of(echo_packet(NEAR, HERE, kind=icmp.ECHO_REPLY, ttl=61)))
    assert list(mine.inbox) == [EchoReply(NEAR, 6, 61, b"data", 3 * MILLISECOND)]
    assert list(dialogue.host.ready) == [mine]
    assert not other.inbox


def test_an_identifier_belongs_to_one_socket_until_it_is_closed() -> None:
    dialogue = knowing_all()
    first = dialogue.host.icmp.open_echo(5)
    with pytest.raises(AddressInUseError) as caught:
        dialogue.host.icmp.open_echo(5)
    assert caught.value.errno == errno.EADDRINUSE
    first.close()
    second = dialogue.host.icmp.open_echo(5)
    first.close()
    dialogue.receive(frame_of(echo_packet(NEAR, HERE, kind=icmp.ECHO_REPLY)))
    assert len(second.inbox) == 1


def test_a_socket_gets_the_next_identifier_so_that_late_answers_are_not_its_own() -> None:
    icmp_layer = knowing_all().host.icmp
    icmp_layer.open_echo(3)
    first = icmp_layer.open_echo()
    first.close()
    assert (first.identifier, icmp_layer.open_echo().identifier) == (1, 2)
    assert icmp_layer.open_echo().identifier == 4
    for _ in range(0xFFFF - 4):
        icmp_layer.open_echo().close()
    assert icmp_layer.open_echo().identifier == 1


def test_when_every_identifier_is_taken_that_is_an_error() -> None:
    icmp_layer = knowing_all().host.icmp
    for _ in range(0xFFFF):
        icmp_layer.open_echo()
    with pytest.raises(AddressInUseError):
        icmp_layer.open_echo()


def test_identifiers_and_sequence_numbers_have_sixteen_bits() -> None:
    dialogue = knowing_all()
    socket = dialogue.host.icmp.open_echo(0x12345)
    assert socket.identifier == 0x2345
    socket.send(NEAR, 0x10007, b"", 0)
    message = icmp.parse(dialogue.take().frame[34:])
    assert (message.identifier, message.sequence) == (0x2345, 7)


def test_nobody_asked_for_that_reply() -> None:
    frame = frame_of(echo_packet(NEAR, HERE, kind=icmp.ECHO_REPLY))
    knowing_all().expect_drop("icmp-unasked-reply", frame)


def test_replies_that_nobody_reads_do_not_fill_the_memory() -> None:
    dialogue = knowing_all()
    socket = dialogue.host.icmp.open_echo(5)
    for _ in range(INBOX_LIMIT + 3):
        dialogue.receive(frame_of(echo_packet(NEAR, HERE, kind=icmp.ECHO_REPLY)))
    assert len(socket.inbox) == INBOX_LIMIT
    assert dialogue.host.drops == {"icmp-receive-buffer": 3}


@pytest.mark.parametrize("destination", [HERE, HERE_TOO, LOOPBACK])
def test_a_host_answers_itself(destination: IpAddress) -> None:
    dialogue = Dialogue()
    socket = dialogue.host.icmp.open_echo(1)
    socket.send(destination, 2, b"me", 0)
    dialogue.expect_nothing()
    assert list(socket.inbox) == [EchoReply(destination, 2, 64, b"me", 0)]


def test_an_echo_that_cannot_be_sent_raises() -> None:
    socket = Dialogue().host.icmp.open_echo(1)
    with pytest.raises(NoRouteError):
        socket.send(NOWHERE, 0, b"", 0)
    with pytest.raises(MessageTooLongError):
        socket.send(NEAR, 0, bytes(1473), 0, discovery=PathMtuDiscovery.DO)
    with pytest.raises(MessageTooLongError):
        socket.send(NEAR, 0, bytes(70_000), 0)


# Errors that come


def test_an_error_about_an_echo_request_reaches_its_socket_with_who_said_it() -> None:
    dialogue = knowing_all()
    socket = dialogue.host.icmp.open_echo(5)
    dialogue.receive(report(echo_packet(HERE, parse_ip("10.9.9.9"), ttl=0)))
    (error,) = socket.inbox
    assert isinstance(error, EchoError)
    assert (error.source, error.sequence, error.now) == (FAR, 6, 0)
    assert error.message.type == icmp.TIME_EXCEEDED


@pytest.mark.parametrize(
    ("reason", "frame"),
    [
        ("icmp-error-not-ours", report(echo_packet(NEAR, FAR))),
        ("icmp-error-not-ours", report(echo_packet(HERE, FAR))),
        ("icmp-error-not-ours", report(echo_packet(HERE, FAR, kind=icmp.ECHO_REPLY))),
        ("icmp-error-not-ours", report(packet(HERE, FAR, bytes(8), protocol=253))),
        ("icmp-error-not-ours", report(datagram(HERE, FAR))),
        ("icmp-quote-truncated", report(echo_packet(HERE, FAR)[:27])),
        ("icmp-quote-header", report(b"\x65" + echo_packet(HERE, FAR)[1:])),
        ("icmp-quote-header", report(b"\x4f" + echo_packet(HERE, FAR)[1:])),
        ("icmp-redirect", report(echo_packet(HERE, FAR), icmp.REDIRECT)),
        ("icmp-unknown-type", icmp_frame(icmp.IcmpMessage(15, 0, 0, bytes(12)))),
    ],
)
def test_errors_that_tell_us_nothing_are_dropped(reason: str, frame: bytes) -> None:
    dialogue = knowing_all()
    dialogue.host.icmp.open_echo(99)
    dialogue.expect_drop(reason, frame)


def test_an_error_that_quotes_options_is_understood() -> None:
    dialogue = knowing_all()
    socket = dialogue.host.icmp.open_echo(5)
    dialogue.receive(report(echo_packet(HERE, FAR, options=bytes(40))[:68]))
    assert len(socket.inbox) == 1


# Errors that go


def never_reported() -> list[Any]:
    error = icmp.IcmpMessage(icmp.TIME_EXCEEDED, 0, 0, datagram(FAR, NEAR)).pack()
    redirect = icmp.IcmpMessage(icmp.REDIRECT, 0, 0, datagram(FAR, NEAR)).pack()
    return [
        pytest.param(packet(NEAR, NOWHERE, error, protocol=1), id="about an error"),
        pytest.param(packet(NEAR, NOWHERE, redirect, protocol=1), id="about a redirect"),
        pytest.param(packet(NEAR, NOWHERE, b"", protocol=1), id="about an empty ICMP message"),
        pytest.param(datagram(NEAR, NOWHERE, b"12345678", fragment=1), id="a later fragment"),
    ]


@pytest.mark.parametrize("content", never_reported())
def test_some_packets_are_never_reported(content: bytes) -> None:
    knowing_all(forwarding=True).expect_drop("no-route", frame_of(content))


@pytest.mark.parametrize("fragment", [0, ipv4.MORE_FRAGMENTS])
@pytest.mark.parametrize("kind", [icmp.ECHO_REQUEST, icmp.ECHO_REPLY])
def test_others_are(kind: int, fragment: int) -> None:
    dialogue = knowing_all(forwarding=True)
    dialogue.receive(frame_of(echo_packet(NEAR, NOWHERE, kind=kind, fragment=fragment)))
    header, error = dialogue.take_error()
    assert header.destination == NEAR
    assert error.code == icmp.NETWORK_UNREACHABLE


@pytest.mark.parametrize("destination", [DIRECTED, LIMITED_BROADCAST])
def test_what_went_to_everybody_is_not_reported(destination: IpAddress) -> None:
    dialogue = knowing_all()
    dialogue.expect_drop("udp-no-port", frame_of(datagram(NEAR, destination), to=BROADCAST_MAC))
    content = packet(NEAR, destination, protocol=253)
    dialogue.expect_drop("protocol-unreachable", frame_of(content, to=BROADCAST_MAC))


def test_a_sender_without_an_address_is_not_told() -> None:
    dialogue = knowing_all()
    content = datagram(bytes(4), LIMITED_BROADCAST)
    dialogue.expect_drop("udp-no-port", frame_of(content, to=BROADCAST_MAC))


@pytest.mark.parametrize("size", [0, 8, 520, 521, 1400])
def test_an_error_quotes_as_much_as_fits_576_octets(size: int) -> None:
    dialogue = knowing_all(forwarding=True)
    content = packet(NEAR, NOWHERE, bytes(size))
    dialogue.receive(frame_of(content))
    header, error = dialogue.take_error()
    assert header.total_length == min(20 + 8 + len(content), 576)
    assert content.startswith(error.body)


def test_an_error_that_no_route_leads_to_is_counted() -> None:
    dialogue = knowing_all(forwarding=True)
    dialogue.receive(frame_of(datagram(NOWHERE, FAR, ttl=1)))
    assert dialogue.host.drops == {"ttl-exceeded": 1, "icmp-error-unsent": 1}
    dialogue.expect_nothing()


def test_errors_are_limited_in_rate() -> None:
    dialogue = knowing_all(forwarding=True)
    frame = frame_of(datagram(NEAR, NOWHERE))
    for _ in range(ERROR_BURST + 7):
        dialogue.receive(frame)
    assert len(dialogue.sent) == ERROR_BURST
    assert dialogue.host.drops["icmp-rate-limited"] == 7
    dialogue.sent.clear()
    dialogue.run(3 * SECOND // ERROR_RATE)
    for _ in range(10):
        dialogue.receive(frame)
    assert len(dialogue.sent) == 3
    dialogue.sent.clear()
    dialogue.run(SECOND)
    for _ in range(1000):
        dialogue.receive(frame)
    assert len(dialogue.sent) == ERROR_BURST


def test_echo_replies_are_not_limited() -> None:
    dialogue = knowing_all()
    for _ in range(10 * ERROR_BURST):
        dialogue.receive(frame_of(echo_packet(NEAR, HERE)))
    assert len(dialogue.sent) == 10 * ERROR_BURST
    assert dialogue.sent[0].frame[:6] == NEAR_MAC


def test_errors_find_their_way_by_the_routing_table() -> None:
    dialogue = knowing_all(forwarding=True)
    dialogue.receive(frame_of(datagram(FAR, NOWHERE), by=NEAR_MAC))
    sent = dialogue.take()
    assert (sent.interface, sent.frame[:6], sent.frame[26:30]) == ("eth1", GATEWAY_MAC, HERE_TOO)
