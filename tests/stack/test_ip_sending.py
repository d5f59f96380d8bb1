"""What a host sends by itself, where, and what it refuses."""

from __future__ import annotations

import errno

import pytest
from host_dialogue import (
    FAR,
    GATEWAY_MAC,
    HERE,
    HERE_TOO,
    MACS,
    NEAR,
    NEAR_MAC,
    Dialogue,
    ask,
    datagram,
    sent_frame,
)

from netsim.core.streams import RandomStreams
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.host import Host
from netsim.stack.socket_errors import (
    MessageTooLongError,
    NoRouteError,
    SocketError,
)
from netsim.wire import ethernet, ipv4
from netsim.wire.address import BROADCAST_MAC, LIMITED_BROADCAST, UNSPECIFIED, IpAddress, parse_ip

DIRECTED = parse_ip("10.0.1.255")
LOOPBACK = parse_ip("127.0.0.1")
GROUP = parse_ip("224.129.1.2")
NOWHERE = parse_ip("192.0.2.1")


def send(
    dialogue: Dialogue,
    destination: IpAddress,
    size: int = 10,
    source: IpAddress = HERE,
    how: str = "want",
) -> None:
    dialogue.host.ip.send(
        ipv4.PROTOCOL_UDP,
        source,
        destination,
        bytes(size),
        dialogue.now,
        discovery=PathMtuDiscovery(how),
    )


def test_packets_have_a_number_each_and_may_not_be_fragmented() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    for _ in range(2):
        send(dialogue, NEAR)
    first, second = dialogue.take_packet(), dialogue.take_packet()
    assert first.fragment == ipv4.DONT_FRAGMENT
    assert (first.ttl, first.source, first.destination) == (64, HERE, NEAR)
    assert second.identification == first.identification + 1


def test_what_goes_beyond_the_subnet_goes_to_the_gateway() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    assert dialogue.host.ip.source_for(FAR) == HERE_TOO
    send(dialogue, FAR, source=HERE_TOO)
    sent = dialogue.take()
    assert (sent.interface, sent.frame[:12]) == ("eth1", GATEWAY_MAC + MACS[1])


@pytest.mark.parametrize(
    "destination",
    [NOWHERE, UNSPECIFIED, parse_ip("0.1.2.3"), parse_ip("250.0.0.1"), GROUP],
)
def test_what_no_route_leads_to_is_refused(destination: IpAddress) -> None:
    dialogue = Dialogue()
    with pytest.raises(NoRouteError) as caught:
        send(dialogue, destination)
    assert caught.value.errno == errno.ENETUNREACH
    dialogue.expect_nothing()


@pytest.mark.parametrize("destination", [UNSPECIFIED, parse_ip("250.0.0.1")])
def test_a_default_route_leads_to_nobodys_address_neither(destination: IpAddress) -> None:
    dialogue = Dialogue()
    gateway = parse_ip("10.0.2.2")
    route = dialogue.host.route_via(UNSPECIFIED, 0, gateway, dialogue.interfaces[1])
    dialogue.host.install_routes([route])
    with pytest.raises(NoRouteError):
        send(dialogue, destination)


@pytest.mark.parametrize("how", ["do", "probe"])
def test_a_packet_larger_than_the_link_is_refused_where_it_may_not_be_cut(how: str) -> None:
    dialogue = Dialogue(mtu=600)
    dialogue.introduce_all()
    send(dialogue, FAR, 580, how=how)
    assert dialogue.take_packet().total_length == 600
    for destination in (FAR, parse_ip("10.0.2.255")):
        with pytest.raises(MessageTooLongError) as caught:
            send(dialogue, destination, 581, how=how)
        assert caught.value.errno == errno.EMSGSIZE
    dialogue.expect_nothing()


@pytest.mark.parametrize("destination", [NEAR, HERE, LOOPBACK, LIMITED_BROADCAST])
def test_a_packet_larger_than_ip_can_say_is_refused(destination: IpAddress) -> None:
    with pytest.raises(MessageTooLongError):
        send(Dialogue(), destination, ipv4.MAX_PACKET - 19)


def test_loopback_addresses_do_not_leave_the_host() -> None:
    dialogue = Dialogue()
    dialogue.introduce_all()
    for destination in (NEAR, LIMITED_BROADCAST, DIRECTED):
        with pytest.raises(SocketError) as caught:
            send(dialogue, destination, source=LOOPBACK)
        assert caught.value.errno == errno.EINVAL
    dialogue.expect_nothing()


