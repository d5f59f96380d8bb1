"""Ending connections: every state after ESTABLISHED (RFC 9293 3.6, figure 5, 3.10.7.4)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest
from tcp_dialogue import (
    MODERN,
    MSS,
    PEER,
    PEER_PORT,
    PLAIN,
    PORT,
    Dialogue,
    accepted,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    flag_bits,
    flag_letters,
    in_state,
    last_ack,
    options,
    syn_received,
    time_wait,
)

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.socket_errors import NotConnectedError
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_socket import TcpSocket

Factory = Callable[[], tuple[Dialogue, TcpSocket]]


def test_active_close_to_time_wait() -> None:
    """RFC 9293 3.6, figure 12."""
    d, connection = fin_wait_1()
    d.send("A", seq=1, ack=2)
    assert in_state(connection, State.FIN_WAIT_2)
    assert not connection.closed
    d.run(5 * SECOND)
    d.send("FA", seq=1, ack=2)
    d.expect("A", seq=2, ack=2)
    assert in_state(connection, State.TIME_WAIT)
    assert connection.closed
    assert connection.error is None
    assert connection.at_eof
    assert connection in d.ready
    assert [view.state for view in d.tcp.connections()] == [State.TIME_WAIT]
    d.expect_nothing(until=65 * SECOND - 1)
    assert len(d.tcp.connections()) == 1
    d.run(65 * SECOND)
    assert d.tcp.connections() == []


def test_fin_and_ack_of_fin_in_one_segment() -> None:
    d, connection = fin_wait_1()
    d.send("FA", seq=1, ack=2)
    d.expect("A", seq=2, ack=2)
    assert in_state(connection, State.TIME_WAIT)


def test_simultaneous_close() -> None:
    """RFC 9293 3.6, figure 13."""
    d, connection = fin_wait_1()
    d.send("FA", seq=1, ack=1)
    d.expect("A", seq=2, ack=2)
    assert in_state(connection, State.CLOSING)
    assert not connection.closed
    d.send("A", seq=2, ack=2)
    assert in_state(connection, State.TIME_WAIT)
    assert connection.closed
    d.expect_nothing()


def test_passive_close() -> None:
    d, connection = close_wait()
    assert connection.at_eof
    assert connection in d.ready
    assert not connection.closed
    connection.send(b"last words")
    d.expect("PA", seq=1, ack=2, payload=b"last words")
    connection.shutdown()
    assert in_state(connection, State.LAST_ACK)
    d.expect("FA", seq=11, ack=2)
    d.send("A", seq=2, ack=11)
    assert in_state(connection, State.LAST_ACK)
    d.send("A", seq=2, ack=12)
    assert in_state(connection, State.CLOSED)
    assert connection.closed
    assert connection.error is None
    assert d.tcp.connections() == []


def test_half_close_still_receives() -> None:
    d, connection = fin_wait_2()
    d.send("PA", seq=1, ack=2, payload=b"more")
    assert connection.readable_bytes == 4
    d.run(40 * MILLISECOND)
    d.expect("A", seq=2, ack=5)
    d.expect_nothing(until=600 * SECOND)
    d.send("FPA", seq=5, ack=2, payload=b"!")
    d.expect("A", seq=2, ack=7)
    assert connection.receive() == b"more!"
    assert connection.at_eof


def test_fin_follows_all_data_and_waits_for_the_window() -> None:
    d, connection = established(window=1500)
    connection.send(bytes(2000))
    connection.shutdown()
    assert in_state(connection, State.FIN_WAIT_1)
    d.expect("A", seq=1, ack=1, payload=bytes(MSS))
    d.expect_nothing()
    d.send("A", seq=1, ack=1001, window=1000)
    d.expect("PA", seq=1001, ack=1, payload=bytes(MSS))
    d.expect_nothing()
    d.send("A", seq=1, ack=2001, window=1000)
    d.expect("FA", seq=2001, ack=1)


def test_fin_rides_on_the_last_data() -> None:
    d, connection = established()
    connection.send(b"bye")
    connection.shutdown()
    d.expect("FPA", seq=1, ack=1, payload=b"bye")
    d.send("A", seq=1, ack=4)
    assert in_state(connection, State.FIN_WAIT_1)
    d.send("A", seq=1, ack=5)
    assert in_state(connection, State.FIN_WAIT_2)


def test_fin_is_retransmitted() -> None:
    d, connection = fin_wait_1()
    d.expect("FA", seq=1, ack=1, at=200 * MILLISECOND + 1000)
    d.run(400 * MILLISECOND)
    d.send("A", seq=1, ack=2)
    assert in_state(connection, State.FIN_WAIT_2)
    d.expect_nothing(until=SECOND)


def test_fin_out_of_order_waits_for_the_data_before_it() -> None:
    d, connection = established()
    d.send("FPA", seq=4, ack=1, payload=b"def")
    d.expect("A", seq=1, ack=1)
    assert in_state(connection, State.ESTABLISHED)
    assert connection.readable_bytes == 0
    d.send("A", seq=1, ack=1, payload=b"abc")
    d.expect("A", seq=1, ack=8)
    assert in_state(connection, State.CLOSE_WAIT)
    assert not connection.at_eof
    assert connection.receive() == b"abcdef"
    assert connection.at_eof


def test_data_behind_a_fin_is_ignored() -> None:
    d, connection = established()
    d.send("FA", seq=4, ack=1)
    d.expect("A", seq=1, ack=1)
    d.send("PA", seq=1, ack=1, payload=b"abcdef")
    d.expect("A", seq=1, ack=5)
    assert connection.receive() == b"abc"
    assert connection.at_eof


def test_fin_behind_data_that_did_not_fit_is_not_taken() -> None:
    d, connection = established(replace(PLAIN, receive_buffer=1000))
    d.send("FPA", seq=1, ack=1, payload=bytes(1200))
    d.expect("A", seq=1, ack=1001, window=0)
    assert in_state(connection, State.ESTABLISHED)
    connection.receive()
    d.expect("A", seq=1, ack=1001, window=1000)
    d.send("FPA", seq=1001, ack=1, payload=bytes(200))
    d.expect("A", seq=1, ack=1202, at=40 * MILLISECOND)
    assert in_state(connection, State.CLOSE_WAIT)


def test_fin_alone_out_of_order() -> None:
    d, connection = established()
    d.send("FA", seq=4, ack=1)
    d.expect("A", seq=1, ack=1)
    d.send("PA", seq=1, ack=1, payload=b"abc")
    d.expect("A", seq=1, ack=5)
    assert in_state(connection, State.CLOSE_WAIT)


@pytest.mark.parametrize(
    ("factory", "fin_ack"), [(close_wait, 1), (closing, 1), (last_ack, 1), (time_wait, 2)]
)
def test_a_repeated_fin_is_acknowledged_again(factory: Factory, fin_ack: int) -> None:
    d, connection = factory()
    state = connection.state
    d.send("FA", seq=1, ack=fin_ack)
    assert len(d.sent) == 1
    assert d.sent[0].segment.flags & 0x10
    assert in_state(connection, state)


def test_time_wait_starts_again_with_a_repeated_fin() -> None:
    d, _ = time_wait()
    d.run(50 * SECOND)
    d.send("FA", seq=1, ack=2)
    d.expect("A", seq=2, ack=2)
    d.run(110 * SECOND - 1)
    assert len(d.tcp.connections()) == 1
    d.run(110 * SECOND)
    assert d.tcp.connections() == []


def test_time_wait_answers_old_segments_and_ends_with_a_reset() -> None:
    d, _ = time_wait()
    d.send("PA", seq=-5, ack=2, payload=b"old")
    d.expect("A", seq=2, ack=2)
    d.send("A", seq=2, ack=2)
    d.send("R", seq=1)
    d.expect_nothing()
    assert len(d.tcp.connections()) == 1
    d.send("R", seq=2)
    assert d.tcp.connections() == []


def served_to_time_wait(modern: bool) -> Dialogue:
    d, connection = accepted(MODERN if modern else PLAIN)
    connection.shutdown()
    d.expect("FA", seq=1, ack=1)
    d.run(10 * MILLISECOND)
    d.send("FA", seq=1, ack=2)
    d.expect("A", seq=2, ack=2)
    assert in_state(connection, State.TIME_WAIT)
    return d


def test_time_wait_gives_way_to_a_newer_syn() -> None:
    """RFC 9293 3.6.1 by its number, and our own number is beyond the old ones."""
    d = served_to_time_wait(modern=False)
    old_iss = d.iss
    d.run(SECOND)
    d.send("S", seq=500, mss=MSS)
    assert d.sent[0].segment.acknowledgement == (0xFFFFFC00 + 501) & 0xFFFFFFFF
    assert (d.sent[0].segment.sequence - old_iss) & 0xFFFFFFFF == 2 + 65537
    d.sent.clear()
    assert [view.state for view in d.tcp.connections()] == [State.SYN_RECEIVED]


def test_time_wait_gives_way_to_a_newer_timestamp() -> None:
    """RFC 6191"""
    d = served_to_time_wait(modern=True)
    d.run(SECOND)
    d.send("S", seq=-70_000, mss=MSS)
    assert d.sent[0].segment.flags == 0x12


def test_time_wait_refuses_an_older_timestamp_whatever_the_number() -> None:
    """RFC 6191 2, and PAWS"""
    d = served_to_time_wait(modern=True)
    d.run(SECOND)
    d.send("S", seq=500, mss=MSS, timestamp=d.peer_clock() - 10_000 & 0xFFFFFFFF)
    assert d.sent[0].segment.flags == 0x10
    assert [view.state for view in d.tcp.connections()] == [State.TIME_WAIT]


def test_time_wait_refuses_an_older_syn() -> None:
    d = served_to_time_wait(modern=False)
    d.send("S", seq=-5)
    d.expect("A", seq=2, ack=2)
    assert [view.state for view in d.tcp.connections()] == [State.TIME_WAIT]


def test_a_port_in_time_wait_is_not_chosen_again() -> None:
    d, connection = time_wait()
    from netsim.stack.socket_errors import AddressInUseError

    with pytest.raises(AddressInUseError):
        d.tcp.connect((PEER, PEER_PORT), d.now, local=connection.local)


def test_too_many_in_time_wait() -> None:
    d = Dialogue(replace(PLAIN, time_wait_limit=2))
    for _ in range(3):
        connection = d.tcp.connect((PEER, PEER_PORT), d.now)
        d.expect("S", seq=0)
        d.send("SA", seq=0, ack=1)
        d.expect("A", seq=1, ack=1)
        connection.shutdown()
        d.expect("FA", seq=1, ack=1)
        d.send("FA", seq=1, ack=2)
        d.expect("A", seq=2, ack=2)
    assert len(d.tcp.connections()) == 2
    assert d.tcp.counters.time_wait_overflows == 1


# -- the owner goes away


def test_close_with_unread_data_resets() -> None:
    """RFC 9293 3.6.1 (MUST-17), RFC 2525 2.17"""
    d, connection = established()
    d.send("PA", seq=1, ack=1, payload=b"unread")
    d.expect("A", seq=1, ack=7)
    connection.close()
    d.expect("RA", seq=1, ack=7)
    assert connection.closed
    assert d.tcp.connections() == []


@pytest.mark.parametrize("half_closed_before", [True, False])
def test_data_after_close_is_reset(half_closed_before: bool) -> None:
    d, connection = established()
    if half_closed_before:
        connection.shutdown()
    connection.close()
    d.expect("FA", seq=1, ack=1)
    d.send("A", seq=1, ack=2)
    d.send("PA", seq=1, ack=2, payload=b"too late")
    d.expect("R", seq=2)
    assert d.tcp.connections() == []


def test_orderly_close() -> None:
    d, connection = established()
    connection.send(b"all of it")
    connection.close()
    d.expect("FPA", seq=1, ack=1, payload=b"all of it")
    d.send("FA", seq=1, ack=11)
    d.expect("A", seq=11, ack=2)
    assert in_state(connection, State.TIME_WAIT)


def test_an_orphan_does_not_wait_for_ever_in_fin_wait_2() -> None:
    d, connection = established()
    connection.close()
    d.expect("FA", seq=1, ack=1)
    d.run(SECOND // 10)
    d.send("A", seq=1, ack=2)
    d.expect_nothing(until=60 * SECOND)
    assert in_state(connection, State.FIN_WAIT_2)
    d.expect_nothing(until=61 * SECOND)
    assert connection.closed
    assert d.tcp.connections() == []


def test_close_in_fin_wait_2_starts_the_same_clock() -> None:
    d, connection = fin_wait_2()
    d.run(500 * SECOND)
    assert in_state(connection, State.FIN_WAIT_2)
    connection.close()
    d.expect_nothing(until=561 * SECOND)
    assert connection.closed


def test_write_after_shutdown_is_misuse() -> None:
    _, connection = established()
    connection.shutdown()
    with pytest.raises(NotConnectedError) as caught:
        connection.send(b"x")
    assert caught.value.errno == errno.EPIPE


def test_write_after_the_peer_reset_is_dropped() -> None:
    d, connection = established()
    d.send("R", seq=1)
    connection.send(b"x")
    assert connection.buffered_bytes == 0
    connection.shutdown()
    connection.close()
    d.expect_nothing(until=SECOND)


def test_shutdown_and_close_twice() -> None:
    d, connection = established()
    connection.shutdown()
    connection.shutdown()
    connection.close()
    connection.close()
    d.expect("FA", seq=1, ack=1)
    d.expect_nothing(until=100 * MILLISECOND)


# -- abort (RFC 9293 3.10.5)


@pytest.mark.parametrize(
    ("factory", "seq", "ack"),
    [
        (syn_received, 1, 1),
        (established, 1, 1),
        (fin_wait_1, 2, 1),
        (fin_wait_2, 2, 1),
        (close_wait, 1, 2),
    ],
)
def test_abort_sends_reset(factory: Factory, seq: int, ack: int) -> None:
    d, connection = factory()
    connection.abort(d.now)
    d.expect("RA", seq=seq, ack=ack)
    assert connection.closed
    assert connection.error is None
    assert d.tcp.connections() == []
    d.expect_nothing(until=200 * SECOND)


@pytest.mark.parametrize("factory", [closing, last_ack])
def test_abort_when_both_have_closed_is_silent(factory: Factory) -> None:
    d, connection = factory()
    connection.abort(d.now)
    d.expect_nothing(until=200 * SECOND)
    assert connection.closed
    assert d.tcp.connections() == []


def test_abort_in_syn_sent_is_silent() -> None:
    d = Dialogue()
    connection = d.tcp.connect((PEER, PORT), 0)
    d.expect("S", seq=0)
    connection.abort(0)
    d.expect_nothing(until=10 * SECOND)


def test_nothing_is_sent_in_answer_once_it_is_over() -> None:
    d, connection = last_ack()
    d.send("A", seq=2, ack=2)
    assert connection.closed
    d.send("A", seq=2, ack=2)
    d.expect("R", seq=2)  # there is no such connection any more


def test_options_are_kept_in_closing_states() -> None:
    d = Dialogue(MODERN)
    connection = d.tcp.connect((PEER, PEER_PORT), 0)
    d.expect("S", seq=0)
    d.send("SA", seq=0, ack=1, **options(MODERN, d))
    d.expect("A", seq=1, ack=1)
    connection.shutdown()
    assert d.expect("FA", seq=1, ack=1).timestamp is not None


# -- connections that nobody owns any more


def test_orphans_are_limited_in_number() -> None:
    """Who closes one more resets it (Linux: tcp_max_orphans)."""
    d = Dialogue(replace(PLAIN, orphan_limit=2))
    listener = d.tcp.listen(None, PORT)
    connections = []
    for port in (1, 2, 3, 4):
        d.peer_port = port
        d.send("S", seq=0)
        d.expect("SA", seq=0, ack=1)
        d.send("A", seq=1, ack=1)
        accepted = listener.accept()
        assert accepted is not None
        connections.append(accepted)
    for connection, flags in zip(connections, ("FA", "FA", "RA", "RA"), strict=True):
        connection.close()
        d.run(d.now)
        assert flag_letters(d.sent.pop().segment.flags) == flag_letters(flag_bits(flags))
    assert d.tcp.counters.orphan_overflows == 2
    d.run(600 * SECOND)  # they end, and there is room again
    assert d.tcp._shared.orphans == 0
    assert d.tcp.connections() == []


@pytest.mark.parametrize("in_flight", [False, True])
def test_an_orphan_ends_though_the_peer_answers_with_a_window_that_is_shut(in_flight: bool) -> None:
    """With an owner it would wait as long as the peer likes."""
    d, connection = established()
    if not in_flight:
        d.send("A", seq=1, ack=1, window=0)
    connection.send(b"never read")
    connection.close()
    while connection.state is not State.CLOSED and d.now < 1000 * SECOND:
        d.after(SECOND // 10)
        if d.sent:
            d.sent.clear()
            d.send("A", seq=1, ack=1, window=0)
    assert connection.error == errno.ETIMEDOUT
    assert 30 * SECOND < d.now < 600 * SECOND
