"""Data arrives: order, acknowledgements and their timing, the window (RFC 9293 3.8.6, RFC 5681
4.2, RFC 2018, RFC 2883)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tcp_dialogue import MODERN, MSS, PLAIN, established

from netsim.core.time import MILLISECOND, SECOND

FULL = bytes(range(250)) * 4
assert len(FULL) == MSS


def test_data_in_order_is_readable_and_announced() -> None:
    d, connection = established()
    d.send("PA", seq=1, ack=1, payload=b"hello ")
    d.send("PA", seq=7, ack=1, payload=b"world")
    assert connection in d.ready
    assert connection.readable_bytes == 11
    assert connection.receive(4) == b"hell"
    assert connection.receive(100) == b"o world"
    assert connection.receive() == b""
    assert not connection.at_eof


def test_data_out_of_order_is_kept_and_answered_at_once() -> None:
    d, connection = established()
    connection.set_quick_acks(False)
    d.send("A", seq=1001, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=1)
    d.send("A", seq=3001, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=1)
    assert connection.readable_bytes == 0
    assert connection not in d.ready
    d.send("A", seq=1, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=2001)
    assert connection.readable_bytes == 2 * MSS
    d.send("A", seq=2001, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=4001)
    assert connection.receive() == FULL * 4
    assert d.tcp.counters.out_of_order == 2


@pytest.mark.parametrize("step", [1, 7, 300])
def test_overlaps_in_any_shape(step: int) -> None:
    d, connection = established()
    data = bytes((index * 7 + index // 251) & 0xFF for index in range(900))
    for start in range(900 - step, -1, -step):
        d.send("A", seq=1 + start, ack=1, payload=data[start : start + step * 3])
    d.send("A", seq=1, ack=1, payload=data[: step * 2])
    assert connection.receive() == data
    assert not connection.receiver.reassembly.octets


def test_partly_old_data_gives_its_new_part() -> None:
    d, connection = established()
    d.send("PA", seq=1, ack=1, payload=b"abcdef")
    d.expect("A", seq=1, ack=7)
    d.send("PA", seq=4, ack=1, payload=b"defghi")
    assert connection.receive() == b"abcdefghi"
    d.expect("A", seq=1, ack=10)


def test_data_is_cut_at_the_edge_of_the_window() -> None:
    d, connection = established(replace(PLAIN, receive_buffer=1000))
    d.send("A", seq=1, ack=1, payload=FULL[:600])
    d.expect("A", seq=1, ack=601, window=400)
    d.send("A", seq=601, ack=1, payload=FULL[:600])
    d.expect("A", seq=1, ack=1001, window=0)
    assert connection.receive() == FULL[:600] + FULL[:400]


# -- SACK


def test_sack_blocks_newest_first() -> None:
    d, connection = established(MODERN)
    size = 100
    for start in (200, 400, 600, 800):
        d.send("A", seq=start, ack=1, payload=bytes(size))
    d.expect("A", seq=1, ack=1, sack=[(200, 300)])
    d.expect("A", seq=1, ack=1, sack=[(400, 500), (200, 300)])
    d.expect("A", seq=1, ack=1, sack=[(600, 700), (400, 500), (200, 300)])
    d.expect("A", seq=1, ack=1, sack=[(800, 900), (600, 700), (400, 500)])
    d.send("A", seq=300, ack=1, payload=bytes(size))
    d.expect("A", seq=1, ack=1, sack=[(200, 500), (800, 900), (600, 700)])
    d.send("A", seq=1, ack=1, payload=bytes(199))
    d.expect("A", seq=1, ack=500, sack=[(800, 900), (600, 700)])
    assert connection.readable_bytes == 499


def test_four_blocks_fit_without_timestamps() -> None:
    d, _ = established(replace(MODERN, timestamps=False))
    for start in (200, 400, 600, 800, 1000):
        d.send("A", seq=start, ack=1, payload=bytes(100))
    assert len(d.sent[-1].segment.sack_blocks) == 4


def test_duplicates_are_reported_as_d_sack() -> None:
    """RFC 2883 4.1 and 4.2"""
    d, _ = established(MODERN)
    d.send("PA", seq=1, ack=1, payload=bytes(100))
    d.run(40 * MILLISECOND)
    d.expect("A", seq=1, ack=101, sack=[])
    d.send("PA", seq=1, ack=1, payload=bytes(100))
    d.expect("A", seq=1, ack=101, sack=[(1, 101)])
    d.send("PA", seq=201, ack=1, payload=bytes(100))
    d.expect("A", seq=1, ack=101, sack=[(201, 301)])
    d.send("PA", seq=201, ack=1, payload=bytes(100))
    d.expect("A", seq=1, ack=101, sack=[(201, 301), (201, 301)])
    d.send("PA", seq=401, ack=1, payload=bytes(100))
    d.expect("A", seq=1, ack=101, sack=[(401, 501), (201, 301)])


def test_no_sack_unless_agreed() -> None:
    d, _ = established(PLAIN)
    d.send("A", seq=200, ack=1, payload=bytes(100))
    d.expect("A", seq=1, ack=1, sack=[])


def test_sack_goes_alone_even_when_there_is_data_to_send() -> None:
    d, connection = established(MODERN)
    connection.send(b"mine")
    d.send("A", seq=200, ack=1, payload=bytes(100))
    d.expect("PA", seq=1, ack=1, payload=b"mine", sack=[])
    d.expect("A", seq=5, ack=1, sack=[(200, 300)])


def test_sack_precedes_data_that_the_same_segment_lets_go() -> None:
    d, connection = established(MODERN)
    connection.send(b"a")
    d.expect("PA", seq=1, ack=1, payload=b"a")
    connection.send(b"b")
    d.send("A", seq=200, ack=2, payload=bytes(100))
    d.expect("A", seq=2, ack=1, sack=[(200, 300)])
    d.expect("PA", seq=2, ack=1, payload=b"b", sack=[])


# -- timestamps


def test_the_timestamp_of_the_first_unacknowledged_data_is_echoed() -> None:
    """RFC 7323 4.3 (A): so that the peer's sample includes our delay."""
    d, connection = established(MODERN)
    connection.set_quick_acks(False)
    d.run(10 * MILLISECOND)
    d.send("PA", seq=1, ack=1, payload=b"a")
    first = d.peer_clock()
    d.run(20 * MILLISECOND)
    d.send("PA", seq=2, ack=1, payload=b"b")
    d.expect("A", seq=1, ack=3, at=50 * MILLISECOND, timestamp_echo=first)


