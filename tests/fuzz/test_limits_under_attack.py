"""Each table that strangers can fill, filled by a hundred thousand of them.

Memory is counted in allocated blocks (`sys.getallocatedblocks`): what a second wave of the same
attack adds to what the first has left.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from struct import Struct

import pytest
from forgery import ATTACKER_MAC, fragment_of, mended, segment_frame
from memory_network import MemoryNetwork
from plans import plan_of
from table_limits import check_connection, check_tables

from netsim.core.streams import RandomStreams
from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.node.switch import Switch
from netsim.stack import icmp_layer, neighbour
from netsim.stack.host import Host
from netsim.stack.interface import Interface, InterfaceAddress
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.out_of_order import MAX_RANGES
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.switching import mac_table
from netsim.wire import arp, ethernet, ipv4, tcp, udp
from netsim.wire import icmp as wire_icmp
from netsim.wire.address import BROADCAST_MAC
from netsim.wire.checksum import pseudo_header_sum

STRANGERS = 100_000
MAC = bytes.fromhex("020000000001")
HERE = bytes((10, 0, 0, 1))
STATIONS = [bytes((10, 0, 0, last)) for last in (2, 3)]
PEER = (STATIONS[0], 5000)
NUMBER = Struct("!I")


class Victim:
    """A host in 10.0.0.0/8, so that it has many neighbours; what it sends is counted and lost."""

    def __init__(self, *, forwarding: bool = False, settings: TcpSettings | None = None) -> None:
        self.interface = Interface(0, "eth0", MAC, (InterfaceAddress(HERE, 8),))
        self.host = Host(
            [self.interface], RandomStreams(1), forwarding=forwarding, tcp_settings=settings
        )
        self.now = 0
        self.answers = 0
        self.last = b""
        for station in STATIONS:
            self.receive(arp_frame(station))

    def receive(self, frame: bytes, every: int = MICROSECOND) -> None:
        """A frame, `every` ns after the last."""
        self.wait(every)
        self.host.receive_frame(self.interface, frame, self.now)
        self.flush()

    def wait(self, ns: int) -> None:
        """Let that much time pass."""
        end = self.now + ns
        while (due := self.host.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.host.handle_timer(self.now)
            self.flush()
        self.now = end

    def flush(self) -> None:
        """What programs wrote leaves, and is lost."""
        host = self.host
        host.flush(self.now)
        if host.outbox:
            self.answers += len(host.outbox)
            self.last = host.outbox[-1][1]
            host.outbox.clear()


def arp_frame(sender: bytes) -> bytes:
    """Somebody asks for the victim."""
    mac = b"\x02\xbb" + sender
    packet = arp.ArpPacket(arp.REQUEST, mac, sender, bytes(6), HERE)
    return ethernet.pack_header(BROADCAST_MAC, mac, ethernet.ETHERTYPE_ARP) + packet.pack()


def packet_frame(source: bytes, destination: bytes, protocol: int, payload: bytes) -> bytes:
    total = ipv4.HEADER_LENGTH + len(payload)
    header = ipv4.pack_plain(0, total, 1, 64, protocol, source, destination)
    link_header = ethernet.pack_header(MAC, ATTACKER_MAC, ethernet.ETHERTYPE_IPV4)
    return link_header + header + payload


def datagram_frame(payload: bytes, port: int) -> bytes:
    pseudo_sum = pseudo_header_sum(PEER[0], HERE, ipv4.PROTOCOL_UDP)
    packed = udp.pack(PEER[1], port, payload, pseudo_sum)
    return packet_frame(PEER[0], HERE, ipv4.PROTOCOL_UDP, packed)


def segment(
    flags: int,
    sequence: int = 0,
    acknowledgement: int = 0,
    *,
    peer: tuple[bytes, int] = PEER,
    payload: bytes = b"",
) -> bytes:
    """To the victim's port 80."""
    built = tcp.TcpSegment(0, 0, sequence, acknowledgement, flags, 1000, payload)
    return segment_frame(MAC, peer, (HERE, 80), built)


