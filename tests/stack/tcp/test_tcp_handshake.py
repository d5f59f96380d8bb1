"""Opening connections (RFC 9293 3.5, 3.10.7.2, 3.10.7.3)."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest
from tcp_dialogue import (
    HERE,
    MODERN,
    MSS,
    MTU,
    PEER,
    PEER_PORT,
    PLAIN,
    PORT,
    Dialogue,
    accepted,
    established,
    in_state,
    ip_header,
    syn_received,
    syn_sent,
)

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.socket_errors import AddressInUseError, NoRouteError
from netsim.stack.tcp.ephemeral_ports import FIRST_EPHEMERAL, LAST_EPHEMERAL
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_socket import TcpSocket


def test_active_open() -> None:
    d = Dialogue(MODERN)
    connection = d.tcp.connect((PEER, PEER_PORT), 0)
    assert in_state(connection, State.SYN_SENT)
    syn = d.expect("S", seq=0, mss=MTU - 40, window=65535, window_scale=7, sack_permitted=True)
    assert syn.timestamp is not None
    assert FIRST_EPHEMERAL <= connection.local[1] <= LAST_EPHEMERAL
    assert connection.local == (HERE, syn.source_port)
    d.timestamps = True
    d.run(30 * MILLISECOND)
    d.send("SA", seq=0, ack=1, mss=MSS, window_scale=2, sack_permitted=True)
    d.expect("A", seq=1, ack=1, timestamp_echo=d.peer_clock(), window=65_535 >> 7)
    assert in_state(connection, State.ESTABLISHED)
    assert connection.connected
    assert connection in d.ready
    assert connection.sender.round_trip.smoothed == 30 * MILLISECOND
    assert connection.sender.mss == MSS - 12
    d.expect_nothing(until=10 * SECOND)


def test_passive_open() -> None:
    d = Dialogue(MODERN)
    listener = d.tcp.listen(None, PORT)
    d.timestamps = True
    d.send("S", seq=0, mss=MSS, window_scale=3, sack_permitted=True)
    d.expect("SA", seq=0, ack=1, mss=MTU - 40, window_scale=7, sack_permitted=True, window=65535)
    assert listener.accept() is None
    assert listener not in d.ready
    d.send("A", seq=1, ack=1, window=1000)
    assert listener in d.ready
    connection = listener.accept()
    assert connection is not None
    assert connection.connected
    assert (connection.local, connection.remote) == ((HERE, PORT), (PEER, PEER_PORT))
    assert connection.sender.window_edge == connection.sender.una + 8000
    assert listener.accept() is None
    d.expect_nothing(until=10 * SECOND)


@pytest.mark.parametrize("feature", ["timestamps", "sack_permitted", "window_scale"])
def test_syn_ack_offers_only_what_was_offered(feature: str) -> None:
    d = Dialogue(MODERN)
    d.tcp.listen(None, PORT)
    d.timestamps = feature == "timestamps"
    d.send(
        "S",
        mss=MSS,
        sack_permitted=feature == "sack_permitted",
        window_scale=2 if feature == "window_scale" else None,
    )
    answer = d.expect("SA", seq=0, ack=1)
    assert (answer.timestamp is not None) == (feature == "timestamps")
    assert answer.sack_permitted == (feature == "sack_permitted")
    assert (answer.window_scale is not None) == (feature == "window_scale")


def test_a_window_is_scaled_only_when_both_offered() -> None:
    d, connection = established(MODERN, window_scale=None, timestamp=None)
    d.timestamps = False
    d.send("A", seq=1, ack=1, window=1000)
    assert connection.sender.window_edge == connection.sender.una + 1000
    d.send("A", seq=1, ack=1, payload=b"x" * 2000)
    d.expect("A", seq=1, ack=2001, window=63535, timestamp=None)


def test_scale_above_14_counts_as_14() -> None:
    _, connection = established(MODERN, window_scale=200)
    assert connection.sender.scale == 14


@pytest.mark.parametrize(
    ("offered", "used"), [(None, 536), (MSS - 1, MSS - 1), (9000, MSS), (0, 88)]
)
def test_segment_size(offered: int | None, used: int) -> None:
    """RFC 9293 3.7.1: 536 unless the peer says otherwise, never above our own MTU."""
    d, connection = established(mss=offered)
    connection.send(bytes(MSS * 2))
    d.expect("A", seq=1, ack=1, payload=bytes(used))


def test_syn_retransmission_backs_off_and_gives_up() -> None:
    d, connection = syn_sent()
    for at in (1, 2, 3, 4, 5, 7, 11, 19, 35, 67):
        d.expect("S", seq=0, at=at * SECOND)
    d.expect_nothing(until=130 * SECOND)
    assert in_state(connection, State.SYN_SENT)
    d.expect_nothing(until=131 * SECOND)
    assert connection.closed
    assert not connection.connected
    assert connection.error == errno.ETIMEDOUT
    assert d.tcp.connections() == []


def test_after_a_lost_syn_data_starts_slowly() -> None:
    """RFC 6298 (5.7): three seconds; RFC 6928 2: one segment, when it was lost twice."""
    d, connection = syn_sent()
    d.expect("S", seq=0, at=SECOND)
    d.expect("S", seq=0, at=2 * SECOND)
    d.run(3 * SECOND - 1)
    d.send("SA", seq=0, ack=1, mss=MSS)
    d.expect("A", seq=1, ack=1)
    connection.send(bytes(3 * MSS))
    d.expect("A", seq=1, ack=1, payload=bytes(MSS))
    d.expect_nothing(until=6 * SECOND - 2)
    d.expect("A", seq=1, ack=1, payload=bytes(MSS), at=6 * SECOND - 1)


def repeated_handshake(passive: bool, times: int, answered: int) -> tuple[Dialogue, TcpSocket]:
    """Repeated by timer; 20 ms after the last the peer answers that one, or one before."""
    if passive:
        d, connection = syn_received(MODERN)
    else:
        d, connection = syn_sent(MODERN)
        d.timestamps = True
    stamps = [connection.transmitter.clock(d.now)]
    for at in ((1, 3) if passive else (1, 2))[:times]:
        d.expect("SA" if passive else "S", seq=0, ack=1 if passive else None, at=at * SECOND)
        stamps.append(connection.transmitter.clock(d.now))
    d.after(20 * MILLISECOND)
    if passive:
        d.send("A", seq=1, ack=1, timestamp_echo=stamps[answered])
    else:
        d.send("SA", ack=1, mss=MSS, sack_permitted=True, timestamp_echo=stamps[answered])
        d.expect("A", seq=1, ack=1)
    return d, connection


@pytest.mark.parametrize("passive", [False, True])
@pytest.mark.parametrize(("answered", "ms"), [(0, 1020), (1, 20)])
def test_the_timestamp_of_a_repeated_handshake_is_a_sample(
    passive: bool, answered: int, ms: int
) -> None:
    """RFC 7323 4.1, whichever it answers; RFC 6298 (5.7) asks for three seconds only where there
    is none."""
    d, connection = repeated_handshake(passive, 1, answered)
    assert connection.sender.round_trip.smoothed == ms * MILLISECOND
    assert connection.sender.round_trip.timeout == (ms + max(200, 2 * ms)) * MILLISECOND
    connection.send(bytes(20 * MSS))
    d.run(d.now)
    assert len(d.sent) == 10


@pytest.mark.parametrize("passive", [False, True])
@pytest.mark.parametrize(("answered", "segments"), [(0, 10), (1, 1), (2, 1)])
def test_a_handshake_that_was_repeated_without_need_lowers_no_window(
    passive: bool, answered: int, segments: int
) -> None:
    """The first was answered, late: none was lost (Linux: tcp_try_undo_spurious_syn)."""
    d, connection = repeated_handshake(passive, 2, answered)
    connection.send(bytes(20 * MSS))
    d.run(d.now)
    assert len(d.sent) == segments


def test_a_syn_ack_that_was_asked_for_again_is_ambiguous() -> None:
    """No timer went off, but it left twice (Karn's algorithm)."""
    d, connection = syn_received(MODERN)
    d.after(500 * MILLISECOND)
    d.send("S", seq=0, mss=MSS)
    again = d.expect("SA", seq=0, ack=1)
    d.after(20 * MILLISECOND)
    d.send("A", seq=1, ack=1, timestamp_echo=again.timestamp)
    assert connection.sender.round_trip.smoothed == 20 * MILLISECOND


@pytest.mark.parametrize(("ago", "is_refused"), [(-10, True), (0, False), (20, False), (21, True)])
def test_a_syn_ack_echoes_a_syn_of_ours(ago: int, is_refused: bool) -> None:
    """Else it is of a connection before, and refused as Linux does."""
    d, connection = syn_sent(MODERN)
    d.timestamps = True
    d.after(20 * MILLISECOND)
    now = connection.transmitter.clock(d.now)
    d.send("SA", seq=0, ack=1, mss=MSS, timestamp_echo=now - ago & 0xFFFFFFFF)
    if is_refused:
        d.expect("R", seq=1)
        assert in_state(connection, State.SYN_SENT)
        assert d.tcp.counters.old_timestamps == 1
    else:
        d.expect("A", seq=1, ack=1)


def test_syn_ack_is_repeated_by_timer_and_by_request() -> None:
    d, connection = syn_received()
    d.run(SECOND // 2)
    d.send("S", seq=0, mss=MSS)
    d.expect("SA", seq=0, ack=1)
    d.expect("SA", seq=0, ack=1, at=SECOND)
    d.expect("SA", seq=0, ack=1, at=3 * SECOND)
    d.expect("SA", seq=0, ack=1, at=7 * SECOND)
    d.expect("SA", seq=0, ack=1, at=15 * SECOND)
    d.expect("SA", seq=0, ack=1, at=31 * SECOND)
    d.expect_nothing(until=64 * SECOND)
    assert connection.closed
    assert d.tcp.connections() == []


def test_refused() -> None:
    d, connection = syn_sent()
    d.send("RA", seq=0, ack=1)
    assert connection.closed
    assert connection.error == errno.ECONNREFUSED
    assert connection in d.ready
    d.expect_nothing(until=SECOND * 10)


def test_reset_that_acknowledges_nothing_of_ours_does_not_refuse() -> None:
    d, connection = syn_sent()
    d.send("R", seq=0)
    d.send("RA", seq=0, ack=2)
    d.send("RA", seq=0, ack=0)
    assert in_state(connection, State.SYN_SENT)
    assert d.sent == []


def test_old_duplicate_syn_ack_is_reset() -> None:
    """RFC 9293 3.5, figure 8: SEG.ACK not acceptable, so SEQ = SEG.ACK, RST."""
    d, connection = syn_sent()
    d.send("SA", seq=0, ack=-500)
    d.expect("R", seq=-500)
    assert in_state(connection, State.SYN_SENT)
    # What the peer had left is gone, so it is asked again, once.
    d.expect("S", seq=0, at=2 * MILLISECOND)
    d.send("SA", seq=0, ack=-500)
    d.expect("R", seq=-500)
    d.expect_nothing(until=SECOND)


def test_simultaneous_open() -> None:
    """RFC 9293 3.5, figure 7; the last acknowledgement is Linux's."""
    d, connection = syn_sent()
    d.send("S", seq=0, mss=MSS)
    d.expect("SA", seq=0, ack=1)
    assert in_state(connection, State.SYN_RECEIVED)
    d.send("SA", seq=0, ack=1, mss=MSS)
    d.expect("A", seq=1, ack=1)
    assert in_state(connection, State.ESTABLISHED)
    assert connection.connected
    connection.send(b"hello")
    d.expect("PA", seq=1, ack=1, payload=b"hello")


def test_simultaneous_open_completed_by_a_plain_ack() -> None:
    d, connection = syn_sent()
    d.send("S", seq=0, mss=MSS)
    d.expect("SA", seq=0, ack=1)
    d.send("A", seq=1, ack=1)
    assert in_state(connection, State.ESTABLISHED)


def test_simultaneous_open_refused() -> None:
    d, connection = syn_sent()
    d.send("S", seq=0)
    d.expect("SA", seq=0, ack=1)
    d.send("R", seq=1)
    assert connection.error == errno.ECONNREFUSED


def test_data_on_syn_ack_and_on_the_last_ack() -> None:
    d, connection = syn_sent()
    d.send("SA", seq=0, ack=1, payload=b"early", mss=MSS)
    d.expect("A", seq=1, ack=6)
    assert connection.receive() == b"early"
    d, connection = syn_received()
    d.send("PA", seq=1, ack=1, payload=b"question")
    assert in_state(connection, State.ESTABLISHED)
    assert connection.readable_bytes == 8


def test_what_was_written_before_the_handshake_leaves_with_its_last_ack() -> None:
    d, connection = syn_sent()
    connection.send(b"first")
    d.expect_nothing()
    d.send("SA", seq=0, ack=1)
    d.expect("PA", seq=1, ack=1, payload=b"first")


def test_half_close_before_the_handshake() -> None:
    d, connection = syn_sent()
    connection.send(b"all")
    connection.shutdown()
    d.send("SA", seq=0, ack=1)
    d.expect("FPA", seq=1, ack=1, payload=b"all")
    assert in_state(connection, State.FIN_WAIT_1)


def test_close_in_syn_sent_forgets() -> None:
    d, connection = syn_sent()
    connection.close()
    assert connection.closed
    assert connection.error is None
    d.expect_nothing(until=5 * SECOND)
    d.send("SA", seq=0, ack=1)
    d.expect("R", seq=1)


def test_reset_in_syn_received_returns_to_listen() -> None:
    d, connection = syn_received()
    d.send("R", seq=1)
    assert connection.closed
    assert d.tcp.connections() == []
    d.send("S", seq=0)
    d.expect("SA", seq=0, ack=1)


def test_bad_ack_in_syn_received_is_reset() -> None:
    d, connection = syn_received()
    d.send("A", seq=1, ack=77)
    d.expect("R", seq=77)
    assert in_state(connection, State.SYN_RECEIVED)


def test_segments_for_nobody() -> None:
    """RFC 9293 3.10.7.1"""
    d = Dialogue()
    d.iss = 0
    d.send("S", seq=0)
    d.expect("RA", seq=0, ack=1)
    d.send("A", seq=5, ack=77)
    d.expect("R", seq=77)
    d.send("FP", seq=5, payload=b"xyz")
    d.expect("RA", seq=0, ack=9)
    d.send("R", seq=0)
    d.expect_nothing()
    assert d.tcp.counters.resets_out == 3


def test_listen_refuses_what_is_no_syn() -> None:
    """RFC 9293 3.10.7.2"""
    d = Dialogue()
    d.tcp.listen(HERE, PORT)
    d.send("A", seq=5, ack=77)
    d.expect("R", seq=77)
    d.send("R", seq=5)
    d.send("F", seq=5)
    d.send("", seq=5, payload=b"stray")
    d.expect_nothing()
    assert d.tcp.connections() == []


def test_no_answer_to_a_broadcast_syn() -> None:
    d = Dialogue()
    d.tcp.listen(None, PORT)
    from netsim.wire.checksum import pseudo_header_sum
    from netsim.wire.tcp import SYN, TcpSegment

    for everybody in (b"\xff" * 4, bytes((224, 0, 0, 1))):
        syn = TcpSegment(PEER_PORT, PORT, 1, 0, SYN, 1000)
        data = syn.pack(pseudo_header_sum(PEER, everybody, 6))
        d.tcp.receive(ip_header(PEER, everybody), data, 0)
    assert d.sent == []


def flooded(settings: TcpSettings) -> tuple[Dialogue, Listener]:
    """A listener whose table of half-open connections is full."""
    d = Dialogue(replace(settings, syn_backlog=2))
    listener = d.tcp.listen(None, PORT)
    for port in (1, 2):
        d.peer_port = port
        d.send("S", seq=0)
    d.sent.clear()
    d.peer_port = 3
    return d, listener


@pytest.mark.parametrize("modern", [True, False])
def test_beyond_the_backlog_cookies_complete_the_handshake(modern: bool) -> None:
    """RFC 4987 3.6: nothing is kept, and options come back in the timestamp."""
    d, listener = flooded(MODERN if modern else PLAIN)
    d.timestamps = modern
    offers: dict[str, Any] = {"sack_permitted": True, "window_scale": 7} if modern else {}
    d.send("S", seq=0, mss=1300, **offers)
    answer = d.expect("SA", seq=0, ack=1, mss=MSS)
    assert (answer.window_scale is not None, answer.sack_permitted) == (modern, modern)
    assert len(d.tcp.connections()) == 2
    d.after(50 * MILLISECOND)
    d.send("A", seq=1, ack=1, window=200)
    d.send("PA", seq=1, ack=1, payload=b"hello", window=200)
    connection = listener.accept()
    assert connection is not None
    assert connection.receive() == b"hello"
    assert connection.peer_mss == 1300
    assert connection.transmitter.sack == connection.transmitter.timestamps == modern
    assert connection.sender.window_edge - connection.sender.una == (200 << 7 if modern else 200)
    assert (d.tcp.counters.cookies_sent, d.tcp.counters.cookies_returned) == (1, 1)
    d.sent.clear()
    connection.send(b"answer")
    d.expect("PA", seq=1, ack=6, payload=b"answer")
    # The echo has options in its last bits, and tells the time to 64 ms.
    smoothed = connection.sender.round_trip.smoothed
    assert 50 * MILLISECOND <= smoothed < 114 * MILLISECOND if modern else smoothed == 0


@pytest.mark.parametrize("how", ["guessed", "late", "never given"])
def test_what_is_no_cookie_is_refused(how: str) -> None:
    d, listener = flooded(PLAIN)
    if how == "never given":
        d = Dialogue(PLAIN)
        listener = d.tcp.listen(None, PORT)
        d.send("A", seq=1, ack=1)
    else:
        d.send("S", seq=0)
        d.expect("SA", seq=0, ack=1)
        d.run(121 * SECOND if how == "late" else 0)
        d.sent.clear()
        d.send("A", seq=1, ack=1 + (how == "guessed"))
    assert d.sent[-1].segment.flags & 4
    assert listener.accept() is None


def test_a_place_that_is_free_again_is_used_without_cookies() -> None:
    d, _ = flooded(PLAIN)
    d.peer_port = 1
    d.send("R", seq=1)
    d.peer_port = 3
    d.send("S", seq=0)
    d.expect("SA", seq=0, ack=1)
    assert d.tcp.counters.cookies_sent == 0


def test_syn_with_fin_is_silence() -> None:
    d = Dialogue()
    d.tcp.listen(None, PORT)
    d.send("SF", seq=0)
    d.expect_nothing()
    assert d.tcp.connections() == []


def test_completed_handshakes_leave_the_syn_backlog() -> None:
    d = Dialogue(replace(PLAIN, syn_backlog=1))
    d.tcp.listen(None, PORT)
    for port in (1, 2, 3):
        d.peer_port = port
        d.send("S", seq=0)
        d.expect("SA", seq=0, ack=1)
        d.send("A", seq=1, ack=1)
    assert d.tcp.counters.syn_drops == 0
    assert d.tcp.counters.passive_opens == 3


def test_full_accept_queue_ignores_the_last_ack() -> None:
    d = Dialogue()
    listener = d.tcp.listen(None, PORT, backlog=1)
    for port in (1, 2):
        d.peer_port = port
        d.send("S", seq=0)
        d.expect("SA", seq=0, ack=1)
    d.send("A", seq=1, ack=1)
    second_iss = d.iss
    d.peer_port = 1
    d.tcp.flush(d.now)
    (first,) = [c for c in d.tcp._shared.connections.values() if c.remote[1] == 1]
    d.iss = first.sender.iss & 0xFFFFFFFF
    d.send("A", seq=1, ack=1)
    assert in_state(first, State.SYN_RECEIVED)
    assert d.tcp.counters.accept_drops == 1
    # A third one is not even begun, as in Linux.
    d.peer_port = 3
    d.send("S", seq=0)
    assert d.tcp.counters.syn_drops == 1
    accepted_first = listener.accept()
    assert accepted_first is not None
    assert accepted_first.remote[1] == 2
    assert accepted_first.sender.iss & 0xFFFFFFFF == second_iss
    d.run(SECOND)
    d.sent.clear()
    d.peer_port = 1
    d.iss = first.sender.iss & 0xFFFFFFFF
    d.send("A", seq=1, ack=1)
    assert listener.accept() is first


def test_listener_close_resets_who_was_not_accepted() -> None:
    d = Dialogue()
    listener = d.tcp.listen(None, PORT)
    d.send("S", seq=0)
    d.expect("SA", seq=0, ack=1)
    d.send("A", seq=1, ack=1)
    d.tcp.listeners()
    listener.close(d.now)
    d.expect("RA", seq=1, ack=1)
    assert d.tcp.connections() == []
    assert d.tcp.listeners() == []
    assert listener not in d.ready
    d.iss = 0
    d.send("S", seq=50)
    d.expect("RA", seq=0, ack=51)


def test_accepted_connection_tells_what_came_before() -> None:
    d, _ = syn_received()
    (listener,) = d.tcp._listeners.values()
    d.send("PA", seq=1, ack=1, payload=b"hi")
    assert list(d.ready) == [listener]
    connection = listener.accept()
    assert connection is not None
    assert connection in d.ready
    assert connection.receive() == b"hi"


def test_connection_reset_before_accept_is_still_handed_out() -> None:
    d, connection = syn_received()
    (listener,) = d.tcp._listeners.values()
    d.send("PA", seq=1, ack=1, payload=b"hi")
    d.send("R", seq=3)
    assert listener.accept() is connection
    assert connection.error == errno.ECONNRESET
    assert connection.receive() == b"hi"


def test_ports() -> None:
    d = Dialogue()
    d.tcp.listen(HERE, 80)
    d.tcp.listen(PEER, 80)
    with pytest.raises(AddressInUseError) as caught:
        d.tcp.listen(None, 80)
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(AddressInUseError):
        d.tcp.listen(HERE, 80)
    free = d.tcp.listen(None, 0).local[1]
    assert FIRST_EPHEMERAL <= free <= LAST_EPHEMERAL
    d.tcp.connect((PEER, 80), 0, local=(None, 5555))
    with pytest.raises(AddressInUseError):
        d.tcp.connect((PEER, 80), 0, local=(None, 5555))
    d.tcp.connect((PEER, 81), 0, local=(None, 5555))
    d.wire.reachable = False
    with pytest.raises(NoRouteError):
        d.tcp.connect((PEER, 80), 0)


def test_ephemeral_ports_differ() -> None:
    d = Dialogue()
    ports = {d.tcp.connect((PEER, 80), 0).local[1] for _ in range(200)}
    assert len(ports) == 200
    assert max(ports) - min(ports) > 10_000


def test_initial_sequence_numbers() -> None:
    """RFC 6528: for one pair of endpoints they follow the clock, between pairs they do not."""
    d, first = syn_sent()
    port = first.local[1]
    first.close()
    d.run(4 * MILLISECOND)
    again = d.tcp.connect((PEER, PEER_PORT), d.now, local=(None, port))
    assert (again.sender.iss - first.sender.iss) & 0xFFFFFFFF == 1000
    other = d.tcp.connect((PEER, PEER_PORT + 1), d.now, local=(None, port))
    assert abs(other.sender.iss - again.sender.iss) > 1000


def test_states_named_as_ss_does() -> None:
    d, _ = accepted()
    (view,) = d.tcp.connections()
    assert view.state.value == "ESTAB"
    (listening,) = d.tcp.listeners()
    assert listening.local == (None, PORT)