def test_the_timestamp_of_data_out_of_order_is_not_echoed() -> None:
    """RFC 7323 4.3 (B)"""
    d, _ = established(MODERN)
    before = d.peer_clock()
    d.run(10 * MILLISECOND)
    d.send("PA", seq=3, ack=1, payload=b"c")
    d.expect("A", seq=1, ack=1, timestamp_echo=before)
    d.run(20 * MILLISECOND)
    d.send("PA", seq=1, ack=1, payload=b"ab")
    d.expect("A", seq=1, ack=4, timestamp_echo=d.peer_clock())


# -- the window


def test_window_closes_and_opens_again_by_reading() -> None:
    d, connection = established(replace(PLAIN, receive_buffer=4000))
    for sequence in (1, 1001, 2001, 3001):
        d.send("A", seq=sequence, ack=1, payload=FULL)
    # As many at once as the window takes segments, two of which may share one.
    d.expect("A", seq=1, ack=1001, window=3000)
    d.expect("A", seq=1, ack=2001, window=2000)
    d.expect("A", seq=1, ack=4001, window=0)
    assert connection.receive(500) == FULL[:500]
    d.expect_nothing()  # RFC 9293 3.8.6.2.2: not yet worth a segment
    d.send("A", seq=4000, ack=1)
    d.expect("A", seq=1, ack=4001, window=0)  # nor to be mentioned
    connection.receive(500)
    d.expect("A", seq=1, ack=4001, window=1000)
    connection.receive(500)
    d.expect_nothing()
    connection.receive()
    d.expect("A", seq=1, ack=4001, window=4000)
    d.expect_nothing(until=SECOND)


def test_the_right_edge_never_moves_left() -> None:
    d, connection = established(replace(PLAIN, receive_buffer=4000))
    edge, sequence = 0, 1
    for size in (300, 700, 1, 999, 50, 450, 1000, 500):
        payload = FULL[:size]
        d.send("PA", seq=sequence, ack=1, payload=payload)
        sequence += size
        if size % 2:
            connection.receive(200)
        d.after(40 * MILLISECOND)
        for sent in d.sent:
            offered = sequence + sent.segment.window
            assert offered >= edge
            edge = offered
        d.sent.clear()
    assert connection.receiver.edge == connection.receiver.irs + edge


