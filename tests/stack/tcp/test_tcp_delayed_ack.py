"""When data is acknowledged (RFC 9293 3.8.6.3, RFC 5681 4.2; as in Linux between their bounds)."""

from __future__ import annotations

import pytest
from tcp_dialogue import MSS, Dialogue, accepted, established

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.tcp_socket import TcpSocket

FULL = bytes(MSS)
RTT = 20 * MILLISECOND


def settled() -> tuple[Dialogue, TcpSocket]:
    """A connection past the acknowledgements at once of its beginning: number 16,001 is next."""
    d, connection = established()
    for index in range(16):
        d.send("A", seq=1 + index * MSS, ack=1, payload=FULL)
        d.expect("A", seq=1, ack=1 + (index + 1) * MSS)
    connection.receive()
    d.ready.clear()
    return d, connection


def test_the_first_data_is_acknowledged_at_once() -> None:
    """Sixteen times, or as often as the window takes segments; then others may come, too."""
    d, _ = established()
    for index in range(16):
        d.send("PA", seq=1 + index, ack=1, payload=b"x")
        d.expect("A", seq=1, ack=2 + index)
    d.send("PA", seq=17, ack=1, payload=b"x")
    d.expect("A", seq=1, ack=18, at=40 * MILLISECOND)


def test_small_data_is_acknowledged_after_40_ms() -> None:
    d, connection = established()
    connection.set_quick_acks(False)
    d.run(10 * MILLISECOND)
    d.send("PA", seq=1, ack=1, payload=b"tick")
    d.expect_nothing(until=50 * MILLISECOND - 1)
    d.expect("A", seq=1, ack=5, at=50 * MILLISECOND)
    d.expect_nothing(until=SECOND)


@pytest.mark.parametrize(
    ("second", "acknowledged"),
    [(20, 40), (30, 30)],
    ids=["its time counts from the first", "about to leave, it leaves with the second"],
)
def test_the_acknowledgement_of_two_small_pieces(second: int, acknowledged: int) -> None:
    d, connection = established()
    connection.set_quick_acks(False)
    d.send("PA", seq=1, ack=1, payload=b"a")
    d.run(second * MILLISECOND)
    d.send("PA", seq=2, ack=1, payload=b"b")
    d.expect("A", seq=1, ack=3, at=acknowledged * MILLISECOND)


def test_an_answer_carries_the_acknowledgement() -> None:
    d, connection = established()
    d.send("PA", seq=1, ack=1, payload=b"question")
    d.expect("A", seq=1, ack=9)
    connection.send(b"answer")
    d.expect("PA", seq=1, ack=9, payload=b"answer")
    # It has answered once, so the next is waited for.
    d.send("PA", seq=9, ack=7, payload=b"question")
    d.run(39 * MILLISECOND)
    connection.send(b"answer")
    d.expect("PA", seq=7, ack=17, payload=b"answer")
    d.expect_nothing(until=100 * MILLISECOND)


def test_an_answer_that_is_late_is_not_waited_for_again() -> None:
    d, connection = accepted()
    d.send("PA", seq=1, ack=1, payload=b"question")
    d.expect("A", seq=1, ack=9)
    connection.send(b"answer")
    d.expect("PA", seq=1, ack=9, payload=b"answer")
    d.send("PA", seq=9, ack=7, payload=b"question")
    d.expect("A", seq=7, ack=17, at=40 * MILLISECOND)
    d.send("PA", seq=17, ack=7, payload=b"question")
    d.expect("A", seq=7, ack=25)


def test_data_that_nobody_will_answer_is_acknowledged_when_it_is_read() -> None:
    d, connection = settled()
    d.send("PA", seq=16_001, ack=1, payload=b"news")
    d.expect_nothing()
    assert connection.receive(2) == b"ne"
    d.expect_nothing()
    assert connection.receive() == b"ws"
    d.expect("A", seq=1, ack=16_005)
    # Where the program answers, an answer is waited for.
    connection.send(b"thanks")
    d.expect("PA", seq=1, ack=16_005, payload=b"thanks")
    d.send("PA", seq=16_005, ack=7, payload=b"news")
    assert connection.receive() == b"news"
    d.expect_nothing()


def test_data_in_more_segments_that_the_peer_pushed_is_acknowledged_when_it_is_read() -> None:
    d, connection = accepted()
    connection.set_quick_acks(False)
    for sequence in (1, 101):
        d.send("PA", seq=sequence, ack=1, payload=bytes(100))
    d.expect_nothing()
    connection.receive()
    d.expect("A", seq=1, ack=201)


