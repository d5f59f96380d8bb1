from __future__ import annotations

import errno

import pytest
from host_dialogue import (
    FAR,
    HERE,
    HERE_TOO,
    NEAR,
    NEAR_MAC,
    Dialogue,
    datagram,
    frame_of,
    packet,
    sent_frame,
)

from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.port_sharing import Sharing
from netsim.stack.recently_closed import ANSWER_TIME, LIMIT, RecentlyClosed
from netsim.stack.socket_errors import (
    AddressInUseError,
    AddressNotAvailableError,
    MessageTooLongError,
    NoRouteError,
    NotConnectedError,
)
from netsim.stack.udp_layer import DATAGRAM_OVERHEAD, EPHEMERAL_PORTS, RECEIVE_BUFFER
from netsim.wire import icmp, ipv4
from netsim.wire.address import BROADCAST_MAC, LIMITED_BROADCAST, parse_ip

LOOPBACK = parse_ip("127.0.0.1")
NOWHERE = parse_ip("192.0.2.1")


def knowing_near() -> Dialogue:
    dialogue = Dialogue()
    dialogue.introduce(NEAR, NEAR_MAC)
    return dialogue


def test_a_datagram_leaves_as_it_should() -> None:
    dialogue = knowing_near()
    dialogue.host.udp.bind(None, 4000).send(b"odd", (NEAR, 53), 0, ttl=9)
    content = datagram(HERE, NEAR, b"odd", ttl=9, identification=1, fragment=ipv4.DONT_FRAGMENT)
    dialogue.expect(sent_frame(content, NEAR_MAC))


def test_a_datagram_without_a_checksum_is_received() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 53)
    content = packet(NEAR, HERE, bytes.fromhex("0fa00035000a0000") + b"ok" + b"trailer")
    dialogue.receive(frame_of(content))
    received = socket.receive()
    assert received is not None
    assert received.payload == b"ok"


def test_a_port_is_bound_once() -> None:
    udp = knowing_near().host.udp
    first = udp.bind(None, 53)
    for address in (None, HERE, LOOPBACK):
        with pytest.raises(AddressInUseError) as caught:
            udp.bind(address, 53)
        assert caught.value.errno == errno.EADDRINUSE
    first.close()
    one, two = udp.bind(HERE, 53), udp.bind(HERE_TOO, 53)
    with pytest.raises(AddressInUseError):
        udp.bind(None, 53)
    assert udp.sockets() == [one, two]


def test_a_socket_is_bound_to_an_address_of_this_host() -> None:
    with pytest.raises(AddressNotAvailableError) as caught:
        knowing_near().host.udp.bind(NEAR, 53)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_closing_twice_does_not_take_the_port_from_the_next_owner() -> None:
    dialogue = knowing_near()
    first = dialogue.host.udp.bind(None, 53)
    first.close()
    second = dialogue.host.udp.bind(None, 53)
    first.close()
    dialogue.receive(frame_of(datagram(NEAR, HERE)))
    assert len(second.inbox) == 1


def test_free_ports_are_drawn_from_the_stream_until_none_is_left() -> None:
    ports = {Dialogue(seed=seed).host.udp.bind(None, 0).local[1] for seed in range(5)}
    assert len(ports) == 5
    assert all(port in EPHEMERAL_PORTS for port in ports)
    udp = knowing_near().host.udp
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netsim.stack.udp_layer.EPHEMERAL_PORTS", range(40000, 40010))
        taken = [udp.bind(None, 0).local[1] for _ in range(10)]
        assert sorted(taken) == list(range(40000, 40010))
        with pytest.raises(AddressNotAvailableError):
            udp.bind(HERE, 0)


def test_a_socket_on_one_address_hears_that_address_alone() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(HERE, 53)
    dialogue.receive(frame_of(datagram(NEAR, HERE)))
    dialogue.receive(frame_of(datagram(NEAR, HERE_TOO)))
    assert len(socket.inbox) == 1
    assert dialogue.host.drops == {"udp-no-port": 1}


def test_the_owner_of_a_socket_is_told() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 53)
    assert socket.receive() is None
    dialogue.receive(frame_of(datagram(NEAR, HERE, b"1")))
    dialogue.receive(frame_of(datagram(NEAR, HERE, b"2")))
    assert list(dialogue.host.ready) == [socket]
    datagrams = [socket.receive(), socket.receive(), socket.receive()]
    assert [each and each.payload for each in datagrams] == [b"1", b"2", None]
    dialogue.receive(frame_of(datagram(NEAR, HERE, b"3")))
    socket.close()
    assert not dialogue.host.ready


def test_a_port_that_nobody_has_is_reported() -> None:
    dialogue = knowing_near()
    content = datagram(NEAR, HERE, b"anybody?")
    dialogue.receive(frame_of(content))
    _, error = dialogue.take_error()
    assert (error.type, error.code) == (icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE)
    assert error.body == content


