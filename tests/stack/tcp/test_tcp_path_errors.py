"""ICMP errors about our segments (RFC 9293 3.9.2.2, RFC 5461, RFC 5927, RFC 1191)."""

from __future__ import annotations

import errno

import pytest
from tcp_dialogue import (
    HERE,
    MSS,
    PEER,
    PLAIN,
    Dialogue,
    established,
    ip_header,
    syn_received,
    syn_sent,
)

from netsim.core.time import SECOND
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.icmp import IcmpMessage

UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM, SOURCE_QUENCH = 3, 11, 12, 4


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (0, errno.ENETUNREACH),
        (1, errno.EHOSTUNREACH),
        (2, errno.ENOPROTOOPT),
        (3, errno.ECONNREFUSED),
        (5, errno.EHOSTUNREACH),
        (13, errno.EHOSTUNREACH),
    ],
)
def test_unreachable_ends_a_connect(code: int, error: int) -> None:
    d, connection = syn_sent()
    d.icmp(UNREACHABLE, code, seq=0)
    assert connection.closed
    assert connection.error == error
    assert connection in d.ready
    d.expect_nothing(until=10 * SECOND)


def test_time_exceeded_does_not_end_a_connect_but_explains_its_failure() -> None:
    d, connection = syn_sent()
    d.icmp(TIME_EXCEEDED, 0, seq=0)
    assert not connection.closed
    d.run(200 * SECOND)
    assert connection.error == errno.EHOSTUNREACH


@pytest.mark.parametrize(
    ("kind", "code"), [(UNREACHABLE, 0), (UNREACHABLE, 3), (PARAMETER_PROBLEM, 0)]
)
def test_no_error_ends_a_connection_that_works(kind: int, code: int) -> None:
    d, connection = established()
    connection.send(b"x")
    d.expect("PA", seq=1, ack=1, payload=b"x")
    d.icmp(kind, code, seq=1)
    assert not connection.closed
    assert connection.soft_error is not None
    d.send("A", seq=1, ack=2)
    assert connection.buffered_bytes == 0


def test_the_last_error_explains_a_timeout() -> None:
    d, connection = established()
    connection.send(b"x")
    d.expect("PA", seq=1, ack=1, payload=b"x")
    d.icmp(UNREACHABLE, 1, seq=1)
    d.run(3000 * SECOND)
    assert connection.error == errno.EHOSTUNREACH


def test_errors_about_a_half_open_connection_do_not_end_it() -> None:
    d, connection = syn_received()
    d.icmp(UNREACHABLE, 1, seq=0)
    assert not connection.closed


@pytest.mark.parametrize("seq", [-2, 1, 5000])
def test_errors_about_what_is_not_outstanding_are_ignored(seq: int) -> None:
    """RFC 5927 4.1: somebody who has not seen the connection guesses."""
    d, connection = syn_sent()
    d.icmp(UNREACHABLE, 1, seq=seq)
    assert not connection.closed
    assert d.tcp.counters.icmp_out_of_window == 1


def test_source_quench_and_strangers_are_ignored() -> None:
    d, connection = syn_sent()
    d.icmp(SOURCE_QUENCH, 0, seq=0)
    d.peer_port += 1
    d.icmp(UNREACHABLE, 1, seq=0)
    assert d.tcp.counters.icmp_out_of_window == 1
    d.tcp.receive_error(ip_header(HERE, PEER), b"short", IcmpMessage(3, 1, 0, b""), PEER, 0)
    assert not connection.closed
    assert connection.soft_error is None


def outstanding(settings: TcpSettings = PLAIN) -> Dialogue:
    d, connection = established(settings)
    connection.send(bytes(range(250)) * 12)
    d.run(d.now)
    assert len(d.sent) == 3
    d.sent.clear()
    return d


def test_fragmentation_needed_cuts_smaller_at_once() -> None:
    """RFC 1191 6.4: retransmission without a timeout and without halving the window."""
    d = outstanding()
    d.icmp(UNREACHABLE, 4, seq=1, mtu=540)
    assert [len(sent.segment.payload) for sent in d.sent] == [500] * 6
    assert b"".join(sent.segment.payload for sent in d.sent) == bytes(range(250)) * 12
    (connection,) = d.tcp._shared.connections.values()
    assert isinstance(connection, TcpSocket)
    assert connection.sender.congestion.window == 10 * MSS
    assert d.tcp.counters.timeouts == 0
    d.sent.clear()
    d.send("A", seq=1, ack=3001)
    connection.send(bytes(1000))
    d.expect("A", seq=3001, ack=1, payload=bytes(500))
    d.expect("PA", seq=3501, ack=1, payload=bytes(500))


def test_a_path_that_is_larger_again_is_used_from_then_on() -> None:
    """RFC 1191 6.3: IP has forgotten what it was told ten minutes ago."""
    d = outstanding()
    d.icmp(UNREACHABLE, 4, seq=1, mtu=540)
    d.sent.clear()
    d.send("A", seq=1, ack=3001)
    d.wire.mtu = MSS + 40
    d.tcp.path_changed(None, None)
    (connection,) = d.tcp._shared.connections.values()
    assert isinstance(connection, TcpSocket)
    connection.send(bytes(1000))
    d.expect("PA", seq=3001, ack=1, payload=bytes(1000))


def test_a_path_that_changes_for_others_changes_nothing() -> None:
    d = outstanding()
    d.wire.mtu = 540
    d.tcp.path_changed(b"\x0a\x09\x09\x09", d.now)
    d.expect_nothing()


def test_a_path_that_changes_is_noticed_before_the_connection_is_open() -> None:
    d, _ = syn_sent()
    d.tcp.path_changed(None, None)
    d.expect_nothing()
    d.send("SA", seq=0, ack=1, mss=MSS)
    d.expect("A", seq=1, ack=1)


def test_fragmentation_needed_about_something_else_is_ignored() -> None:
    d = outstanding()
    d.icmp(UNREACHABLE, 4, seq=9001, mtu=540)
    d.expect_nothing()


def test_a_connection_opened_later_knows_the_smaller_path() -> None:
    d, connection = syn_sent()
    d.wire.mtu = 600
    d.send("SA", seq=0, ack=1, mss=MSS)
    d.expect("A", seq=1, ack=1)
    connection.send(bytes(1000))
    d.expect("A", seq=1, ack=1, payload=bytes(560))
