"""ARP and what is known of neighbours, as dialogues on a cable."""

from __future__ import annotations

import pytest
from host_dialogue import (
    FAR,
    GATEWAY,
    GATEWAY_MAC,
    HERE,
    HERE_TOO,
    MACS,
    NEAR,
    NEAR_MAC,
    NO_MAC,
    Dialogue,
    answer,
    arp_frame,
    ask,
    datagram,
    echo_packet,
    frame_of,
    sent_frame,
)

from netsim.core.time import SECOND
from netsim.stack.icmp_layer import EchoError
from netsim.stack.neighbour import (
    DELAY,
    PROBES,
    QUEUE_LIMIT,
    REACHABLE,
    RETRANSMIT,
    TABLE_LIMIT,
    State,
)
from netsim.wire import arp, icmp, ipv4
from netsim.wire.address import BROADCAST_MAC, UNSPECIFIED, parse_ip

LONGEST_REACHABLE = REACHABLE * 3 // 2


def pinging(dialogue: Dialogue) -> None:
    """One echo request to the neighbour."""
    socket = dialogue.host.icmp.open_echo(1)
    socket.send(NEAR, 0, b"", dialogue.now)
    socket.close()


def state_of(dialogue: Dialogue, on: int = 0) -> State | None:
    entries = dialogue.host.neighbours[on].entries()
    return entries[0].state_at(dialogue.now) if entries else None


def resolved() -> Dialogue:
    """The neighbour has answered a question at time 0."""
    dialogue = Dialogue()
    pinging(dialogue)
    dialogue.expect(ask(NEAR))
    dialogue.receive(answer(NEAR, NEAR_MAC))
    dialogue.take()
    return dialogue


def test_a_packet_waits_while_its_neighbour_is_asked_for() -> None:
    dialogue = Dialogue()
    pinging(dialogue)
    dialogue.expect(ask(NEAR), at=0)
    assert state_of(dialogue) is State.INCOMPLETE
    dialogue.expect_nothing(RETRANSMIT // 2)
    dialogue.receive(answer(NEAR, NEAR_MAC))
    sent = dialogue.take()
    assert (sent.at, sent.frame[:6]) == (RETRANSMIT // 2, NEAR_MAC)
    assert state_of(dialogue) is State.REACHABLE
    dialogue.expect_nothing(LONGEST_REACHABLE + DELAY)


def test_packets_that_wait_leave_in_the_order_in_which_they_came() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 4000)
    for number in range(5):
        socket.send(bytes([number]), (NEAR, 53), 0)
    dialogue.expect(ask(NEAR))
    dialogue.expect_nothing()
    dialogue.receive(answer(NEAR, NEAR_MAC))
    assert [dialogue.take().frame[-1] for _ in range(5)] == [0, 1, 2, 3, 4]


def test_the_question_is_repeated_each_second_and_then_the_packets_are_given_up() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.icmp.open_echo(9)
    socket.send(NEAR, 4, b"", 0)
    for second in range(PROBES):
        dialogue.expect(ask(NEAR), at=second * RETRANSMIT)
    dialogue.expect_nothing(PROBES * RETRANSMIT)
    assert state_of(dialogue) is State.FAILED
    (error,) = socket.inbox
    assert isinstance(error, EchoError)
    assert (error.source, error.sequence, error.now) == (HERE, 4, PROBES * RETRANSMIT)
    assert (error.message.type, error.message.code) == (3, icmp.HOST_UNREACHABLE)
    assert socket in dialogue.host.ready
    dialogue.expect_nothing(100 * SECOND)


def test_a_failed_neighbour_is_asked_for_again_by_the_next_packet() -> None:
    dialogue = Dialogue()
    pinging(dialogue)
    dialogue.run(PROBES * RETRANSMIT)
    dialogue.sent.clear()
    pinging(dialogue)
    dialogue.expect(ask(NEAR), at=PROBES * RETRANSMIT)
    dialogue.receive(answer(NEAR, NEAR_MAC))
    assert dialogue.take().frame[:6] == NEAR_MAC
    assert state_of(dialogue) is State.REACHABLE


def test_a_udp_socket_hears_that_its_neighbour_is_not_there() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 0)
    socket.send(b"hello", (NEAR, 53), 0)
    dialogue.run(PROBES * RETRANSMIT)
    (error,) = socket.errors
    assert (error.reporter, error.destination) == (None, (NEAR, 53))
    assert error.message.code == icmp.HOST_UNREACHABLE