def test_a_connected_socket_hears_its_peer_alone() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 53)
    with pytest.raises(NotConnectedError):
        socket.send(b"", None, 0)
    socket.connect((NEAR, 4000))
    socket.send(b"hi", None, 0)
    assert dialogue.take_packet().destination == NEAR
    dialogue.receive(frame_of(datagram(NEAR, HERE, b"yes")))
    dialogue.receive(frame_of(datagram(NEAR, HERE, b"no", ports=(4001, 53))))
    dialogue.receive(frame_of(datagram(FAR, HERE, b"no")))
    assert [each.payload for each in socket.inbox] == [b"yes"]
    assert dialogue.host.drops["udp-no-port"] == 2


def error_about(content: bytes) -> bytes:
    message = icmp.IcmpMessage(3, icmp.PORT_UNREACHABLE, 0, content[:28])
    return frame_of(packet(NEAR, HERE, message.pack(), protocol=1))


def test_an_error_waits_at_the_socket_that_sent() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 4000)
    dialogue.receive(error_about(datagram(HERE, FAR, b"question")))
    (error,) = socket.errors
    assert (error.reporter, error.destination, error.now) == (NEAR, (FAR, 53), 0)
    assert error.message.code == icmp.PORT_UNREACHABLE
    assert list(dialogue.host.ready) == [socket]


def test_an_error_about_somebody_elses_peer_is_not_ours() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 4000)
    socket.connect((NEAR, 53))
    dialogue.expect_drop("icmp-error-not-ours", error_about(datagram(HERE, FAR)))
    dialogue.receive(error_about(datagram(HERE, NEAR)))
    assert len(socket.errors) == 1


def test_an_error_about_what_a_closed_socket_sent_is_no_fault() -> None:
    dialogue = knowing_near()
    late = error_about(datagram(HERE, NEAR))
    socket = dialogue.host.udp.bind(None, 4000)
    socket.send(b"question", (NEAR, 53), dialogue.now)
    socket.close()
    dialogue.receive(late)
    assert dialogue.host.drops == {}
    dialogue.run(ANSWER_TIME + 1)
    dialogue.sent.clear()
    dialogue.receive(late)
    assert dialogue.host.drops == {"icmp-error-not-ours": 1}


def test_an_error_about_what_a_closed_socket_never_sent_is_not_ours() -> None:
    dialogue = knowing_near()
    dialogue.host.udp.bind(None, 4000).close()
    dialogue.expect_drop("icmp-error-not-ours", error_about(datagram(HERE, NEAR)))


def test_closed_sockets_do_not_fill_the_memory() -> None:
    closed = RecentlyClosed()
    for key in range(LIMIT + 1):
        closed.note(key, 0)
    assert [closed.awaited(key, 0) for key in (0, 1, LIMIT)] == [False, True, True]


def test_errors_that_nobody_reads_do_not_fill_the_memory() -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 4000)
    for _ in range(200):
        dialogue.receive(error_about(datagram(HERE, FAR)))
    assert len(socket.errors) == 64
    assert dialogue.host.drops["udp-error-queue"] == 136


def test_a_refusal_comes_back_over_the_loopback() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 4000)
    socket.send(b"anybody?", (LOOPBACK, 53), 0)
    dialogue.expect_nothing()
    (error,) = socket.errors
    assert (error.reporter, error.destination) == (LOOPBACK, (LOOPBACK, 53))


def test_a_broadcast_is_for_all_that_share_the_port() -> None:
    dialogue = knowing_near()
    for sharing in Sharing.ADDRESS, Sharing.PORT:
        udp = dialogue.host.udp
        places = [None, None, HERE, None, None]
        sockets = [udp.bind(address, 53, sharing) for address in places]
        sockets[3].connect((NEAR, 4000))
        sockets[4].connect((FAR, 4000))
        for destination in (parse_ip("10.0.1.255"), LIMITED_BROADCAST):
            dialogue.receive(frame_of(datagram(NEAR, destination, b"all"), to=BROADCAST_MAC))
            heard = [socket.receive() is not None for socket in sockets]
            assert heard == [True, True, False, True, False]
        for socket in sockets:
            socket.close()
    dialogue.expect_nothing()


@pytest.mark.parametrize("size", [0, 1000])
def test_the_receive_buffer_overflows_also_with_empty_datagrams(size: int) -> None:
    dialogue = knowing_near()
    socket = dialogue.host.udp.bind(None, 53)
    room = RECEIVE_BUFFER // (size + DATAGRAM_OVERHEAD)
    frame = frame_of(datagram(NEAR, HERE, bytes(size)))
    for _ in range(room + 3):
        dialogue.receive(frame)
    assert len(socket.inbox) == room
    assert dialogue.host.drops == {"udp-receive-buffer": 3}
    socket.receive()
    dialogue.receive(frame)
    assert len(socket.inbox) == room
    while socket.receive():
        pass
    assert socket.queued_bytes == 0


def test_what_cannot_be_sent_raises() -> None:
    socket = knowing_near().host.udp.bind(None, 0)
    with pytest.raises(NoRouteError):
        socket.send(b"", (NOWHERE, 53), 0)
    for size in (65508, 100_000):
        with pytest.raises(MessageTooLongError):
            socket.send(bytes(size), (NEAR, 53), 0)
    socket.discovery = PathMtuDiscovery.DO
    with pytest.raises(MessageTooLongError):
        socket.send(bytes(1473), (NEAR, 53), 0)
    with pytest.raises(MessageTooLongError):
        socket.send(bytes(65508), (LOOPBACK, 53), 0)
