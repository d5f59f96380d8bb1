"""What a host learns about the MTU of its paths, from whom, and for how long (RFC 1191)."""

from __future__ import annotations

import pytest
from host_dialogue import FAR, HERE_TOO, Dialogue, datagram, frame_of, packet

from netsim.core.time import SECOND
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.path_mtu import LIFETIME, MIN_PATH_MTU, PATH_MTU_LIMIT
from netsim.stack.socket_errors import MessageTooLongError
from netsim.stack.udp_layer import UdpSocket
from netsim.wire import icmp, ipv4, tcp
from netsim.wire.address import IpAddress, parse_ip
from netsim.wire.checksum import pseudo_header_sum

REPORTER = parse_ip("10.8.0.1")


def told(lost: bytes, mtu: int) -> bytes:
    """A router beyond reports that our packet did not fit."""
    kind, code = icmp.DESTINATION_UNREACHABLE, icmp.FRAGMENTATION_NEEDED
    message = icmp.IcmpMessage(kind, code, mtu, lost[:548]).pack()
    return frame_of(packet(REPORTER, HERE_TOO, message, protocol=ipv4.PROTOCOL_ICMP))


def too_big(destination: IpAddress, mtu: int, size: int = 1500) -> bytes:
    flags = ipv4.DONT_FRAGMENT
    return told(datagram(HERE_TOO, destination, bytes(size - 28), fragment=flags), mtu)


def sender(how: str = "want") -> tuple[Dialogue, UdpSocket]:
    dialogue = Dialogue()
    dialogue.introduce_all()
    socket = dialogue.host.udp.bind(None, 4000)
    socket.discovery = PathMtuDiscovery(how)
    return dialogue, socket


def test_a_path_that_takes_less_than_the_first_link_is_remembered() -> None:
    dialogue, socket = sender("do")
    dialogue.receive(too_big(FAR, 1400))
    assert dialogue.host.ip.mtu_to(FAR) == 1400
    assert dialogue.host.ip.mtu_to(parse_ip("10.9.0.2")) == 1500
    socket.send(bytes(1372), (FAR, 53), 0)
    assert dialogue.take_packet().fragment == ipv4.DONT_FRAGMENT
    with pytest.raises(MessageTooLongError):
        socket.send(bytes(1373), (FAR, 53), 0)
    dialogue.receive(too_big(FAR, 1300, 1400))
    assert dialogue.host.ip.mtu_to(FAR) == 1300
    dialogue.receive(too_big(FAR, 1390, 1400))
    assert dialogue.host.ip.mtu_to(FAR) == 1300, "an old report does not raise it"
    (error, *_) = socket.errors
    assert error.message.next_hop_mtu == 1400


