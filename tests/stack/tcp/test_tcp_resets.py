"""RST, and segments that somebody made up (RFC 9293 3.10.7.4, RFC 5961)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest
from tcp_dialogue import (
    MODERN,
    PLAIN,
    Dialogue,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    in_state,
    last_ack,
)

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_socket import TcpSocket

Factory = Callable[[], tuple[Dialogue, TcpSocket]]


@pytest.mark.parametrize(
    ("factory", "seq", "error"),
    [
        (established, 1, errno.ECONNRESET),
        (fin_wait_1, 1, errno.ECONNRESET),
        (fin_wait_2, 1, errno.ECONNRESET),
        (close_wait, 2, errno.EPIPE),
        (closing, 2, None),
        (last_ack, 2, None),
    ],
)
def test_reset_with_the_exact_number_ends(factory: Factory, seq: int, error: int | None) -> None:
    d, connection = factory()
    d.ready.clear()
    d.send("R", seq=seq)
    assert connection.closed
    assert connection.error == error
    assert connection in d.ready
    assert d.tcp.connections() == []
    d.expect_nothing(until=100 * SECOND)


def test_reset_elsewhere_in_the_window_is_challenged() -> None:
    """RFC 5961 3.2"""
    d, connection = established()
    d.send("R", seq=2)
    d.expect("A", seq=1, ack=1)
    d.after(SECOND)
    d.send("R", seq=60_000)
    d.expect("A", seq=1, ack=1)
    assert in_state(connection, State.ESTABLISHED)


def test_reset_outside_the_window_is_ignored() -> None:
    d, connection = established()
    for seq in (0, -100, 65_536 + 1, 1_000_000):
        d.send("R", seq=seq)
    d.expect_nothing()
    assert in_state(connection, State.ESTABLISHED)


def test_data_before_a_reset_can_be_read() -> None:
    d, connection = established()
    d.send("PA", seq=1, ack=1, payload=b"remains")
    d.send("R", seq=8)
    assert connection.closed
    assert connection.receive() == b"remains"
    assert not connection.at_eof


@pytest.mark.parametrize("factory", [established, fin_wait_2, close_wait, last_ack])
@pytest.mark.parametrize("seq", [0, 5, -9999])
def test_syn_on_a_connection_is_challenged(factory: Factory, seq: int) -> None:
    """RFC 5961 4.2; so a peer that restarted learns that it has to reset first."""
    d, connection = factory()
    state = connection.state
    d.send("S", seq=seq)
    assert len(d.sent) == 1
    assert d.sent[0].segment.flags == 0x10
    assert in_state(connection, state)


def test_half_open_connection_is_discovered() -> None:
    """RFC 9293 3.5.1, figure 9: the peer crashed and comes back with a SYN from the same port."""
    d, connection = established(MODERN)
    d.timestamps = False
    d.send("S", seq=-80_000, mss=1000)
    challenge = d.expect("A", seq=1, ack=1)
    assert challenge.flags == 0x10
    d.send("R", seq=1)
    assert connection.error == errno.ECONNRESET


def test_challenges_are_limited() -> None:
    """RFC 5961 7: one in half a second for a connection, as in Linux, and some for the host."""
    d, _ = established(replace(PLAIN, challenge_acks=3))
    for _ in range(50):
        d.send("S", seq=7)
    assert len(d.sent) == 1
    for _ in range(10):
        d.after(SECOND // 20)
        d.send("S", seq=7)
    assert len(d.sent) == 2
    d.sent.clear()
    d.after(SECOND)
    d.tcp._shared.challenges, d.tcp._shared.challenges_since = 3, d.now
    d.send("S", seq=7)
    d.expect_nothing()
    d.after(SECOND)
    d.send("S", seq=7)
    d.expect("A", seq=1, ack=1)


@pytest.mark.parametrize("ack", [2, 1000, -70_000])
def test_acknowledgement_of_what_was_never_sent_or_long_ago(ack: int) -> None:
    """RFC 5961 5.2: neither the ACK nor the data is accepted."""
    d, connection = established()
    d.send("PA", seq=1, ack=ack, payload=b"forged")
    d.expect("A", seq=1, ack=1)
    assert connection.readable_bytes == 0
    assert d.tcp.counters.bad_acknowledgements == 1


def test_data_with_an_old_but_plausible_acknowledgement_is_taken() -> None:
    d, connection = established()
    connection.send(b"12345")
    d.expect("PA", seq=1, ack=1, payload=b"12345")
    d.send("A", seq=1, ack=6)
    d.send("PA", seq=1, ack=1, payload=b"late")
    assert connection.receive() == b"late"
    assert connection.buffered_bytes == 0


def test_segments_without_ack_are_dropped() -> None:
    d, connection = established()
    d.send("P", seq=1, payload=b"no ack")
    d.send("F", seq=1)
    d.expect_nothing(until=SECOND)
    assert connection.readable_bytes == 0
    assert in_state(connection, State.ESTABLISHED)


def test_old_duplicates_are_acknowledged() -> None:
    d, connection = established()
    d.send("PA", seq=1, ack=1, payload=b"abc")
    d.run(40 * MILLISECOND)
    d.expect("A", seq=1, ack=4)
    d.send("PA", seq=1, ack=1, payload=b"abc")
    d.expect("A", seq=1, ack=4)
    d.send("PA", seq=-2000, ack=1, payload=b"abc")
    d.expect("A", seq=1, ack=4)
    assert connection.receive() == b"abc"
    assert d.tcp.counters.duplicates == 2


def test_data_beyond_the_window_is_dropped_and_answered() -> None:
    d, connection = established()
    d.send("PA", seq=65_537, ack=1, payload=b"abc")
    d.expect("A", seq=1, ack=1)
    assert d.tcp.counters.out_of_window == 1
    assert not connection.receiver.reassembly.octets


def test_urgent_data_is_delivered_in_line() -> None:
    d, connection = established()
    d.send("UPA", seq=1, ack=1, payload=b"urgent")
    assert connection.receive() == b"urgent"


# -- PAWS (RFC 7323 5)


def test_paws_drops_old_timestamps_and_answers() -> None:
    d, connection = established(MODERN)
    d.run(SECOND)
    d.send("PA", seq=1, ack=1, payload=b"a")
    d.run(SECOND + 40 * MILLISECOND)
    d.expect("A", seq=1, ack=2)
    d.send("PA", seq=2, ack=1, payload=b"b", timestamp=d.peer_clock() - 500)
    d.expect("A", seq=1, ack=2)
    assert connection.readable_bytes == 1
    assert d.tcp.counters.old_timestamps == 1
    d.send("PA", seq=2, ack=1, payload=b"b")
    assert connection.readable_bytes == 2


def test_paws_does_not_apply_to_resets() -> None:
    d, connection = established(MODERN)
    d.run(SECOND)
    d.send("R", seq=1, timestamp=5)
    assert connection.closed


def test_a_peer_silent_for_24_days_is_heard() -> None:
    d, connection = established(MODERN)
    d.run(25 * 24 * 3600 * SECOND)
    d.send("PA", seq=1, ack=1, payload=b"back")
    assert connection.receive() == b"back"


def test_segments_without_the_agreed_timestamp_are_taken() -> None:
    """RFC 7323 3.2 says that they should not be; Linux takes them."""
    d, connection = established(MODERN)
    d.timestamps = False
    d.send("PA", seq=1, ack=1, payload=b"bare")
    d.expect("A", seq=1, ack=5)
    assert connection.receive() == b"bare"


def test_timestamps_wrap_around() -> None:
    """The peer's clock starts 256 ms before its end."""
    d, connection = established(MODERN)
    for step in range(1, 6):
        d.run(step * 100 * MILLISECOND)
        d.send("PA", seq=step, ack=1, payload=b"x")
        clock = d.peer_clock()
        d.run(d.now + 40 * MILLISECOND)
        d.expect("A", seq=1, ack=step + 1, timestamp_echo=clock)
    assert d.peer_clock() < 1000
    assert connection.readable_bytes == 5
