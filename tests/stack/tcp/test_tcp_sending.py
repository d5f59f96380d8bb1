"""Data leaves: segments, window, Nagle, probes (RFC 9293 3.8.6, 3.7.4)."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
from tcp_dialogue import MODERN, MSS, PLAIN, established

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.settings import KeepAlive

RTT = 10 * MILLISECOND
RTO = RTT + 200 * MILLISECOND


def test_data_is_cut_into_segments() -> None:
    d, connection = established()
    data = bytes(range(256)) * 10
    connection.send(data)
    assert connection.sender.unsent == connection.buffered_bytes == 2560
    d.ready.clear()
    d.expect("A", seq=1, ack=1, payload=data[:1000])
    d.expect("A", seq=1001, ack=1, payload=data[1000:2000])
    d.expect("PA", seq=2001, ack=1, payload=data[2000:])
    assert connection in d.ready
    assert (connection.sender.unsent, connection.buffered_bytes) == (0, 2560)
    d.ready.clear()
    d.send("A", seq=1, ack=1001)
    assert connection.buffered_bytes == 1560
    assert connection in d.ready
    d.send("A", seq=1, ack=2561)
    assert connection.buffered_bytes == 0
    d.expect_nothing(until=100 * SECOND)


def test_write_sends_nothing_before_flush() -> None:
    d, connection = established()
    connection.send(b"one ")
    connection.send(b"two")
    assert d.sent == []
    d.expect("PA", seq=1, ack=1, payload=b"one two")


def test_the_peers_window_is_not_exceeded() -> None:
    d, connection = established(window=2500)
    connection.send(bytes(10_000))
    d.expect("A", seq=1, ack=1, payload=bytes(MSS))
    d.expect("A", seq=1001, ack=1, payload=bytes(MSS))
    d.expect_nothing()  # 500 are less than half of the largest window seen
    d.send("A", seq=1, ack=1001, window=2500)
    d.expect("A", seq=2001, ack=1, payload=bytes(MSS))
    d.expect_nothing()


def test_half_of_the_largest_window_is_worth_a_segment() -> None:
    """RFC 9293 3.8.6.2.1 (3)"""
    d, connection = established(window=800)
    connection.send(bytes(2000))
    d.expect("A", seq=1, ack=1, payload=bytes(800))
    d.send("A", seq=1, ack=801, window=399)
    d.expect_nothing()
    d.send("A", seq=1, ack=801, window=400)
    d.expect("A", seq=801, ack=1, payload=bytes(400))


def test_an_older_segment_does_not_change_the_window() -> None:
    """SND.WL1 and SND.WL2"""
    d, connection = established(window=2000)
    connection.set_quick_acks(False)
    connection.send(bytes(5000))
    d.expect("A", seq=1, ack=1, payload=bytes(MSS))
    d.expect("A", seq=1001, ack=1, payload=bytes(MSS))
    d.send("PA", seq=1, ack=2001, payload=b"x", window=500)
    d.send("PA", seq=2, ack=2001, payload=b"y", window=0)
    d.send("A", seq=1, ack=2001, window=60_000)  # sent before both octets
    d.expect_nothing(until=30 * MILLISECOND)
    d.send("A", seq=3, ack=2001, window=1000)
    d.expect("A", seq=2001, ack=3, payload=bytes(MSS))


# -- Nagle


def test_nagle_holds_a_part_while_a_part_is_outstanding() -> None:
    d, connection = established()
    connection.send(b"a")
    d.expect("PA", seq=1, ack=1, payload=b"a")
    connection.send(b"b")
    connection.send(b"c")
    d.expect_nothing(until=100 * MILLISECOND)
    d.send("A", seq=1, ack=2)
    d.expect("PA", seq=2, ack=1, payload=b"bc")


def test_nagle_lets_full_segments_and_their_tail_go() -> None:
    d, connection = established()
    connection.send(bytes(MSS + 10))
    d.expect("A", seq=1, ack=1, payload=bytes(MSS))
    d.expect("PA", seq=1001, ack=1, payload=bytes(10))
    connection.send(bytes(MSS))
    d.expect("PA", seq=1011, ack=1, payload=bytes(MSS))


def test_no_delay() -> None:
    d, connection = established()
    connection.no_delay = True
    assert connection.no_delay
    for index, octet in enumerate((b"a", b"b", b"c")):
        connection.send(octet)
        d.expect("PA", seq=1 + index, ack=1, payload=octet)


def test_no_delay_releases_what_nagle_held() -> None:
    d, connection = established()
    connection.send(b"a")
    d.expect("PA", seq=1, ack=1, payload=b"a")
    connection.send(b"b")
    d.expect_nothing()
    connection.no_delay = True
    d.expect("PA", seq=2, ack=1, payload=b"b")


def test_a_fin_is_not_held() -> None:
    d, connection = established()
    connection.send(b"a")
    d.expect("PA", seq=1, ack=1, payload=b"a")
    connection.send(b"b")
    connection.shutdown()
    d.expect("FPA", seq=2, ack=1, payload=b"b")


# -- zero window (RFC 9293 3.8.6.1)


def test_zero_window_is_probed_with_growing_intervals() -> None:
    d, connection = established(rtt=RTT)
    connection.send(bytes(MSS))
    d.expect("PA", seq=1, ack=1, payload=bytes(MSS))
    d.run(2 * RTT)
    d.send("A", seq=1, ack=1001, window=0)
    rto = connection.sender.round_trip.timeout
    connection.send(b"waiting")
    d.expect_nothing()
    at = d.now
    for exponent in range(6):
        at += rto << exponent
        d.expect("A", seq=1000, ack=1, at=at)
        d.send("A", seq=1, ack=1001, window=0)
        d.expect_nothing()
    assert d.tcp.counters.zero_window_probes == 6
    d.send("A", seq=1, ack=1001, window=5000)
    d.expect("PA", seq=1001, ack=1, payload=b"waiting")
    d.send("A", seq=1, ack=1008, window=5000)
    d.expect_nothing(until=d.now + 500 * SECOND)


def test_a_shut_window_may_stay_shut_for_ever_while_the_peer_answers() -> None:
    """RFC 9293 3.8.6.1 (MUST-37)"""
    d, connection = established(window=0)
    connection.send(b"waiting")
    for _ in range(40):
        d.after(130 * SECOND)
        assert d.sent
        d.sent.clear()
        d.send("A", seq=1, ack=1, window=0)
    assert not connection.closed
    assert d.now > 5000 * SECOND


def test_unanswered_probes_time_out() -> None:
    d, connection = established(replace(PLAIN, retries=3), window=0)
    connection.send(b"waiting")
    d.after(100 * SECOND)
    assert len(d.sent) == 3
    assert connection.closed
    assert connection.error == errno.ETIMEDOUT


def test_a_small_window_is_used_when_waiting_was_in_vain() -> None:
    """RFC 9293 3.8.6.2.1 (4): the override time-out."""
    d, connection = established(window=2000, rtt=RTT)
    connection.send(bytes(4000))
    d.expect("A", seq=1, ack=1, payload=bytes(MSS))
    d.expect("A", seq=1001, ack=1, payload=bytes(MSS))
    d.run(2 * RTT)
    d.send("A", seq=1, ack=2001, window=300)
    d.expect_nothing()
    timeout = connection.sender.round_trip.timeout
    d.expect("PA", seq=2001, ack=1, payload=bytes(300), at=d.now + timeout)


def test_a_fin_alone_waits_for_the_window_too() -> None:
    d, connection = established(window=0)
    connection.shutdown()
    d.expect_nothing(until=200 * MILLISECOND)
    d.expect("A", seq=0, ack=1, at=200 * MILLISECOND + 1000)
    d.send("A", seq=1, ack=1, window=1)
    d.expect("FA", seq=1, ack=1)


# -- keep-alive (RFC 9293 3.8.4)


def test_keep_alive_is_off_by_default() -> None:
    d, _ = established()
    d.expect_nothing(until=100_000 * SECOND)


def test_keep_alive_probes_and_gives_up() -> None:
    d, connection = established()
    connection.set_keep_alive(KeepAlive(10 * SECOND, 2 * SECOND, 3))
    d.run(5 * SECOND)
    d.send("PA", seq=1, ack=1, payload=b"x")
    d.expect("A", seq=1, ack=2, at=5 * SECOND)
    for at in (15, 17, 19):
        d.expect_nothing(until=at * SECOND - 1)
        d.expect("A", seq=0, ack=2, at=at * SECOND)
    d.expect("RA", seq=1, ack=2, at=21 * SECOND)
    assert connection.closed
    assert connection.error == errno.ETIMEDOUT
    assert d.tcp.counters.keep_alive_probes == 3


def test_an_answered_keep_alive_starts_over() -> None:
    d, connection = established()
    connection.set_keep_alive(KeepAlive(10 * SECOND, 20 * SECOND, 1))
    assert connection.keep_alive is not None
    for at in (10, 30, 50):
        d.expect("A", seq=0, ack=1, at=at * SECOND)
        d.send("A", seq=1, ack=1)
    d.expect_nothing(until=60 * SECOND)
    connection.set_keep_alive(None)
    d.expect_nothing(until=500 * SECOND)
    assert not connection.closed


def test_keep_alive_leaves_outstanding_data_to_retransmission() -> None:
    d, connection = established()
    connection.set_keep_alive(KeepAlive(SECOND, SECOND, 1))
    connection.send(b"x")
    d.run(100 * SECOND)
    assert {sent.segment.payload for sent in d.sent} == {b"x"}
    assert not connection.closed


# -- congestion window


def test_initial_window_is_ten_segments() -> None:
    d, connection = established()
    connection.send(bytes(30 * MSS))
    d.run(0)
    assert len(d.sent) == 10


def test_slow_start_doubles() -> None:
    d, connection = established(rtt=RTT)
    connection.send(bytes(60 * MSS))
    d.run(d.now)
    d.sent.clear()
    for acknowledged in range(2, 11, 2):
        d.send("A", seq=1, ack=1 + acknowledged * MSS)
    assert len(d.sent) == 20
    assert connection.sender.congestion.window == 20 * MSS


def test_congestion_avoidance_adds_a_segment_each_round() -> None:
    d, connection = established(rtt=RTT)
    connection.sender.congestion.threshold = 10 * MSS
    connection.send(bytes(60 * MSS))
    d.run(d.now)
    d.sent.clear()
    for acknowledged in range(1, 11):
        d.send("A", seq=1, ack=1 + acknowledged * MSS)
    assert connection.sender.congestion.window == 11 * MSS
    assert len(d.sent) == 11


def test_a_window_that_is_not_used_does_not_grow() -> None:
    """RFC 7661 3"""
    d, connection = established(rtt=RTT)
    acknowledged = 1
    for _ in range(50):
        connection.send(b"request")
        d.run(d.now)
        acknowledged += 7
        d.send("A", seq=1, ack=acknowledged)
    assert connection.sender.congestion.window == 10 * MSS


def test_congestion_avoidance_does_not_grow_an_unused_window() -> None:
    d, connection = established(rtt=RTT)
    connection.sender.congestion.threshold = 5 * MSS
    for index in range(50):
        connection.send(bytes(MSS))
        d.run(d.now)
        d.send("A", seq=1, ack=1 + (index + 1) * MSS)
    assert connection.sender.congestion.window == 10 * MSS


@pytest.mark.parametrize(("timeouts", "part"), [(0, 1), (1, 1 / 2), (2, 1 / 4), (9, 0)])
def test_the_window_halves_with_every_timeout_of_idleness(timeouts: int, part: float) -> None:
    """RFC 2861 3.2: down to the initial window; slow start may go on to three quarters."""
    d, connection = established(rtt=RTT)
    connection.send(bytes(40 * MSS))
    acknowledged = 0
    for _ in range(20):
        acknowledged += 2 * MSS
        d.send("A", seq=1, ack=1 + acknowledged)
    assert connection.buffered_bytes == 0
    sender = connection.sender
    before = sender.congestion.window // MSS
    assert before == 50
    sender.congestion.threshold = 11 * MSS
    d.sent.clear()
    d.run(sender.last_sent_at + timeouts * sender.round_trip.timeout + 1)
    connection.send(bytes(60 * MSS))
    d.run(d.now)
    assert len(d.sent) == max(int(part * before), 10)
    segments = before // 2 + before // 4 if timeouts else 11
    assert sender.congestion.threshold == segments * MSS


def test_unknown_congestion_control() -> None:
    with pytest.raises(ValueError, match="there are: cubic, reno"):
        established(replace(PLAIN, congestion="vegas"))


def test_the_view_of_a_connection() -> None:
    d, connection = established(MODERN, rtt=RTT)
    connection.send(bytes(100))
    d.run(d.now)
    d.send("PA", seq=1, ack=1, payload=b"abc")
    (view,) = d.tcp.connections()
    assert (view.receive_queue, view.send_queue) == (3, 100)
    assert view.smoothed_rtt_ns == RTT
    assert view.retransmission_timeout_ns == RTO
    assert view.mss == MSS - 12
    assert view.congestion_window == 10 * (MSS - 12)
    assert view.slow_start_threshold is None
    assert view.remote == connection.remote


def test_a_window_shut_with_data_in_flight_stays_open_while_the_peer_answers() -> None:
    """RFC 9293 3.8.6.1: whoever answers may keep its window shut as long as it likes."""
    d, connection = established(MODERN, rtt=RTT)
    connection.send(bytes(3 * MSS))
    d.run(d.now)
    d.send("A", seq=1, ack=1 + connection.sender.mss, window=0)
    for _ in range(60):
        d.sent.clear()
        while not d.sent:
            d.after(SECOND)
        d.send("A", seq=1, ack=1 + connection.sender.mss, window=0)
    assert d.now > 2000 * SECOND
    assert not connection.closed
    assert d.tcp.counters.black_holes == 0
    d.send("A", seq=1, ack=1 + connection.sender.mss, window=1000)
    d.after(300 * SECOND)
    assert d.sent


def test_a_window_shut_by_a_peer_that_is_silent_ends_it() -> None:
    d, connection = established(MODERN, rtt=RTT)
    connection.send(bytes(3 * MSS))
    d.run(d.now)
    d.send("A", seq=1, ack=1 + connection.sender.mss, window=0)
    d.after(3000 * SECOND)
    assert connection.error == errno.ETIMEDOUT