def test_who_wants_to_gets_through_a_smaller_path_in_fragments() -> None:
    dialogue, socket = sender()
    dialogue.receive(too_big(FAR, 1400))
    socket.send(bytes(1400), (FAR, 53), 0)
    first, last = dialogue.take_packet(), dialogue.take_packet()
    assert (first.total_length, first.fragment) == (1396, ipv4.MORE_FRAGMENTS)
    assert (last.total_length, last.fragment) == (52, 1376 // 8)


def test_probes_do_not_ask_what_is_known() -> None:
    dialogue, socket = sender("probe")
    dialogue.receive(too_big(FAR, 1400))
    socket.send(bytes(1472), (FAR, 53), 0)
    assert dialogue.take_packet().fragment == ipv4.DONT_FRAGMENT


def test_what_was_learned_is_forgotten_after_ten_minutes() -> None:
    dialogue, _ = sender()
    other = parse_ip("10.9.0.2")
    dialogue.receive(too_big(FAR, 1400))
    dialogue.receive(too_big(other, 1400))
    dialogue.run(100 * SECOND)
    dialogue.receive(too_big(FAR, 1400))
    dialogue.run(LIFETIME - 1)
    assert dialogue.host.ip.mtu_to(other) == 1400
    dialogue.run(LIFETIME)
    assert dialogue.host.ip.mtu_to(other) == 1500
    assert dialogue.host.ip.mtu_to(FAR) == 1400, "it was told again"
    dialogue.run(LIFETIME + 100 * SECOND)
    assert dialogue.host.ip.mtu_to(FAR) == 1500
    assert not dialogue.host.ip.path_mtus.simple


def test_other_routes_may_lead_over_other_paths() -> None:
    dialogue, _ = sender()
    dialogue.receive(too_big(FAR, 1400))
    dialogue.host.install_routes(list(dialogue.host.fib))
    assert dialogue.host.ip.mtu_to(FAR) == 1500
    dialogue.receive(too_big(FAR, 1400))
    dialogue.host.set_carrier(dialogue.interfaces[0], False)
    assert dialogue.host.ip.mtu_to(FAR) == 1500


@pytest.mark.parametrize("mtu", [1, 67, 1500, 9000])
def test_a_path_mtu_that_cannot_be_is_not_believed(mtu: int) -> None:
    dialogue, _ = sender()
    dialogue.receive(too_big(FAR, mtu))
    assert dialogue.host.ip.mtu_to(FAR) == 1500
    assert dialogue.host.drops["icmp-bad-mtu"] == 1


def test_an_old_router_does_not_tell_its_mtu() -> None:
    """RFC 1191 7.1: the next plateau is tried."""
    dialogue, _ = sender()
    sizes = []
    for _ in range(3):
        size = dialogue.host.ip.mtu_to(FAR)
        dialogue.receive(too_big(FAR, 0, size))
        sizes.append(dialogue.host.ip.mtu_to(FAR))
    assert sizes == [1492, 1006, MIN_PATH_MTU]


def test_below_552_octets_routers_are_let_to_cut() -> None:
    dialogue, socket = sender()
    dialogue.receive(too_big(FAR, 300))
    assert dialogue.host.ip.mtu_to(FAR) == MIN_PATH_MTU
    socket.send(bytes(100), (FAR, 53), 0)
    assert dialogue.take_packet().fragment == 0
    socket.send(bytes(552), (FAR, 53), 0)
    assert dialogue.take_packet().fragment == ipv4.MORE_FRAGMENTS
    dialogue.take()
    dialogue.receive(too_big(FAR, 600))
    socket.send(bytes(100), (FAR, 53), 0)
    assert dialogue.take_packet().fragment == 0


def test_the_path_of_somebody_elses_packet_is_no_matter_of_ours() -> None:
    dialogue, socket = sender()
    socket.close()
    dialogue.receive(too_big(FAR, 1400))
    assert dialogue.host.ip.mtu_to(FAR) == 1500
    assert dialogue.host.drops == {"icmp-error-not-ours": 1}


@pytest.mark.parametrize(("off", "mtu"), [(0, 1400), (-1, 1400), (5, 1500), (-5, 1500)])
def test_who_does_not_know_the_connection_is_not_believed(off: int, mtu: int) -> None:
    """RFC 5927 4.1."""
    dialogue, _ = sender()
    connection = dialogue.host.tcp.connect((FAR, 80), 0)
    segment = tcp.TcpSegment(
        connection.local[1], 80, (connection.sender.una + off) & 0xFFFFFFFF, 0, 0, 0, bytes(1460)
    )
    data = segment.pack(pseudo_header_sum(HERE_TOO, FAR, 6))
    dialogue.receive(told(packet(HERE_TOO, FAR, data, protocol=6), 1400))
    assert dialogue.host.ip.mtu_to(FAR) == mtu


def test_path_mtus_do_not_fill_the_memory() -> None:
    dialogue, _ = sender()
    first = 0x0A090000
    for number in range(PATH_MTU_LIMIT + 5):
        dialogue.receive(too_big((first + number).to_bytes(4, "big"), 1400))
    known = dialogue.host.ip.path_mtus
    assert len(known) == len(known.simple) == PATH_MTU_LIMIT
    assert dialogue.host.ip.mtu_to((first + 4).to_bytes(4, "big")) == 1500, "the oldest go"
    assert dialogue.host.ip.mtu_to((first + 5).to_bytes(4, "big")) == 1400
