"""How much a program may write: what Linux takes into a send buffer. `tests/kernel` compares it
with the kernel of the day; here are figures that can be reckoned."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tcp_dialogue import MODERN, MSS, PLAIN, Dialogue, established

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket

SEGMENT = 2048 + 256
"""Memory that is reckoned for a segment of 1000 octets: with headers it is rounded up."""
BUFFER = 832
"""What a buffer takes beside what is in it."""
WHOLE = 32 * MSS
"""A buffer holds no more than half of the peer's window."""
ROUND_TRIP = 20 * MILLISECOND
"""So long that no more than two segments leave in one buffer."""


def fill(connection: TcpSocket) -> int:
    """Write what there is room for."""
    room = connection.send_room
    connection.send(bytes(room))
    return room


def acknowledge(d: Dialogue, connection: TcpSocket) -> None:
    """One segment more has arrived, long after it left."""
    d.after(ROUND_TRIP)
    sender = connection.sender
    d.send("A", seq=1, ack=sender.una - sender.iss + sender.mss)


def test_what_may_leave_leaves_and_what_waits_fills_a_buffer() -> None:
    _, connection = established(rtt=ROUND_TRIP)
    assert connection.send_buffer_limit == 2 * SEGMENT * 10
    assert fill(connection) == 10 * MSS + WHOLE
    # 42,000 octets and six buffers: still less than 46,080 are taken, so another is begun.
    assert 42_000 + 6 * BUFFER > 2 * SEGMENT * 10
    assert connection.send_room == 0
    assert not connection.makes_room()


def test_the_limit_grows_with_the_window_and_stays_when_that_shrinks() -> None:
    d, connection = established(rtt=ROUND_TRIP)
    fill(connection)
    while not connection.makes_room():
        acknowledge(d, connection)
    window = connection.sender.congestion.window // MSS
    assert window > 12
    grown = connection.send_buffer_limit
    assert grown == 2 * SEGMENT * window
    fill(connection)
    d.after(2 * SECOND)  # nothing is acknowledged
    assert connection.sender.congestion.window == MSS
    connection.makes_room()
    assert connection.send_buffer_limit == grown


def test_who_waits_is_woken_when_a_third_is_free() -> None:
    d, connection = established(rtt=ROUND_TRIP)
    connection.fix_send_buffer(30_000)
    assert connection.send_buffer_limit == 60_000
    fill(connection)
    assert connection.buffered_bytes > 60_000
    while not connection.makes_room():
        acknowledge(d, connection)
    # In flight, every second segment has brought a buffer with it.
    taken = connection.buffered_bytes // MSS * (MSS + BUFFER / 2)
    assert 40_000 - MSS - BUFFER <= taken <= 40_000


@pytest.mark.parametrize("settings", [PLAIN, MODERN])
def test_it_never_grows_beyond_the_most(settings: TcpSettings) -> None:
    d, connection = established(replace(settings, send_buffer=100_000), rtt=ROUND_TRIP)
    for _ in range(60):
        if connection.makes_room():
            fill(connection)
        acknowledge(d, connection)
    assert connection.send_buffer_limit == 100_000
