"""RACK-TLP (RFC 8985), PRR (RFC 9937), F-RTO (RFC 5682), and undo (RFC 3522, RFC 3708)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tcp_dialogue import MODERN, MSS, PLAIN, Dialogue, established, in_phase

from netsim.core.time import MILLISECOND
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import TimerUse
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket

RTT = 100 * MILLISECOND
RTO = RTT + 200 * MILLISECOND
PTO = 2 * RTT + 2 * MILLISECOND
SACK = replace(MODERN, timestamps=False, window_scaling=False)
STAMPED = replace(MODERN, window_scaling=False)


def sending(
    segments: int, settings: TcpSettings = SACK, more: int = 0
) -> tuple[Dialogue, TcpSocket]:
    """`segments` have left at RTT, `more` wait behind them."""
    d, connection = established(settings, rtt=RTT)
    connection.sender.congestion.window = segments * connection.sender.mss
    connection.send(bytes((segments + more) * connection.sender.mss))
    d.run(d.now)
    assert len(d.sent) == segments
    d.sent.clear()
    return d, connection


def left(d: Dialogue, connection: TcpSocket) -> list[tuple[int, int]]:
    """Which segments have left since the last call, by index, and when in ms after the first."""
    mss = connection.sender.mss
    seen = [
        (((s.segment.sequence - d.iss - 1) & 0xFFFFFFFF) // mss, (s.at - RTT) // MILLISECOND)
        for s in d.sent
    ]
    d.sent.clear()
    return seen


def seq(connection: TcpSocket, index: int) -> int:
    return 1 + index * connection.sender.mss


def answer(
    d: Dialogue, connection: TcpSocket, ack: int, *sack: tuple[int, int], **fields: Any
) -> None:
    """An acknowledgement; numbers count segments."""
    blocks = [(seq(connection, a), seq(connection, b)) for a, b in sack]
    d.send("A", seq=1, ack=seq(connection, ack), sack=blocks, **fields)


# -- RACK


def test_a_lost_repetition_is_found_without_the_timer() -> None:
    """RFC 8985 3.1: what left after it has arrived, so it has not."""
    d, c = sending(6, more=20)
    d.after(RTT)
    answer(d, c, 0, (1, 5))
    assert (0, 100) in left(d, c)
    # The repetition of 0 is lost; 6, which left at the same time or later, arrives.
    d.after(RTT)
    answer(d, c, 0, (1, 6))
    d.after(RTT // 2)
    answer(d, c, 0, (1, 7))
    assert (0, 250) in left(d, c)
    assert d.tcp.counters.timeouts == 0


def test_what_is_a_little_late_is_waited_for() -> None:
    """RFC 8985 6.2 step 4: a quarter of the least RTT, while fewer than three are SACKed."""
    d, c = sending(4)
    d.after(RTT)
    answer(d, c, 0, (1, 2))
    d.after(RTT // 4 - 1)
    assert left(d, c) == []
    assert c.sender.timer_use is TimerUse.REORDER
    d.after(1)
    assert left(d, c) == [(0, 125)]
    assert in_phase(c, Phase.FAST)


def test_once_reordering_was_seen_three_sacked_are_no_proof() -> None:
    """RFC 8985 6.2 step 3"""
    d, c = sending(8, more=10)
    d.after(RTT)
    answer(d, c, 0, (1, 2))
    answer(d, c, 2)
    assert c.sender.recovery.rack.reordered
    left(d, c)
    answer(d, c, 2, (3, 7))
    assert all(index >= 8 for index, _ in left(d, c))
    d.after(RTT // 4)
    assert left(d, c)[0] == (2, 125)


def test_a_report_of_a_duplicate_widens_the_window() -> None:
    """RFC 8985 6.2 step 4"""
    d, c = sending(10, more=10)
    d.after(RTT)
    answer(d, c, 1, (0, 1))
    rack = c.sender.recovery.rack
    rack.reordered = True
    window = rack.window(c.sender.recovery.queue, True, RTT, 10 * RTT)
    assert window == 2 * RTT // 4


# -- TLP


def test_a_lone_tail_is_probed_with_what_was_sent_last() -> None:
    d, c = sending(10)
    d.after(RTT)
    answer(d, c, 9)
    d.after(10 * RTT)
    # One segment is outstanding: two round trips and what the peer may delay (RFC 8985 7.2).
    assert left(d, c)[0][0] == 9
    assert d.tcp.counters.loss_probes == 1


def test_a_tail_of_several_is_probed_after_two_round_trips() -> None:
    d, c = sending(10)
    d.after(RTT)
    answer(d, c, 7)
    d.run(2 * RTT + PTO)
    assert left(d, c) == [(9, 100 + PTO // MILLISECOND)]
    # The probe arrives, 7 and 8 did not: fast recovery, no timeout.
    d.after(RTT)
    answer(d, c, 7, (9, 10))
    d.after(RTT)
    assert [index for index, _ in left(d, c)] == [7]
    answer(d, c, 8, (9, 10))
    assert [index for index, _ in left(d, c)] == [8]
    assert d.tcp.counters.timeouts == 0


def test_new_data_is_the_better_probe() -> None:
    d, c = sending(4, more=3)
    d.run(RTT + PTO)
    assert left(d, c) == [(4, PTO // MILLISECOND)]


def test_a_probe_that_repairs_a_loss_costs_as_much() -> None:
    """RFC 8985 7.4.2: no acknowledgement says that both arrived."""
    d, c = sending(10)
    d.after(RTT)
    answer(d, c, 8)
    d.run(2 * RTT + PTO)
    assert len(left(d, c)) == 1
    c.send(bytes(2 * MSS))
    d.run(d.now)
    window = c.sender.congestion.window
    answer(d, c, 11)
    assert c.sender.congestion.window < window


def test_a_probe_that_was_needless_costs_nothing() -> None:
    d, c = sending(10)
    d.after(RTT)
    answer(d, c, 8)
    d.run(2 * RTT + PTO)
    window = c.sender.congestion.window
    answer(d, c, 10, (9, 10))
    assert c.sender.congestion.window >= window
    assert c.sender.recovery.in_order


def test_one_probe_for_each_tail_then_the_timer() -> None:
    d, _ = sending(2)
    d.run(RTT + 5 * RTO)
    assert d.tcp.counters.loss_probes == 1
    assert d.tcp.counters.timeouts >= 1


# -- PRR


def test_the_window_comes_down_as_data_arrives() -> None:
    """RFC 9937 5.1: with a threshold of half the flight, one leaves for two that arrive."""
    d, c = sending(20, more=40)
    d.after(RTT)
    answer(d, c, 0, (1, 4))
    sent = [index for index, _ in left(d, c)]
    assert sent[-1] == 0
    count = 0
    for index in range(5, 20):
        answer(d, c, 0, (1, index))
        count += len(left(d, c))
    assert 6 <= count <= 8
    assert c.sender.in_flight() <= c.sender.congestion.threshold + MSS
    answer(d, c, 23)
    assert in_phase(c, Phase.OPEN)
    assert c.sender.congestion.window >= c.sender.congestion.threshold


def test_a_burst_of_losses_does_not_silence_the_sender() -> None:
    """RFC 9937 5.2, conservative bound: what is below the threshold grows by what arrives."""
    d, c = sending(20, more=40)
    d.after(RTT)
    answer(d, c, 0, (17, 20))
    assert [index for index, _ in left(d, c)][:1] != []
    assert c.sender.in_flight() <= 4 * MSS


# -- spurious timeouts


def lost_acknowledgements(settings: TcpSettings, more: int = 10) -> tuple[Dialogue, TcpSocket]:
    """Ten segments have left, nothing is heard, the timer goes off: 0 is sent again."""
    d, c = sending(10, settings, more=more)
    window = c.sender.congestion.window
    while not d.tcp.counters.timeouts:
        d.after(10 * MILLISECOND)
    assert c.sender.congestion.window < window
    assert left(d, c)[-1][0] == 0
    return d, c


def test_frto_sends_new_data_and_believes_the_original_acknowledgements() -> None:
    """RFC 5682 2.1, steps 2b and 3b, for a peer without SACK."""
    d, c = lost_acknowledgements(PLAIN)
    answer(d, c, 1)
    assert [index for index, _ in left(d, c)] == [10, 11]
    answer(d, c, 2)
    assert in_phase(c, Phase.OPEN)
    assert d.tcp.counters.spurious_timeouts == 1
    assert c.sender.congestion.window >= 10 * MSS
    assert all(index >= 12 for index, _ in left(d, c))
    assert d.tcp.counters.retransmissions == 1


def test_frto_gives_way_when_the_loss_was_real() -> None:
    """Step 3a: duplicates after the new data."""
    d, c = lost_acknowledgements(PLAIN)
    answer(d, c, 1)
    assert [index for index, _ in left(d, c)] == [10, 11]
    answer(d, c, 1)
    assert in_phase(c, Phase.TIMEOUT)
    answer(d, c, 1)
    answer(d, c, 2)
    assert 2 in [index for index, _ in left(d, c)]


def test_sack_of_what_was_sent_once_tells_at_once() -> None:
    """RFC 5682 3.1: an original arrives after the timeout."""
    d, c = lost_acknowledgements(SACK)
    answer(d, c, 3)
    assert d.tcp.counters.spurious_timeouts == 1
    assert c.sender.congestion.window >= 10 * MSS
    repeated = d.tcp.counters.retransmissions
    answer(d, c, 10)
    answer(d, c, c.sender.in_flight() // MSS + 10)
    assert d.tcp.counters.retransmissions == repeated


def test_an_old_timestamp_tells_that_nothing_was_lost() -> None:
    """RFC 3522 3.2 (4), RFC 4015: the window comes back."""
    d, c = sending(10, STAMPED)
    d.run(RTT + 2 * RTO)
    assert d.tcp.counters.timeouts
    answer(d, c, 1, timestamp_echo=c.transmitter.clock(RTT))
    assert in_phase(c, Phase.OPEN)
    assert d.tcp.counters.undone == 1
    assert c.sender.congestion.window >= 10 * c.sender.mss


def test_d_sacks_for_all_that_was_sent_again_bring_the_window_back() -> None:
    """RFC 3708: the hole was late, not lost."""
    d, c = sending(10, more=10)
    d.after(RTT)
    answer(d, c, 0, (1, 4))
    assert 0 in [index for index, _ in left(d, c)]
    before = c.sender.recovery.prior_window
    d.after(RTT // 10)
    answer(d, c, 10)
    answer(d, c, 10, (0, 1))
    assert d.tcp.counters.undone == 1
    assert c.sender.congestion.window >= before


@pytest.mark.parametrize("settings", [SACK, STAMPED])
def test_a_real_loss_is_not_taken_back(settings: TcpSettings) -> None:
    d, c = sending(10, settings)
    d.after(RTT)
    answer(d, c, 0, (1, 10))
    d.after(RTT)
    answer(d, c, 10, timestamp_echo=c.transmitter.clock(2 * RTT))
    assert d.tcp.counters.undone == 0
    assert c.sender.congestion.window <= 6 * MSS


# -- the threshold


def test_the_threshold_is_half_of_what_is_in_flight_without_limited_transmit() -> None:
    """RFC 5681 3.2 (2)"""
    d, c = sending(10, more=10)
    d.after(RTT)
    for end in (2, 3, 4):
        answer(d, c, 0, (1, end))
    assert c.sender.congestion.threshold == 5 * MSS
