"""The data structures beneath, against the simplest thing that could be right."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.core.time import MICROSECOND, SECOND
from netsim.stack.socket_errors import AddressNotAvailableError
from netsim.stack.tcp.ephemeral_ports import ephemeral_port
from netsim.stack.tcp.isn import SequenceNumbers
from netsim.stack.tcp.out_of_order import Reassembly
from netsim.stack.tcp.receiver import window_scale_for
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.scoreboard import Scoreboard
from netsim.stack.tcp.sent_queue import SentQueue
from netsim.stack.tcp.seq import is_older, unwrap
from netsim.stack.tcp.settings import TcpSettings

ranges = st.tuples(st.integers(0, 300), st.integers(1, 60)).map(lambda r: (r[0], r[0] + r[1]))


@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
def test_unwrap_finds_the_nearest(near: int, distance: int) -> None:
    assert unwrap((near + distance) & 0xFFFFFFFF, near) == near + distance


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**31 - 1))
def test_timestamps_compare_around_the_wrap(value: int, step: int) -> None:
    later = (value + step) & 0xFFFFFFFF
    assert is_older(value, later)
    assert not is_older(later, value)
    assert not is_older(value, value)


@given(st.lists(ranges, max_size=30), ranges, st.integers(0, 360))
def test_scoreboard(blocks: list[tuple[int, int]], asked: tuple[int, int], una: int) -> None:
    board = Scoreboard()
    model: set[int] = set()
    for start, end in blocks:
        news = not set(range(start, end)) <= model
        model |= set(range(start, end))
        assert board.add(start, end) == news
    assert board.octets == len(model)
    assert bool(board) == bool(model)
    start, end = asked
    hole = board.hole(start, end)
    absent = sorted(set(range(start, end)) - model)
    if not absent:
        assert hole is None
    else:
        assert hole is not None
        assert hole[0] == absent[0]
        assert set(range(*hole)) <= set(absent)
        assert hole[1] == end or hole[1] in model
    board.advance(una)
    model = {octet for octet in model if octet >= una}
    assert board.octets == len(model)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("sack"), ranges),
        st.tuples(st.just("lose"), ranges),
        st.tuples(st.just("resend"), ranges),
        st.tuples(st.just("release"), ranges),
    ),
    max_size=30,
)


@given(steps, st.integers(5, 40))
def test_the_accounts_of_the_retransmission_queue_are_right(
    steps: list[tuple[str, tuple[int, int]]], mss: int
) -> None:
    """Whatever comes, the counters say what the segments do."""
    queue = SentQueue()
    for start in range(0, 360, 30):
        queue.append(start, start + 30, start)
    una = 0
    for now, (step, (start, end)) in enumerate(steps, 1000):
        if step == "sack" and una < start < end <= 360:
            queue.sack(start, end)
        elif step == "lose":
            for segment in list(queue.segments):
                if segment.start >= start and segment.end <= end and not segment.sacked:
                    queue.mark_lost(segment)
        elif step == "resend":
            lost = queue.next_lost(mss, 360)
            if lost is not None:
                assert lost.lost
                assert not lost.resent
                assert lost.end - lost.start <= mss
                queue.mark_resent(lost, now)
        elif step == "release" and start > una:
            una = min(start, 360)
            done = queue.release(una)
            assert all(segment.end <= una for segment in done)
        segments = list(queue.segments)
        assert [each.start for each in segments[1:]] == [each.end for each in segments[:-1]]
        assert not segments or (segments[0].start, segments[-1].end) == (una, 360)
        size = {each: each.end - each.start for each in segments}
        assert queue.lost == sum(size[each] for each in segments if each.lost)
        assert queue.resent == sum(size[each] for each in segments if each.resent)
        assert queue.pending == sum(
            size[each] for each in segments if each.lost and not each.resent
        )
        assert queue.board.octets == sum(size[each] for each in segments if each.sacked)
        assert queue.sacked_segments == sum(each.sacked for each in segments)
        assert queue.resent_ever == sum(each.resent_once for each in segments)
        flying = [each for each in segments if not each.sacked and (each.resent or not each.lost)]
        assert sorted(queue.by_time()) == [each.start for each in flying]
        times = [each.sent_at for each in queue.by_time().values()]
        assert times == sorted(times)


@given(st.lists(ranges, max_size=30), st.integers(0, 50))
def test_reassembly(pieces: list[tuple[int, int]], upto: int) -> None:
    data = bytes(index % 251 for index in range(400))
    queue = Reassembly()
    model: set[int] = set()
    for start, end in pieces:
        fresh = not set(range(start, end)) <= model
        model |= set(range(start, end))
        assert queue.add(start, data[start:end]) is fresh
        assert queue.octets == len(model)
        first = queue.blocks(4)[0]
        assert first[0] <= start < end <= first[1]
        assert all(set(range(*block)) <= model for block in queue.blocks(4))
    continuing = b"".join(queue.take(upto))
    end = upto
    while end in model:
        end += 1
    # What begins at or before `upto` and what joins it without a gap is taken.
    assert continuing == data[upto : upto + len(continuing)]
    assert len(continuing) == end - upto
    assert queue.octets == len({octet for octet in model if octet >= end})


def test_window_scale() -> None:
    assert [window_scale_for(size) for size in (1, 65535, 65536, 4 << 20, 1 << 40)] == [
        0,
        0,
        1,
        7,
        14,
    ]


def test_round_trip_is_never_zero() -> None:
    trip = RoundTrip(TcpSettings())
    trip.sample(0)
    assert trip.smoothed == MICROSECOND
    assert trip.timeout > 200_000_000


def test_backing_off_is_bounded() -> None:
    trip = RoundTrip(TcpSettings())
    for _ in range(100):
        trip.back_off()
    assert trip.timeout == 120 * SECOND
    assert trip.backed_off(1000) == 120 * SECOND


def test_sequence_numbers_depend_on_secret_endpoints_and_time() -> None:
    one, other = SequenceNumbers(Random(1)), SequenceNumbers(Random(2))
    assert one.initial(b"a", 0) == SequenceNumbers(Random(1)).initial(b"a", 0)
    assert one.initial(b"a", 0) != other.initial(b"a", 0)
    assert one.initial(b"a", 0) != one.initial(b"b", 0)
    assert one.timestamp_offset(b"a") != one.initial(b"a", 0)


def test_ports_run_out() -> None:
    assert ephemeral_port(Random(1), lambda port: port == 40_000) == 40_000
    with pytest.raises(AddressNotAvailableError):
        ephemeral_port(Random(1), lambda port: False)