def peers(numbers: range) -> Iterator[tuple[bytes, int]]:
    """Strangers on a few stations that the victim knows."""
    for number in numbers:
        yield STATIONS[number // 60_000], 1024 + number % 60_000


def flood(wave: Callable[[range], object], strangers: int = STRANGERS) -> None:
    """Half of them come, then the others, who must not leave an object each.

    Nothing may have to wait for the cycle collector: in a process with much in it that comes
    round so rarely that waiting is as good as leaking.
    """
    half = strangers // 2
    gc.collect()
    gc.disable()
    try:
        wave(range(half))
        before = sys.getallocatedblocks()
        wave(range(half, strangers))
        assert sys.getallocatedblocks() - before < half // 2
    finally:
        gc.enable()


def answer_number(victim: Victim) -> int:
    """The sequence number of the last segment the victim sent."""
    return int.from_bytes(victim.last[38:42], "big")


def open_connection(victim: Victim, peer: tuple[bytes, int] = PEER) -> None:
    """The whole handshake, by somebody who sees what the victim sends."""
    victim.receive(segment(tcp.SYN, 100, peer=peer))
    victim.receive(segment(tcp.ACK, 101, answer_number(victim) + 1, peer=peer))


def accepted(victim: Victim, listener: Listener) -> TcpSocket:
    open_connection(victim)
    connection = listener.accept()
    assert connection is not None
    return connection


def test_spoofed_arp_fills_the_neighbour_table_and_no_more() -> None:
    victim = Victim()

    def wave(strangers: range) -> None:
        for stranger in strangers:
            victim.receive(arp_frame(NUMBER.pack(0x0A010000 + stranger)))

    flood(wave)
    assert len(victim.host.neighbours[0].entries()) == neighbour.TABLE_LIMIT
    check_tables(victim.host)


def test_destinations_that_do_not_exist_hold_few_packets() -> None:
    router = Victim(forwarding=True)
    (cache,) = router.host.neighbours

    def wave(strangers: range) -> None:
        for stranger in strangers:
            nobody = NUMBER.pack(0x0A010000 + stranger)
            router.receive(packet_frame(b"\x0b\0\0\1", nobody, ipv4.PROTOCOL_UDP, bytes(8)))

    flood(wave, 20_000)
    assert len(cache.entries()) == neighbour.TABLE_LIMIT
    waiting = sum(len(entry.waiting) for entry in cache.entries())
    assert router.host.drops["neighbour-table"] == 20_000 - waiting
    # All to one of them: the queue of one resolution.
    nobody = NUMBER.pack(0x0AFFFF01)
    for _ in range(1000):
        router.receive(packet_frame(b"\x0b\0\0\1", nobody, ipv4.PROTOCOL_UDP, bytes(8)))
    assert router.host.drops["neighbour-queue"] == 1000 - neighbour.QUEUE_LIMIT
    check_tables(router.host)


def test_spoofed_stations_fill_the_mac_table_and_no_more() -> None:
    network = MemoryNetwork(plan_of("alice s1", "bob s1"))
    switch = network.nodes["s1"]
    assert isinstance(switch, Switch)
    tail = bytes(50)
    alice, bob = (network.nodes[name].ports[0].mac for name in ("alice", "bob"))
    for port, mac in zip(switch.ports, (alice, bob), strict=True):
        switch.receive_frame(port, BROADCAST_MAC + mac + tail, 0)

    def wave(strangers: range) -> None:
        for stranger in strangers:
            mac = b"\x02\xcc" + NUMBER.pack(stranger)
            switch.receive_frame(switch.ports[0], alice + mac + tail, stranger)

    flood(wave)
    assert len(switch.table.entries(SECOND)) == mac_table.CAPACITY
    assert switch.table.refused == STRANGERS - mac_table.CAPACITY + 2
    # Who was there before is still known: nothing is flooded.
    flooded = switch.flooded
    switch.receive_frame(switch.ports[0], bob + alice + tail, SECOND)
    assert switch.flooded == flooded


def test_a_flood_of_syns_fills_the_backlog_and_no_more() -> None:
    victim = Victim()
    victim.host.tcp.listen(None, 80)
    settings = victim.host.tcp.settings

    def wave(strangers: range) -> None:
        for peer in peers(strangers):
            victim.receive(segment(tcp.SYN, 100, peer=peer))

    flood(wave)
    counters = victim.host.tcp.counters
    assert len(victim.host.tcp.connections()) == settings.syn_backlog
    assert counters.cookies_sent == STRANGERS - settings.syn_backlog
    check_tables(victim.host)
    # When nobody answers, it ends, and the next may come.
    victim.wait(200 * SECOND)
    assert victim.host.tcp.connections() == []
    victim.receive(arp_frame(PEER[0]))
    open_connection(victim)
    assert counters.passive_opens == 1


def test_connections_begun_and_reset_leave_nothing() -> None:
    victim = Victim()
    victim.host.tcp.listen(None, 80)

    def wave(strangers: range) -> None:
        for peer in peers(strangers):
            victim.receive(segment(tcp.SYN, 100, peer=peer))
            victim.receive(segment(tcp.RST, 101, peer=peer))

    flood(wave, 10_000)
    assert victim.host.tcp.connections() == []
    check_tables(victim.host)


def test_a_listener_that_never_accepts_holds_its_backlog() -> None:
    victim = Victim()
    listener = victim.host.tcp.listen(None, 80, backlog=16)
    for peer in peers(range(2000)):
        open_connection(victim, peer)
    assert listener.waiting == 16
    assert victim.host.tcp.counters.syn_drops == 2000 - 16
    check_tables(victim.host)


def test_closed_connections_wait_in_a_table_that_ends() -> None:
    victim = Victim(settings=TcpSettings(time_wait_limit=100))
    listener = victim.host.tcp.listen(None, 80)

    def wave(strangers: range) -> None:
        for peer in peers(strangers):
            open_connection(victim, peer)
            connection = listener.accept()
            assert connection is not None
            connection.close()
            victim.host.ready.clear()
            victim.flush()
            here = answer_number(victim)
            victim.receive(segment(tcp.ACK | tcp.FIN, 101, here + 1, peer=peer))

    flood(wave, 3000)
    assert len(victim.host.tcp.connections()) == 100
    assert victim.host.tcp.counters.time_wait_overflows == 3000 - 100
    check_tables(victim.host)


def test_text_with_many_holes_is_kept_up_to_a_limit() -> None:
    victim = Victim()
    connection = accepted(victim, victim.host.tcp.listen(None, 80))
    here = connection.sender.nxt
    for hole in range(20_000):
        victim.receive(segment(tcp.ACK, 102 + 2 * hole, here, payload=b"x"))
    check_connection(connection)
    assert victim.host.tcp.counters.beyond_buffer == 20_000 - MAX_RANGES


@pytest.mark.parametrize("order", ["up", "down"])
def test_text_in_single_octets_behind_a_hole_costs_what_it_is_worth(order: str) -> None:
    victim = Victim()
    connection = accepted(victim, victim.host.tcp.listen(None, 80))
    here = connection.sender.nxt
    numbers = range(102, 20_102)
    for number in numbers if order == "up" else reversed(numbers):
        victim.receive(segment(tcp.ACK, number, here, payload=b"x"))
    check_connection(connection)
    victim.receive(segment(tcp.ACK, 101, here, payload=b"y"))
    check_connection(connection)
    assert connection.receive() == b"y" + b"x" * 20_000


def test_what_nobody_reads_is_kept_up_to_a_limit() -> None:
    victim = Victim(settings=TcpSettings(receive_buffer=(1 << 16) - 1))
    connection = accepted(victim, victim.host.tcp.listen(None, 80))
    text_socket = victim.host.udp.bind(None, 53)
    echo_socket = victim.host.icmp.open_echo(7)
    here = connection.sender.nxt
    for number in range(100):
        victim.receive(segment(tcp.ACK, 101 + 1000 * number, here, payload=bytes(1000)))
    assert connection.readable_bytes == (1 << 16) - 1
    reply = wire_icmp.echo(wire_icmp.ECHO_REPLY, 7, 1, b"").pack()
    for _ in range(3000):
        victim.receive(datagram_frame(b"", 53))
        victim.receive(packet_frame(PEER[0], HERE, ipv4.PROTOCOL_ICMP, reply))
    assert victim.host.drops["udp-receive-buffer"] + len(text_socket.inbox) == 3000
    assert victim.host.drops["icmp-receive-buffer"] + len(echo_socket.inbox) == 3000
    check_tables(victim.host)


def test_lies_about_path_mtus_are_remembered_up_to_a_limit() -> None:
    victim = Victim()
    victim.host.udp.bind(None, 53)

    def wave(strangers: range) -> None:
        for stranger in strangers:
            there = NUMBER.pack(0x0B000000 + stranger)
            quoted = ipv4.pack_plain(0, 1500, 1, 64, ipv4.PROTOCOL_UDP, HERE, there)
            quoted += (53).to_bytes(2) + bytes(6)
            message = wire_icmp.IcmpMessage(3, 4, 576, quoted).pack()
            victim.receive(packet_frame(PEER[0], HERE, ipv4.PROTOCOL_ICMP, message))

    flood(wave, 10_000)
    assert len(victim.host.ip.path_mtus) > 0
    check_tables(victim.host)


def test_fragments_that_are_never_complete_are_kept_up_to_a_limit() -> None:
    victim = Victim()
    frame = datagram_frame(bytes(1400), 53)

    def wave(strangers: range) -> None:
        for stranger in strangers:
            piece = fragment_of(frame, stranger % 3, 800, True, stranger)
            there = NUMBER.pack(0x0B000000 + stranger // 100)
            victim.receive(mended(piece[:26] + there + piece[30:], lengths=False))

    flood(wave, 40_000)
    assert len(victim.host.ip_input.reassembly) > 0
    assert (
        victim.host.drops["reassembly-limit"] == 40_000 - victim.host.ip_input.reassembly.fragments
    )
    check_tables(victim.host)


def test_errors_are_told_at_a_limited_rate() -> None:
    victim = Victim()
    before = victim.answers
    for _ in range(STRANGERS // 10):
        victim.receive(datagram_frame(b"", 9), MILLISECOND // 100)
    seconds = STRANGERS // 10 * (MILLISECOND // 100) / SECOND
    assert victim.answers - before <= icmp_layer.ERROR_BURST + icmp_layer.ERROR_RATE * seconds + 1
    unanswered = STRANGERS // 10 - (victim.answers - before)
    assert victim.host.drops["icmp-rate-limited"] == unanswered > 0
    assert victim.host.drops["udp-no-port"] == STRANGERS // 10
