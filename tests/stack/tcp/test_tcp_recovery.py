"""Losses: retransmission timer (RFC 6298), fast retransmit and recovery (RFC 5681, 6582, 3042),
SACK (RFC 6675)."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
from tcp_dialogue import MODERN, MSS, PLAIN, Dialogue, established, in_phase, in_state, last_ack

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import TimerUse
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_socket import TcpSocket

RTT = 100 * MILLISECOND
RTO = RTT + 200 * MILLISECOND
"""SRTT plus the least spread, after the one sample from the handshake."""
SACK = replace(MODERN, timestamps=False, window_scaling=False)


def data(segments: int) -> bytes:
    return b"".join(index.to_bytes(2, "big") * (MSS // 2) for index in range(segments))


def sending(segments: int, settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    """`segments` full ones are written; as many as the window of ten allows have left."""
    d, connection = established(settings, rtt=RTT)
    connection.send(data(segments))
    d.run(d.now)
    assert [s.segment.payload for s in d.sent] == [piece(i) for i in range(min(segments, 10))]
    d.sent.clear()
    return d, connection


def piece(index: int) -> bytes:
    return index.to_bytes(2, "big") * (MSS // 2)


def seq(index: int) -> int:
    """Where segment `index` begins."""
    return 1 + index * MSS


def expect_pieces(d: Dialogue, *indices: int) -> None:
    assert [(s.segment.sequence - d.iss) & 0xFFFFFFFF for s in d.sent] == [
        seq(index) for index in indices
    ]
    for sent, index in zip(d.sent, indices, strict=True):
        assert sent.segment.payload == piece(index)
    d.sent.clear()


# -- the timer (RFC 6298)


def test_timeouts_back_off_and_give_up() -> None:
    d, connection = established(replace(PLAIN, retries=5), rtt=RTT)
    connection.send(b"lost")
    d.expect("PA", seq=1, ack=1, payload=b"lost")
    at = RTT
    for exponent in range(5):
        at += RTO << exponent
        d.expect_nothing(until=at - 1)
        d.expect("PA", seq=1, ack=1, payload=b"lost", at=at)
    d.ready.clear()
    d.expect_nothing(until=at + (RTO << 5))
    assert connection.closed
    assert connection.error == errno.ETIMEDOUT
    assert connection in d.ready
    assert d.tcp.counters.connection_timeouts == 1
    assert d.tcp.counters.retransmissions == 5


def test_backed_off_timeout_is_bounded() -> None:
    d, connection = established(replace(PLAIN, max_rto_ns=SECOND), rtt=RTT)
    connection.send(b"lost")
    d.run(20 * SECOND)
    times = [sent.at for sent in d.sent]
    assert times[-1] - times[-2] == SECOND


def test_default_patience_is_about_a_quarter_of_an_hour() -> None:
    d, connection = established(rtt=RTT)
    connection.send(b"lost")
    d.run(13 * 60 * SECOND)
    assert not connection.closed
    d.run(25 * 60 * SECOND)
    assert connection.error == errno.ETIMEDOUT


def test_an_orphan_gives_up_sooner() -> None:
    d, connection = last_ack()
    connection.close()
    d.run(1000 * SECOND)
    assert len(d.sent) == 8
    assert connection.closed


def test_an_acknowledgement_restarts_the_timer() -> None:
    """RFC 6298 (5.3)"""
    d, _ = sending(2)
    d.run(RTT + 50 * MILLISECOND)
    d.send("A", seq=1, ack=seq(1))
    rto = RTO  # the sample of 50 ms moves SRTT, and the floor of the variation keeps the rest
    d.run(RTT + rto)
    assert d.sent == []
    d.run(RTT + 60 * MILLISECOND + rto)
    expect_pieces(d, 1)


def test_timeout_begins_slow_start_from_one_segment() -> None:
    """RFC 5681 3.1: everything outstanding is sent again as acknowledgements come."""
    d, connection = sending(10)
    d.run(RTT + RTO)
    expect_pieces(d, 0)
    assert connection.sender.congestion.threshold == 5 * MSS
    assert connection.sender.congestion.window == MSS
    d.send("A", seq=1, ack=seq(1))
    expect_pieces(d, 1, 2)
    d.send("A", seq=1, ack=seq(3))
    expect_pieces(d, 3, 4, 5)
    # The rest had arrived: what is acknowledged is not sent again.
    d.send("A", seq=1, ack=seq(9))
    expect_pieces(d, 9)
    d.send("A", seq=1, ack=seq(10))
    assert connection.buffered_bytes == 0
    d.expect_nothing(until=100 * SECOND)


def test_threshold_is_halved_once_for_the_same_data() -> None:
    d, connection = sending(10)
    d.run(RTT + RTO)
    d.run(RTT + RTO * 3)
    expect_pieces(d, 0, 0)
    assert connection.sender.congestion.threshold == 5 * MSS


def test_karn_no_sample_from_what_was_sent_twice() -> None:
    d, connection = sending(1)
    d.run(RTT + RTO)
    expect_pieces(d, 0)
    d.run(RTT + RTO + 150 * MILLISECOND)
    d.send("A", seq=1, ack=seq(1))
    assert connection.sender.round_trip.smoothed == RTT
    # And the timeout stays backed off until there is one.
    assert connection.sender.round_trip.timeout == 2 * RTO
    connection.send(piece(1))
    d.run(d.now)
    expect_pieces(d, 1)
    d.after(RTT)
    d.send("A", seq=1, ack=seq(2))
    assert connection.sender.round_trip.timeout == RTO


def test_timestamps_give_a_sample_of_what_was_sent_twice() -> None:
    d, connection = established(MODERN, rtt=RTT)
    connection.send(b"x")
    d.run(RTT + RTO)
    assert len(d.sent) == 2
    d.run(RTT + RTO + 60 * MILLISECOND)
    echo = d.sent[1].segment.timestamp
    d.send("A", seq=1, ack=2, timestamp_echo=echo)
    assert connection.sender.round_trip.latest == 60 * MILLISECOND
    assert connection.sender.round_trip.timeout < 2 * RTO


def test_a_late_answer_to_what_was_sent_first_is_a_sample() -> None:
    d, connection = established(MODERN, rtt=RTT)
    connection.send(b"x")
    d.run(RTT + RTO)
    d.run(RTT + RTO + 60 * MILLISECOND)
    d.send("A", seq=1, ack=2, timestamp_echo=d.sent[0].segment.timestamp)
    assert connection.sender.round_trip.latest == RTO + 60 * MILLISECOND
    assert connection.sender.congestion.window >= 10 * connection.sender.mss
    assert (d.tcp.counters.loss_probes, d.tcp.counters.timeouts) == (1, 0)


def test_samples_are_smoothed() -> None:
    """RFC 6298 (2.2), (2.3)"""
    d, connection = sending(2)
    trip = connection.sender.round_trip
    assert (trip.smoothed, trip.variation) == (RTT, RTT // 2)
    d.after(180 * MILLISECOND)
    d.send("A", seq=1, ack=seq(1))
    assert trip.variation == RTT // 2 + (80 * MILLISECOND - RTT // 2) // 4
    assert trip.smoothed == RTT + 80 * MILLISECOND // 8
    assert trip.timeout == trip.smoothed + 4 * trip.variation


# -- fast retransmit and NewReno


def test_three_duplicates_retransmit_at_once() -> None:
    d, connection = sending(10)
    connection.send(data(20)[10 * MSS :])
    d.run(d.now)
    d.after(RTT)
    d.send("A", seq=1, ack=seq(1))
    expect_pieces(d, 10, 11)
    # Segment 1 is lost. The first two duplicates let new data out (RFC 3042).
    d.send("A", seq=1, ack=seq(1))
    expect_pieces(d, 12)
    d.send("A", seq=1, ack=seq(1))
    expect_pieces(d, 13)
    d.send("A", seq=1, ack=seq(1))
    expect_pieces(d, 1)
    assert in_phase(connection, Phase.FAST)
    flight = 11  # without the two of limited transmit: RFC 5681 3.2 (2)
    threshold = flight * MSS // 2
    assert connection.sender.congestion.threshold == threshold
    # RFC 9937: for two that arrive, one leaves, of which the retransmission is the first.
    for new in ((), (), (14,), (), (15,), ()):
        d.send("A", seq=1, ack=seq(1))
        expect_pieces(d, *new)
    d.send("A", seq=1, ack=seq(14))
    assert in_phase(connection, Phase.OPEN)
    assert connection.sender.congestion.window == threshold
    assert d.tcp.counters.fast_recoveries == 1
    assert d.tcp.counters.timeouts == 0


def test_partial_acknowledgement_retransmits_the_next_hole() -> None:
    """RFC 6582: three losses in one window, repaired in three round trips, no timeout."""
    d, connection = sending(10)
    for _ in range(7):
        d.send("A", seq=1, ack=seq(0))
    expect_pieces(d, 0)
    threshold = connection.sender.congestion.threshold
    for hole in (3, 6):
        d.after(RTT)
        d.send("A", seq=1, ack=seq(hole))
        expect_pieces(d, hole)
        assert in_phase(connection, Phase.FAST)
    d.after(RTT)
    d.send("A", seq=1, ack=seq(10))
    assert in_phase(connection, Phase.OPEN)
    assert connection.sender.congestion.window == threshold == 5 * MSS
    d.expect_nothing(until=100 * SECOND)


def test_duplicates_after_a_timeout_do_not_retransmit_again() -> None:
    """RFC 6582 4, RFC 6675 5.1: they are echoes of what was sent twice."""
    d, connection = sending(10)
    d.run(RTT + RTO)
    expect_pieces(d, 0)
    d.send("A", seq=1, ack=seq(5))
    expect_pieces(d, 5, 6)
    for _ in range(5):
        d.send("A", seq=1, ack=seq(5))
    d.expect_nothing()
    d.send("A", seq=1, ack=seq(10))
    connection.send(data(4))
    d.run(d.now)
    d.sent.clear()
    for _ in range(5):
        d.send("A", seq=1, ack=seq(10))
    assert d.tcp.counters.fast_recoveries == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": b"data"},
        {"window": 60_000},
    ],
)
def test_what_is_no_duplicate(fields: dict[str, object]) -> None:
    """RFC 5681 2: with data, or with another window, it is none."""
    d, connection = sending(10)
    for index in range(5):
        if "window" in fields:
            fields["window"] = 60_000 + index
        d.send("A", seq=1 + 4 * index * ("payload" in fields), ack=seq(0), **fields)  # type: ignore[arg-type]
    assert in_phase(connection, Phase.OPEN)
    assert d.tcp.counters.fast_recoveries == 0


def test_no_duplicates_while_nothing_is_outstanding() -> None:
    d, connection = established()
    for _ in range(5):
        d.send("A", seq=1, ack=1)
    connection.send(b"x")
    d.expect("PA", seq=1, ack=1, payload=b"x")
    assert connection.sender.recovery.in_order


def test_timeout_during_fast_recovery() -> None:
    d, connection = sending(10)
    for _ in range(3):
        d.send("A", seq=1, ack=seq(0))
    expect_pieces(d, 0)
    d.run(RTT + RTO)
    expect_pieces(d, 0)
    assert in_phase(connection, Phase.TIMEOUT)
    assert connection.sender.congestion.window == MSS
    d.send("A", seq=1, ack=seq(10))
    assert in_phase(connection, Phase.OPEN)
    assert connection.buffered_bytes == 0


# -- SACK


def test_sack_recovery_sends_only_what_is_missing() -> None:
    d, connection = sending(10, SACK)
    # 1, 4 and 5 are lost
    d.after(RTT)
    d.send("A", seq=1, ack=seq(1))
    d.send("A", seq=1, ack=seq(1), sack=[(seq(2), seq(3))])
    d.send("A", seq=1, ack=seq(1), sack=[(seq(2), seq(4))])
    d.expect_nothing()
    d.send("A", seq=1, ack=seq(1), sack=[(seq(6), seq(7)), (seq(2), seq(4))])
    # Three SACKed: what left before 6 and did not arrive is lost (RFC 8985 6.2).
    expect_pieces(d, 1)
    assert connection.sender.congestion.threshold == 4500
    assert connection.sender.congestion.window == 4000
    # 3 are in flight and may be 4: half of what arrives leaves (RFC 9937).
    d.send("A", seq=1, ack=seq(1), sack=[(seq(6), seq(8)), (seq(2), seq(4))])
    expect_pieces(d, 4)
    d.send("A", seq=1, ack=seq(1), sack=[(seq(6), seq(9)), (seq(2), seq(4))])
    expect_pieces(d, 5)
    d.send("A", seq=1, ack=seq(1), sack=[(seq(6), seq(10)), (seq(2), seq(4))])
    d.expect_nothing()
    d.send("A", seq=1, ack=seq(4), sack=[(seq(6), seq(10))])
    d.send("A", seq=1, ack=seq(5), sack=[(seq(6), seq(10))])
    d.send("A", seq=1, ack=seq(10))
    d.expect_nothing(until=100 * SECOND)
    assert in_phase(connection, Phase.OPEN)
    assert d.tcp.counters.retransmissions == 3


def test_more_than_two_segments_sacked_at_once_begin_recovery() -> None:
    """RFC 6675 5 (2): IsLost() counts octets, not acknowledgements."""
    d, _ = sending(10, SACK)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(4))])
    expect_pieces(d, 0)


def test_two_full_segments_are_not_enough() -> None:
    d, _ = sending(10, SACK)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(3))])
    d.expect_nothing()


def test_sack_lets_new_data_out_before_recovery() -> None:
    """RFC 3042 with RFC 6675 5 (3)"""
    d, _ = sending(20, SACK)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(2))])
    expect_pieces(d, 10)


def test_duplicates_without_new_sack_information_do_not_count() -> None:
    """RFC 6675 2"""
    d, _ = sending(10, SACK)
    for _ in range(6):
        d.send("A", seq=1, ack=seq(0), sack=[(seq(5), seq(6))])
        d.send("A", seq=1, ack=seq(0))
    d.expect_nothing()


def test_what_lies_below_a_single_block_is_sent_again_with_the_rest() -> None:
    """RFC 6675 NextSeg (3): too few are SACKed above it to count as lost, and nothing is new."""
    d, connection = sending(10, SACK)
    d.after(RTT)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(7))])
    expect_pieces(d, 0)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(9), seq(10)), (seq(1), seq(7))])
    expect_pieces(d, 7, 8)
    assert connection.retransmission_timer.due is not None
    assert connection.sender.timer_use is TimerUse.RETRANSMISSION


def test_a_lost_tail_is_found_when_a_repetition_arrives() -> None:
    """RFC 6675 NextSeg (4) is for this: the last segment is lost as well, and nothing above it
    tells. RACK sees that what left later has arrived."""
    d, connection = sending(10, SACK)
    d.after(RTT)
    for index in (3, 4, 5):
        d.send("A", seq=1, ack=seq(1), sack=[(seq(2), seq(index))])
    expect_pieces(d, 1)
    d.send("A", seq=1, ack=seq(1), sack=[(seq(2), seq(9))])
    d.after(RTT)
    d.send("A", seq=1, ack=seq(9))
    expect_pieces(d, 9)
    d.send("A", seq=1, ack=seq(10))
    assert connection.buffered_bytes == 0
    assert d.tcp.counters.timeouts == 0


def test_sack_is_forgotten_when_the_peer_forgets_it() -> None:
    """RFC 2018 8: an acknowledgement that ends where something was SACKed tells."""
    d, connection = sending(10, SACK)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(9))])
    expect_pieces(d, 0)
    d.send("A", seq=1, ack=seq(1))
    d.sent.clear()
    d.after(2 * RTO)
    assert in_phase(connection, Phase.TIMEOUT)
    assert d.sent.pop(0).segment.sequence == (d.iss + seq(1)) & 0xFFFFFFFF
    d.sent.clear()
    d.send("A", seq=1, ack=seq(2))
    expect_pieces(d, 2, 3)


def test_what_the_peer_has_is_not_sent_again_after_a_timeout() -> None:
    """RFC 8985 6.2, RACK_mark_losses_on_RTO"""
    d, _ = sending(10, SACK)
    d.after(RTT)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(3), seq(9))])
    d.sent.clear()
    d.after(3 * RTO)
    d.sent.clear()
    d.send("A", seq=1, ack=seq(1), sack=[(seq(3), seq(9))])
    expect_pieces(d, 1, 2)
    d.send("A", seq=1, ack=seq(9))
    expect_pieces(d, 9)


def test_sack_on_a_segment_with_data_counts() -> None:
    d, _ = sending(10, SACK)
    d.send("PA", seq=1, ack=seq(0), payload=b"mine", sack=[(seq(1), seq(4))])
    expect_pieces(d, 0)


def test_nonsense_blocks_are_ignored() -> None:
    d, connection = sending(10, SACK)
    nonsense = [(seq(5), seq(11)), (seq(3), seq(3)), (-500, 1), (seq(4), seq(2))]
    for block in nonsense:
        d.send("A", seq=1, ack=seq(0), sack=[block])
    assert connection.sender.recovery.in_order
    d.expect_nothing()


def test_d_sack_is_no_news() -> None:
    d, connection = sending(10, SACK)
    d.send("A", seq=1, ack=seq(3))
    for _ in range(5):
        d.send("A", seq=1, ack=seq(3), sack=[(seq(0), seq(1))])
    assert connection.sender.recovery.in_order


def test_reordering_by_two_is_no_loss() -> None:
    d, connection = sending(10, SACK)
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(2))])
    d.send("A", seq=1, ack=seq(0), sack=[(seq(1), seq(3))])
    d.send("A", seq=1, ack=seq(3))
    assert connection.sender.recovery.in_order
    assert d.tcp.counters.retransmissions == 0
    assert connection.sender.congestion.window > 10 * MSS


def test_a_lost_fin_is_found_like_data() -> None:
    d, connection = sending(10, SACK)
    connection.shutdown()
    d.expect("FA", seq=seq(10), ack=1)
    d.send("A", seq=1, ack=seq(10))
    d.run(d.now + 2 * RTO)
    assert d.sent[0].segment.flags & 1
    d.send("A", seq=1, ack=seq(10) + 1)
    assert in_state(connection, State.FIN_WAIT_2)


def test_data_and_fin_are_retransmitted_together() -> None:
    d, connection = established(rtt=RTT)
    connection.send(b"end")
    connection.shutdown()
    d.expect("FPA", seq=1, ack=1, payload=b"end")
    d.expect("FPA", seq=1, ack=1, payload=b"end", at=RTT + RTO)


def test_retransmission_is_cut_to_what_is_missing() -> None:
    """Small segments that were sent apart are sent again together."""
    d, connection = established(rtt=RTT)
    connection.no_delay = True
    for index in range(5):
        connection.send(bytes([index]) * 10)
        d.run(d.now)
    assert len(d.sent) == 5
    d.sent.clear()
    d.send("A", seq=1, ack=11)
    d.run(d.now + connection.sender.round_trip.timeout)
    d.expect("PA", seq=11, ack=1, payload=b"".join(bytes([i]) * 10 for i in range(1, 5)))
