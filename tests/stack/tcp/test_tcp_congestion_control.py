"""CUBIC (RFC 9438), HyStart++ (RFC 9406), and what Reno and CUBIC have in common."""

from __future__ import annotations

import pytest

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.congestion import CongestionControl, named
from netsim.stack.tcp.cubic import Cubic
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.settings import TcpSettings

MSS = 1000


def round_trip(rtt_ns: int) -> RoundTrip:
    trip = RoundTrip(TcpSettings())
    trip.sample(rtt_ns)
    return trip


def grow(cubic: CongestionControl, rtt_ns: int, begin: int, until: int) -> list[float]:
    """Windows in segments at the end of each round trip, everything acknowledged."""
    windows = []
    now = begin
    while now < until:
        now += rtt_ns
        left = cubic.window
        while left > 0:
            cubic.acknowledged(min(2 * MSS, left), cubic.window, True, now)
            left -= 2 * MSS
        windows.append(cubic.window / MSS)
    return windows


def test_the_window_comes_back_after_k_seconds_and_then_probes() -> None:
    """RFC 9438 4.2: K = cbrt((W_max - cwnd) / C), and W_cubic(t) around it."""
    rtt = 100 * MILLISECOND
    cubic = Cubic(MSS, 10 * MSS, round_trip(rtt))
    cubic.window = 1000 * MSS
    cubic.reduce(1000 * MSS, 0)
    cubic.recovered(0)
    assert cubic.window == cubic.threshold == 700 * MSS
    k = (300 / 0.4) ** (1 / 3)
    windows = grow(cubic, rtt, 0, 20 * SECOND)
    for seconds in (3, 6, 9, 12, 18):
        # What is acknowledged at t grows towards where the function will be a round trip later.
        expected = 0.4 * (seconds - k) ** 3 + 1000
        assert windows[10 * seconds - 1] == pytest.approx(expected, rel=0.02)
    assert windows[int(10 * k)] == pytest.approx(1000, rel=0.01)
    assert max(windows[: int(10 * k)]) <= 1000.5


def test_on_a_short_path_it_grows_as_reno_would() -> None:
    """RFC 9438 4.3: alpha segments in each round trip."""
    rtt = 5 * MILLISECOND
    cubic = Cubic(MSS, 10 * MSS, round_trip(rtt))
    cubic.window = 20 * MSS
    cubic.reduce(20 * MSS, 0)
    cubic.recovered(0)
    windows = grow(cubic, rtt, 0, 20 * rtt)
    assert windows[-1] - 14 == pytest.approx(20 * 3 * 0.3 / 1.7, rel=0.15)


def test_a_flow_whose_window_shrinks_makes_room() -> None:
    """RFC 9438 4.7, fast convergence"""
    cubic = Cubic(MSS, 10 * MSS, round_trip(100 * MILLISECOND))
    cubic.window = 100 * MSS
    cubic.reduce(100 * MSS, 0)
    cubic.recovered(0)
    cubic.reduce(70 * MSS, SECOND)
    cubic.recovered(SECOND)
    assert cubic._last_max == pytest.approx(70 * 0.85)


def test_what_was_a_mistake_is_forgotten() -> None:
    """RFC 9438 4.9.1"""
    cubic = Cubic(MSS, 10 * MSS, round_trip(100 * MILLISECOND))
    cubic.window = 100 * MSS
    cubic.reduce(100 * MSS, 0)
    cubic.recovered(0)
    cubic.reduce(70 * MSS, SECOND)
    cubic.timed_out(0, SECOND)
    assert cubic.window == MSS
    cubic.undo(70 * MSS, 70 * MSS)
    assert cubic.window == cubic.threshold == 70 * MSS
    assert cubic._last_max == 100


@pytest.mark.parametrize("name", ["cubic", "reno"])
def test_a_window_that_is_not_used_does_not_grow(name: str) -> None:
    """RFC 7661 3, RFC 9438 5.8"""
    control = named(name)(MSS, 10 * MSS, round_trip(10 * MILLISECOND))
    for index in range(100):
        control.acknowledged(MSS, MSS, False, index * MILLISECOND)
    assert control.window == 10 * MSS
    control.threshold = 10 * MSS
    for index in range(100):
        control.acknowledged(MSS, MSS, False, index * MILLISECOND)
    assert control.window == 10 * MSS


@pytest.mark.parametrize("name", ["cubic", "reno"])
def test_windows_are_never_less_than_they_may_be(name: str) -> None:
    """RFC 5681 3.1, RFC 9438 4.6: two segments for the threshold, one after a timeout."""
    control = named(name)(MSS, 10 * MSS, round_trip(10 * MILLISECOND))
    for _ in range(5):
        control.reduce(MSS, 0)
        control.recovered(0)
        assert control.window == control.threshold == 2 * MSS
    control.timed_out(0, 0)
    assert control.window == MSS
    control.restart_after_idle(0)
    assert control.window == MSS


def slow_start(rtts_ns: list[int]) -> Cubic:
    """Rounds with these round-trip times, from ten segments."""
    trip = round_trip(rtts_ns[0])
    cubic = Cubic(MSS, 10 * MSS, trip)
    now = 0
    for rtt in rtts_ns:
        now += rtt
        flight = cubic.window
        for _ in range(flight // MSS):
            trip.sample(rtt)
            cubic.acknowledged(MSS, flight, True, now)
    return cubic


def test_slow_start_doubles_while_the_round_trip_time_stays() -> None:
    cubic = slow_start([20 * MILLISECOND] * 5)
    assert cubic.window == 320 * MSS
    assert cubic.window < cubic.threshold


def test_slow_start_slows_down_and_ends_when_a_queue_builds_up() -> None:
    """RFC 9406 4.2: four times slower, and after five rounds congestion avoidance."""
    rtts = [20 * MILLISECOND] * 3 + [30 * MILLISECOND] * 2
    cubic = slow_start(rtts)
    assert cubic._hystart is not None
    assert cubic._hystart.cautious
    assert cubic.window < 10 * MSS << 5
    cubic = slow_start(rtts + [30 * MILLISECOND] * 6)
    assert cubic.window >= cubic.threshold
    assert cubic._hystart is None


def test_a_round_trip_time_that_falls_again_was_no_queue() -> None:
    cubic = slow_start([20 * MILLISECOND] * 3 + [30 * MILLISECOND] + [20 * MILLISECOND] * 2)
    assert cubic._hystart is not None
    assert not cubic._hystart.cautious


def test_slow_start_ends_when_acknowledgements_fill_half_a_round_trip() -> None:
    """HyStart's ACK train: the first of each burst find the queue empty."""
    trip = round_trip(20 * MILLISECOND)
    cubic = Cubic(MSS, 10 * MSS, trip)
    start = 0
    while cubic.window < cubic.threshold:
        start += 20 * MILLISECOND
        flight = cubic.window
        for index in range(flight // MSS):  # a path that takes 170 segments in a round trip
            trip.sample(20 * MILLISECOND)
            cubic.acknowledged(MSS, flight, True, start + index * 20 * MILLISECOND // 170)
    assert 170 < cubic.window / MSS < 260


def test_names() -> None:
    with pytest.raises(ValueError, match="there are: cubic, reno"):
        named("bbr")