def test_a_router_tells_the_sender_whose_packet_it_could_not_hand_on() -> None:
    dialogue = Dialogue(forwarding=True)
    dialogue.introduce(NEAR, NEAR_MAC)
    packet = datagram(NEAR, FAR, b"lost")
    dialogue.receive(frame_of(packet))
    for second in range(PROBES):
        dialogue.expect(ask(GATEWAY, on=1), at=second * RETRANSMIT, on=1)
    header, error = dialogue.take_error(PROBES * RETRANSMIT)
    assert (header.source, header.destination) == (HERE, NEAR)
    assert (error.type, error.code) == (icmp.DESTINATION_UNREACHABLE, icmp.HOST_UNREACHABLE)
    assert error.body[20:] == packet[20:]
    assert dialogue.host.drops == {"host-unreachable": 1}


def test_an_entry_ages_and_its_neighbour_is_probed_by_unicast_once_it_is_used() -> None:
    dialogue = resolved()
    dialogue.run(REACHABLE // 2 - 1)
    assert state_of(dialogue) is State.REACHABLE
    dialogue.run(LONGEST_REACHABLE)
    assert state_of(dialogue) is State.STALE
    pinging(dialogue)
    assert dialogue.take().frame[:6] == NEAR_MAC
    assert state_of(dialogue) is State.DELAY
    used = dialogue.now
    dialogue.expect(ask(NEAR, target_mac=NEAR_MAC), at=used + DELAY)
    assert state_of(dialogue) is State.PROBE
    pinging(dialogue)
    assert dialogue.take().frame[:6] == NEAR_MAC, "it is used while it is probed"
    dialogue.receive(answer(NEAR, NEAR_MAC))
    assert state_of(dialogue) is State.REACHABLE
    dialogue.expect_nothing(used + DELAY + 3 * RETRANSMIT)


def test_a_neighbour_that_has_gone_is_noticed_by_the_probes() -> None:
    dialogue = resolved()
    dialogue.run(LONGEST_REACHABLE)
    pinging(dialogue)
    dialogue.take()
    used = dialogue.now
    for number in range(PROBES):
        dialogue.expect(ask(NEAR, target_mac=NEAR_MAC), at=used + DELAY + number * RETRANSMIT)
    dialogue.expect_nothing(used + DELAY + PROBES * RETRANSMIT)
    assert state_of(dialogue) is State.FAILED
    pinging(dialogue)
    dialogue.expect(ask(NEAR))


def test_how_long_an_entry_is_fresh_is_drawn_from_the_stream() -> None:
    fresh = set()
    for seed in range(8):
        dialogue = Dialogue(seed=seed)
        pinging(dialogue)
        dialogue.receive(answer(NEAR, NEAR_MAC))
        (entry,) = dialogue.host.neighbours[0].entries()
        assert REACHABLE // 2 <= entry.fresh_until < LONGEST_REACHABLE
        fresh.add(entry.fresh_until)
    assert len(fresh) == 8


def test_a_question_for_us_is_answered_and_teaches_who_asked() -> None:
    dialogue = Dialogue()
    dialogue.receive(arp_frame(arp.REQUEST, NEAR_MAC, NEAR, NO_MAC, HERE))
    dialogue.expect(arp_frame(arp.REPLY, MACS[0], HERE, NEAR_MAC, NEAR))
    assert state_of(dialogue) is State.STALE
    pinging(dialogue)
    assert dialogue.take().frame[:6] == NEAR_MAC
    dialogue.expect(ask(NEAR, target_mac=NEAR_MAC), at=DELAY)


def test_who_asks_us_is_sent_what_waited_for_it_and_is_probed_later() -> None:
    dialogue = Dialogue()
    pinging(dialogue)
    dialogue.expect(ask(NEAR))
    dialogue.receive(arp_frame(arp.REQUEST, NEAR_MAC, NEAR, NO_MAC, HERE))
    assert dialogue.take().frame[12:14] == b"\x08\x00"
    dialogue.expect(arp_frame(arp.REPLY, MACS[0], HERE, NEAR_MAC, NEAR))
    assert state_of(dialogue) is State.DELAY
    dialogue.expect(ask(NEAR, target_mac=NEAR_MAC), at=DELAY)


def test_a_question_for_somebody_else_is_neither_answered_nor_learned_from() -> None:
    dialogue = Dialogue()
    dialogue.receive(arp_frame(arp.REQUEST, NEAR_MAC, NEAR, NO_MAC, parse_ip("10.0.1.77")))
    dialogue.receive(arp_frame(arp.REQUEST, NEAR_MAC, NEAR, NO_MAC, HERE_TOO))
    dialogue.expect_nothing()
    assert state_of(dialogue) is None


def test_a_neighbour_known_already_is_updated_by_what_it_asks_others() -> None:
    dialogue = resolved()
    moved = bytes.fromhex("0200000002ff")
    dialogue.receive(arp_frame(arp.REQUEST, moved, NEAR, NO_MAC, parse_ip("10.0.1.77")))
    assert state_of(dialogue) is State.STALE
    pinging(dialogue)
    assert dialogue.take().frame[:6] == moved


def test_an_address_probe_is_answered_and_teaches_nothing() -> None:
    # RFC 5227 2.1.1: the sender has no address yet.
    dialogue = Dialogue()
    dialogue.receive(arp_frame(arp.REQUEST, NEAR_MAC, UNSPECIFIED, NO_MAC, HERE))
    dialogue.expect(arp_frame(arp.REPLY, MACS[0], HERE, NEAR_MAC, UNSPECIFIED))
    assert state_of(dialogue) is None


def test_a_gratuitous_answer_does_not_confirm_anything() -> None:
    dialogue = resolved()
    dialogue.run(LONGEST_REACHABLE)
    dialogue.receive(
        arp_frame(arp.REPLY, NEAR_MAC, NEAR, NEAR_MAC, NEAR, to=BROADCAST_MAC),
    )
    assert state_of(dialogue) is State.STALE


def test_only_so_many_packets_wait_and_the_oldest_make_room() -> None:
    dialogue = Dialogue()
    socket = dialogue.host.udp.bind(None, 4000)
    for number in range(QUEUE_LIMIT + 2):
        socket.send(number.to_bytes(2, "big"), (NEAR, 53), 0)
    assert dialogue.host.drops == {"neighbour-queue": 2}
    dialogue.expect(ask(NEAR))
    dialogue.receive(answer(NEAR, NEAR_MAC))
    payloads = [int.from_bytes(sent.frame[-2:], "big") for sent in dialogue.sent]
    assert payloads == list(range(2, QUEUE_LIMIT + 2))


def test_the_table_has_a_limit_and_a_used_neighbour_outlives_a_scan() -> None:
    dialogue = resolved()
    (kept,) = dialogue.host.neighbours[0].entries()
    for number in range(2 * TABLE_LIMIT):
        address = (0x0A090000 + number).to_bytes(4, "big")
        mac = b"\x02\x00\x01" + number.to_bytes(3, "big")
        dialogue.receive(arp_frame(arp.REQUEST, mac, address, NO_MAC, HERE))
    entries = dialogue.host.neighbours[0].entries()
    assert len(entries) == TABLE_LIMIT
    assert entries[0] is kept


def test_packets_that_wait_for_an_evicted_neighbour_are_counted() -> None:
    dialogue = Dialogue()
    cache = dialogue.host.neighbours[0]
    for number in range(TABLE_LIMIT + 1):
        cache.send((0x0A090000 + number).to_bytes(4, "big"), b"packet", 0)
    assert len(cache.entries()) == TABLE_LIMIT
    assert dialogue.host.drops == {"neighbour-table": 1}


def test_a_lost_carrier_forgets_everything_and_counts_what_waited() -> None:
    dialogue = Dialogue()
    pinging(dialogue)
    pinging(dialogue)
    dialogue.expect(ask(NEAR))
    dialogue.host.set_carrier(dialogue.interfaces[0], False)
    dialogue.host.set_carrier(dialogue.interfaces[0], False)
    assert dialogue.host.drops == {"carrier": 2}
    assert state_of(dialogue) is None
    dialogue.expect_nothing(100 * SECOND)
    dialogue.host.set_carrier(dialogue.interfaces[0], True)
    pinging(dialogue)
    dialogue.expect(ask(NEAR))


@pytest.mark.parametrize(
    ("reason", "frame"),
    [
        ("arp-conflict", arp_frame(arp.REQUEST, NEAR_MAC, HERE, NO_MAC, HERE)),
        ("arp-conflict", arp_frame(arp.REPLY, NEAR_MAC, HERE, MACS[0], HERE)),
        ("arp-martian", arp_frame(arp.REPLY, BROADCAST_MAC, NEAR, MACS[0], HERE)),
        ("arp-martian", arp_frame(arp.REPLY, b"\x01" + bytes(5), NEAR, MACS[0], HERE)),
        ("arp-martian", arp_frame(arp.REPLY, NO_MAC, NEAR, MACS[0], HERE)),
        ("arp-martian", arp_frame(arp.REQUEST, NEAR_MAC, b"\x7f\0\0\1", NO_MAC, HERE)),
        ("arp-martian", arp_frame(arp.REQUEST, NEAR_MAC, b"\xe0\0\0\1", NO_MAC, HERE)),
        ("arp-martian", arp_frame(arp.REQUEST, NEAR_MAC, b"\xff" * 4, NO_MAC, HERE)),
        ("arp-martian", arp_frame(arp.REQUEST, NEAR_MAC, parse_ip("10.0.1.255"), NO_MAC, HERE)),
        ("arp-operation", arp_frame(3, NEAR_MAC, NEAR, NO_MAC, HERE)),
        ("arp-truncated", answer(NEAR, NEAR_MAC)[:-1]),
        ("arp-unsupported", answer(NEAR, NEAR_MAC)[:15] + b"\x06" + answer(NEAR, NEAR_MAC)[16:]),
    ],
)
def test_arp_that_nobody_should_send_is_counted_and_changes_nothing(
    reason: str, frame: bytes
) -> None:
    dialogue = Dialogue()
    dialogue.expect_drop(reason, frame)
    assert dialogue.host.neighbours[0].entries() == []


def test_an_interface_without_an_address_has_nobody_to_ask_as() -> None:
    dialogue = Dialogue()
    dialogue.interfaces[0].addresses = ()
    dialogue.host.neighbours[0].send(NEAR, b"packet", 0)
    dialogue.expect_nothing()
    assert dialogue.host.drops["arp-no-source"] == 1


def test_questions_are_asked_as_the_address_in_the_neighbours_subnet() -> None:
    dialogue = Dialogue(forwarding=True)
    dialogue.introduce(NEAR, NEAR_MAC)
    dialogue.receive(frame_of(echo_packet(NEAR, FAR)))
    dialogue.expect(ask(GATEWAY, on=1), on=1)
    dialogue.receive(answer(GATEWAY, GATEWAY_MAC, on=1), on=1)
    forwarded = echo_packet(NEAR, FAR, ttl=63)
    dialogue.expect(sent_frame(forwarded, GATEWAY_MAC, on=1), on=1)
    assert ipv4.parse(forwarded).ttl == 63