@pytest.mark.parametrize(
    ("rtt", "waits"),
    [(20, [40, 40, 40, 40]), (100, [40, 80, 100, 100]), (300, [40, 80, 160, 199])],
)
def test_in_vain_it_waits_longer_up_to_a_round_trip(rtt: int, waits: list[int]) -> None:
    """And never so long that the peer sends again."""
    d, connection = established(rtt=rtt * MILLISECOND)
    d.send("PA", seq=1, ack=1, payload=b"x")
    d.expect("A", seq=1, ack=2)
    connection.receiver.acks.quick = 0
    for index, wait in enumerate(waits):
        d.after(15 * MILLISECOND)
        d.send("PA", seq=2 + index, ack=1, payload=b"x")
        d.expect("A", seq=1, ack=3 + index, at=d.now + wait * MILLISECOND)
        d.after((199 - wait) * MILLISECOND)


def test_it_waits_no_longer_where_data_comes_often() -> None:
    d, connection = established(rtt=100 * MILLISECOND)
    d.send("PA", seq=1, ack=1, payload=b"x")
    d.expect("A", seq=1, ack=2)
    connection.receiver.acks.quick = 0
    connection.receiver.acks.interval = 100 * MILLISECOND
    for index in range(8):
        d.after(10 * MILLISECOND)
        d.send("PA", seq=2 + index, ack=1, payload=b"x")
    assert 40 <= connection.receiver.acks.interval / MILLISECOND < 41


def test_after_a_pause_data_is_acknowledged_at_once_again() -> None:
    """The peer has begun anew as well (RFC 5681 4.1)."""
    d, connection = settled()
    d.after(connection.sender.round_trip.timeout + MILLISECOND)
    for index in range(16):
        d.send("PA", seq=16_001 + index, ack=1, payload=b"x")
        d.expect("A", seq=1, ack=16_002 + index)
    d.send("PA", seq=16_017, ack=1, payload=b"x")
    d.expect_nothing()


def test_data_that_comes_again_is_acknowledged_at_once_and_so_is_what_follows() -> None:
    d, connection = settled()
    connection.set_quick_acks(False)
    d.send("A", seq=15_001, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=16_001)
    d.send("PA", seq=16_001, ack=1, payload=b"x")
    d.expect("A", seq=1, ack=16_002)


def test_the_options_of_a_program() -> None:
    """TCP_QUICKACK"""
    d, connection = established()
    connection.set_quick_acks(False)
    d.send("PA", seq=1, ack=1, payload=b"x")
    d.expect_nothing()
    connection.receive()
    connection.set_quick_acks(True)
    d.expect("A", seq=1, ack=2)
    d.send("PA", seq=2, ack=1, payload=b"x")
    d.expect("A", seq=1, ack=3)


def test_a_fin_waits_for_ours_where_data_came_before() -> None:
    d, connection = established()
    d.send("FPA", seq=1, ack=1, payload=b"bye")
    d.expect_nothing(until=39 * MILLISECOND)
    assert connection.receive() == b"bye"
    connection.close()
    d.expect("FA", seq=1, ack=5)
    d.expect_nothing(until=199 * MILLISECOND)


def test_every_second_full_segment_is_acknowledged_at_once() -> None:
    d, _ = settled()
    d.send("A", seq=16_001, ack=1, payload=FULL)
    d.expect_nothing()
    d.send("A", seq=17_001, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=18_001)
    d.send("A", seq=18_001, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=19_001, at=40 * MILLISECOND)


def test_full_segments_of_a_smaller_path_are_recognised() -> None:
    d, _ = settled()
    small = FULL[:300]
    d.send("A", seq=16_001, ack=1, payload=small)
    d.send("A", seq=16_301, ack=1, payload=small)
    d.expect("A", seq=1, ack=16_601)
    d.send("A", seq=16_601, ack=1, payload=small)
    d.expect_nothing()
    d.send("A", seq=16_901, ack=1, payload=small)
    d.expect("A", seq=1, ack=17_201)


def test_equal_requests_are_not_taken_for_a_smaller_path() -> None:
    d, _ = settled()
    for index in range(6):
        d.send("PA", seq=16_001 + 100 * index, ack=1, payload=FULL[:100])
    d.expect_nothing()
    d.expect("A", seq=1, ack=16_601, at=40 * MILLISECOND)
