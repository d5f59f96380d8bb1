"""Explicit congestion notification (RFC 3168)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tcp_dialogue import MODERN, MSS, PORT, Dialogue, in_phase, syn_sent

from netsim.core.time import MILLISECOND
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire import ipv4

ASKING = replace(MODERN, request_ecn=True, timestamps=False, window_scaling=False)
ECT_0, CE = ipv4.ECT_0, ipv4.CE
RTT = 100 * MILLISECOND


def agreed() -> tuple[Dialogue, TcpSocket]:
    d = Dialogue(ASKING)
    connection = d.tcp.connect((b"\x0a\0\0\2", 4000), 0)
    d.expect("SEC", seq=0, tos=0)
    d.run(RTT)
    d.send("SAE", seq=0, ack=1, mss=MSS, sack_permitted=True)
    d.expect("A", seq=1, ack=1, tos=0)
    return d, connection


@pytest.mark.parametrize(("syn", "answer"), [("SEC", "SAE"), ("S", "SA"), ("SE", "SA")])
def test_a_listener_says_yes_to_who_asks(syn: str, answer: str) -> None:
    """6.1.1: an offer has both bits; the answer has one."""
    d = Dialogue()
    d.tcp.listen(None, PORT)
    d.send(syn, seq=0, mss=MSS)
    d.expect(answer, seq=0, ack=1, tos=0)


def test_nobody_is_asked_unless_told_to_and_not_again_after_a_lost_syn() -> None:
    d, _ = syn_sent()
    d.expect_nothing()
    d = Dialogue(ASKING)
    d.tcp.connect((b"\x0a\0\0\2", 4000), 0)
    d.expect("SEC", seq=0)
    d.expect("S", seq=0, at=1000 * MILLISECOND)


def test_new_data_is_marked_as_capable_and_nothing_else_is() -> None:
    """6.1.4, 6.1.5: neither acknowledgements nor what is sent again."""
    d, connection = agreed()
    connection.send(bytes(100))
    d.expect("PA", seq=1, ack=1, payload=bytes(100), tos=ECT_0)
    d.send("PA", seq=1, ack=1, payload=b"x")
    d.after(40 * MILLISECOND)
    assert d.sent.pop().tos == 0
    while not d.sent:
        d.after(MILLISECOND)
    assert d.sent[-1].segment.payload == bytes(100)
    assert d.sent[-1].tos == 0


def test_without_agreement_nothing_is_marked() -> None:
    d = Dialogue(ASKING)
    connection = d.tcp.connect((b"\x0a\0\0\2", 4000), 0)
    d.expect("SEC", seq=0)
    d.send("SA", seq=0, ack=1, mss=MSS)
    d.expect("A", seq=1, ack=1)
    connection.send(b"x")
    d.expect("PA", seq=1, ack=1, payload=b"x", tos=0)
    d.send("PAE", seq=1, ack=2, payload=b"y", tos=CE)
    assert in_phase(connection, Phase.OPEN)


def test_a_mark_is_echoed_until_the_sender_has_slowed_down() -> None:
    """6.1.3"""
    d, _ = agreed()
    d.send("PA", seq=1, ack=1, payload=bytes(MSS), tos=CE)
    d.expect("AE", seq=1, ack=1 + MSS)
    d.send("PA", seq=1 + MSS, ack=1, payload=bytes(MSS), tos=ECT_0)
    d.expect("AE", seq=1, ack=1 + 2 * MSS)
    d.send("PAC", seq=1 + 2 * MSS, ack=1, payload=bytes(MSS), tos=ECT_0)
    d.expect("A", seq=1, ack=1 + 3 * MSS)


def test_an_echo_halves_the_window_once_a_round_trip() -> None:
    """6.1.2: as a loss would, without one; the next new data says so."""
    d, connection = agreed()
    connection.send(bytes(40 * MSS))
    d.run(d.now)
    assert len(d.sent) == 10
    d.sent.clear()
    d.after(RTT)
    for segments in range(1, 11):
        d.send("AE", seq=1, ack=1 + segments * MSS)
    assert connection.sender.congestion.threshold == 9 * MSS // 2
    assert d.tcp.counters.congestion_echoes == 1
    said = [sent.segment.flags & 0x80 for sent in d.sent]
    assert said[0]
    assert not any(said[1:])
    assert d.tcp.counters.retransmissions == 0
    assert connection.sender.in_flight() <= 6 * MSS
    # It is over when what was outstanding then is acknowledged.
    d.after(RTT)
    d.send("A", seq=1, ack=1 + 11 * MSS)
    assert in_phase(connection, Phase.OPEN)