def test_scaled_windows_are_honoured_to_the_octet() -> None:
    """RFC 7323 2.4: what was offered once is taken, though rounding offers less later."""
    d, connection = established(
        replace(MODERN, receive_buffer=200_000, initial_receive_buffer=200_000)
    )
    assert connection.receiver.scale == 2
    sequence = 1
    # The peer fills what the first, full offer allowed, in odd pieces.
    offered = 199_996 + 4
    while sequence <= offered:
        size = min(997, offered + 1 - sequence)
        d.send("A", seq=sequence, ack=1, payload=bytes(size))
        sequence += size
    assert connection.readable_bytes == 200_000
    d.after(40 * MILLISECOND)
    assert d.sent[-1].segment.window == 0


def test_zero_window_still_takes_acknowledgements_resets_and_a_fin() -> None:
    """RFC 9293 3.10.7.4: special allowance."""
    d, connection = established(replace(PLAIN, receive_buffer=1000))
    connection.send(b"outgoing")
    d.expect("PA", seq=1, ack=1, payload=b"outgoing")
    d.send("A", seq=1, ack=1, payload=FULL)
    d.expect("A", seq=9, ack=1001, window=0)
    d.send("PA", seq=1001, ack=9, payload=b"x")
    d.expect("A", seq=9, ack=1001, window=0)
    assert connection.buffered_bytes == 0
    d.send("FA", seq=1001, ack=9)
    d.expect("A", seq=9, ack=1002, window=0, at=40 * MILLISECOND)
    assert connection.receive() == FULL
    assert connection.at_eof


def test_a_window_probe_is_answered() -> None:
    d, connection = established(replace(PLAIN, receive_buffer=1000))
    d.send("A", seq=1, ack=1, payload=FULL)
    d.expect("A", seq=1, ack=1001, window=0)
    d.send("A", seq=1000, ack=1)
    d.expect("A", seq=1, ack=1001, window=0)
    d.send("PA", seq=1001, ack=1, payload=b"p")
    d.expect("A", seq=1, ack=1001, window=0)
    assert connection.readable_bytes == 1000


def test_the_buffer_follows_the_round_trips_that_timestamps_tell() -> None:
    """Who only receives measured an empty path in the handshake, and a queue may have filled since
    (Linux: tcp_rcv_rtt_measure_ts). 10 segments are not much in a round trip, 100 are."""
    for round_trip_ms, grows in ((10, False), (100, True)):
        d, connection = established(MODERN)
        offset = d.echo - d.now // MILLISECOND
        for number in range(300):
            d.after(MILLISECOND)
            d.echo = max(offset + d.now // MILLISECOND - round_trip_ms, offset)
            d.send("A", seq=1 + number * MSS, ack=1, payload=FULL)
            connection.receive()
            d.sent.clear()
        assert (connection.receiver.limit >= 2 * 100 * MSS) is grows
        assert (connection.receiver.limit == 65_535) is not grows


def test_a_peer_that_had_nothing_to_say_makes_no_round_trip_long() -> None:
    d, connection = established(MODERN)
    sequence = 1
    for pause in (5 * SECOND, 10 * MILLISECOND, 10 * MILLISECOND):
        d.after(pause)
        for _ in range(20):
            d.send("A", seq=sequence, ack=1, payload=FULL)
            sequence += MSS
        connection.receive()
        stamp = d.sent[-1].segment.timestamp
        assert stamp is not None
        d.echo = stamp
        d.sent.clear()
    assert connection.receiver.limit > 2 * 20 * MSS


def test_single_octets_do_not_cost_an_object_each() -> None:
    d, connection = established()
    for index in range(3000):
        d.send("PA", seq=1 + index, ack=1, payload=b"x")
    assert connection.readable_bytes == 3000
    assert len(connection.receiver.chunks) < 10
    assert connection.receive() == b"x" * 3000


def test_holes_are_limited() -> None:
    d, connection = established()
    for index in range(700):
        d.send("A", seq=3 + 2 * index, ack=1, payload=b"y")
    assert d.tcp.counters.out_of_order == 512
    assert d.tcp.counters.beyond_buffer == 188
    assert connection.receiver.reassembly.octets == 512
    d.send("A", seq=1, ack=1, payload=b"y" * 1500)
    assert connection.receive() == b"y" * 1500
    assert connection.receiver.reassembly.octets == 0