@pytest.mark.parametrize("destination", [HERE, HERE_TOO, LOOPBACK, parse_ip("127.9.9.9")])
def test_what_is_for_this_host_itself_never_reaches_a_cable(destination: IpAddress) -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 53)
    sender = dialogue.host.udp.bind(None, 4000)
    sender.send(b"me", (destination, 53), 0)
    assert dialogue.host.ip.looped
    assert not socket.inbox, "it comes in when the host is done with what it does"
    dialogue.expect_nothing()
    received = socket.receive()
    assert received is not None
    assert received == (b"me", (destination, 4000), destination, 0)
    assert not dialogue.host.ip.looped


def test_the_largest_packet_of_all_goes_through_the_loopback() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 53)
    payload = bytes(65507)
    socket.send(payload, (LOOPBACK, 53), 0)
    dialogue.expect_nothing()
    received = socket.receive()
    assert received is not None
    assert received.payload == payload
    assert dialogue.host.ip.mtu_to(LOOPBACK) == 65535


@pytest.mark.parametrize(
    ("destination", "on", "source"),
    [
        (DIRECTED, 0, HERE),
        (parse_ip("10.0.2.255"), 1, HERE_TOO),
        (LIMITED_BROADCAST, 0, HERE),
    ],
)
def test_broadcasts_leave_in_broadcast_frames_without_being_resolved(
    destination: IpAddress, on: int, source: IpAddress
) -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 4000)
    socket.send(b"all", (destination, 53), 0)
    content = datagram(source, destination, b"all", identification=1, fragment=ipv4.DONT_FRAGMENT)
    dialogue.expect(sent_frame(content, BROADCAST_MAC, on), on=on)
    dialogue.expect_nothing()


def test_broadcasts_need_an_interface_that_is_up() -> None:
    dialogue = Dialogue()
    dialogue.host.set_carrier(dialogue.interfaces[0], False)
    with pytest.raises(NoRouteError):
        send(dialogue, DIRECTED)
    socket = dialogue.host.udp.bind(None, 4000)
    socket.send(b"", (LIMITED_BROADCAST, 53), 0)
    assert dialogue.take().interface == "eth1"
    dialogue.host.set_carrier(dialogue.interfaces[1], False)
    with pytest.raises(NoRouteError):
        socket.send(b"", (LIMITED_BROADCAST, 53), 0)


def test_a_host_without_interfaces_talks_to_itself_alone() -> None:
    host = Host([], RandomStreams(0))
    for destination in (NEAR, GROUP, LIMITED_BROADCAST):
        with pytest.raises(NoRouteError):
            host.udp.bind(None, 0).send(b"", (destination, 53), 0)
    host.udp.bind(None, 0).send(b"", (LOOPBACK, 53), 0)
    host.flush(0)
    assert host.drops == {"udp-no-port": 1}


def test_a_group_is_sent_to_its_own_mac_address() -> None:
    # RFC 1112 6.4: the low 23 bits, so 224.129.1.2 loses the bit of 129.
    dialogue = Dialogue()
    group_net = parse_ip("224.0.0.0")
    gateway = parse_ip("10.0.2.2")
    route = dialogue.host.route_via(group_net, 4, gateway, dialogue.interfaces[1])
    dialogue.host.install_routes([route])
    send(dialogue, GROUP, source=HERE_TOO)
    sent = dialogue.take()
    assert (sent.interface, sent.frame[:6].hex()) == ("eth1", "01005e010102")


def test_tcp_counts_what_could_not_leave_and_carries_on() -> None:
    dialogue = Dialogue()
    connection = dialogue.host.tcp.connect((FAR, 80), 0)
    dialogue.expect(ask(parse_ip("10.0.2.2"), on=1), on=1)
    dialogue.host.install_routes([])
    dialogue.run(2 * 10**9)
    assert dialogue.host.drops["tcp-unsent"] >= 1
    assert not connection.closed


def test_a_resolved_neighbour_is_sent_to_at_once() -> None:
    dialogue = Dialogue()
    dialogue.introduce(NEAR, NEAR_MAC)
    send(dialogue, NEAR)
    frame = dialogue.take().frame
    assert ethernet.parse_header(frame) == (NEAR_MAC, MACS[0], ethernet.ETHERTYPE_IPV4)
