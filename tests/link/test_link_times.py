"""When frames depart and arrive: bandwidth, delay, and what a running link makes of a change."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from netsim.core.link_attributes import LinkAttributes
from netsim.core.streams import RandomStreams
from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.link.simplex_link import SimplexLink

MBIT = 1_000_000
FOREVER = 1 << 62


def link_with(attributes: LinkAttributes) -> SimplexLink:
    return SimplexLink(attributes, RandomStreams(1))


def test_a_bare_link_delivers_at_once() -> None:
    link = link_with(LinkAttributes())
    link.enqueue(bytes(60), 5)
    link.enqueue(bytes(1514), 5)
    assert link.next_departure() == 5
    assert link.dequeue(5) == [(5, 5, bytes(60)), (5, 5, bytes(1514))]
    assert link.next_departure() is None
    assert link.dequeue(FOREVER) == []


def test_a_frame_arrives_after_serialisation_and_delay() -> None:
    link = link_with(LinkAttributes(delay_ns=2 * MILLISECOND, bandwidth_bps=100 * MBIT))
    link.enqueue(bytes(1250), SECOND)
    assert link.dequeue(SECOND) == [
        (SECOND, SECOND + 100 * MICROSECOND + 2 * MILLISECOND, bytes(1250))
    ]


def test_frames_wait_for_the_transmitter() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT))
    for size in (100, 200, 300):
        link.enqueue(bytes(size), 0)
    assert [(departs, arrives) for departs, arrives, _ in link.dequeue(FOREVER)] == [
        (0, 100_000),
        (100_000, 300_000),
        (300_000, 600_000),
    ]
    link.enqueue(bytes(100), 450_000)
    link.enqueue(bytes(100), SECOND)
    assert [departs for departs, _, _ in link.dequeue(FOREVER)] == [600_000, SECOND]


def test_only_what_departs_in_time_is_dequeued() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT))
    for size in (100, 101, 102):
        link.enqueue(bytes(size), 0)
    assert link.queued() == 3
    assert link.queued_bytes() == 303
    assert [len(frame) for _, _, frame in link.dequeue(99_999)] == [100]
    assert link.next_departure() == 100_000
    assert link.dequeue(99_999) == []
    assert [len(frame) for _, _, frame in link.dequeue(100_000)] == [101]
    assert link.queued() == 1
    assert link.queued_bytes() == 102
    assert link.next_departure() == 201_000


def test_a_departure_ahead_of_the_horizon_stays_until_its_time() -> None:
    link = link_with(LinkAttributes())
    link.enqueue(bytes(60), 100)
    link.enqueue(bytes(61), 200)
    assert link.dequeue(99) == []
    assert link.dequeue(150) == [(100, 100, bytes(60))]
    assert link.queued() == 1
    assert link.next_departure() == 200
    assert link.dequeue(200) == [(200, 200, bytes(61))]


def test_what_waits_does_not_depend_on_how_far_ahead_it_was_asked() -> None:
    links = [link_with(LinkAttributes(bandwidth_bps=8 * MBIT)) for _ in range(2)]
    for link in links:
        for size in (1000, 500, 200, 100):
            link.enqueue(bytes(size), 0)
    links[0].dequeue(MILLISECOND)
    links[1].dequeue(MILLISECOND + MILLISECOND // 2)
    for link in links:
        assert link.waiting(MILLISECOND - 1) == (3, 800)
        assert link.waiting(MILLISECOND) == (2, 300)


@given(
    st.integers(9_600, 40_000_000_000), st.lists(st.integers(14, 1514), min_size=1, max_size=200)
)
def test_serialisation_does_not_drift(bandwidth: int, sizes: list[int]) -> None:
    link = link_with(LinkAttributes(bandwidth_bps=bandwidth))
    for size in sizes:
        link.enqueue(bytes(size), 0)
    exact = Fraction(0)
    for departs, arrives, frame in link.dequeue(FOREVER):
        assert departs == int(exact)
        exact += Fraction(len(frame) * 8 * SECOND, bandwidth)
        assert arrives == int(exact)


def test_what_waits_feels_a_new_bandwidth_and_what_is_being_sent_does_not() -> None:
    before = LinkAttributes(bandwidth_bps=8 * MBIT)
    link = link_with(before)
    for _ in range(3):
        link.enqueue(bytes(1000), 0)
    link.change(replace(before, bandwidth_bps=80 * MBIT), 400_000)
    assert [(departs, arrives) for departs, arrives, _ in link.dequeue(FOREVER)] == [
        (0, 1_000_000),
        (1_000_000, 1_100_000),
        (1_100_000, 1_200_000),
    ]


def test_what_departed_before_a_change_keeps_its_times_even_if_dequeued_later() -> None:
    before = LinkAttributes(bandwidth_bps=8 * MBIT, delay_ns=100)
    link = link_with(before)
    for _ in range(3):
        link.enqueue(bytes(1000), 0)
    link.change(replace(before, bandwidth_bps=None, delay_ns=200), 1_000_000)
    assert [(departs, arrives) for departs, arrives, _ in link.dequeue(FOREVER)] == [
        (0, 1_000_100),
        (1_000_000, 2_000_100),
        (2_000_000, 2_000_200),
    ]


def test_what_is_sent_after_a_change_may_overtake() -> None:
    """As with tc-netem: a delay of hours is over when the link is reset."""
    link = link_with(LinkAttributes(delay_ns=3600 * SECOND))
    link.enqueue(b"\0" * 60, 0)
    link.change(LinkAttributes(delay_ns=2 * MILLISECOND), 1)
    link.enqueue(b"\1" * 60, 2)
    assert [arrives for _, arrives, _ in link.dequeue(FOREVER)] == [
        3600 * SECOND,
        2 * MILLISECOND + 2,
    ]


def test_nothing_overtakes_when_a_link_is_set_to_what_it_is() -> None:
    attributes = LinkAttributes(delay_ns=50 * MILLISECOND, jitter_ns=50 * MILLISECOND)
    link = link_with(attributes)
    for serial in range(100):
        link.change(attributes, serial)
        link.enqueue(bytes([serial]) * 60, serial)
    arrivals = [arrives for _, arrives, _ in link.dequeue(FOREVER)]
    assert arrivals == sorted(arrivals)


def test_a_cable_pulled_and_plugged_in_again_starts_empty() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT, delay_ns=SECOND))
    link.enqueue(bytes(1000), 0)
    link.enqueue(bytes(1000), 0)
    assert len(link.dequeue(MILLISECOND)) == 2
    link.set_carrier(False, 500_000)
    link.set_carrier(True, 600_000)
    link.enqueue(bytes(1000), 700_000)
    assert link.dequeue(FOREVER) == [(700_000, 700_000 + MILLISECOND + SECOND, bytes(1000))]


@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(14, 1514)), min_size=1),
    st.sampled_from([None, MBIT, 100 * MBIT, 3 * MBIT]),
)
def test_the_transmitter_sends_one_frame_at_a_time_in_order(
    arrivals: list[tuple[int, int]], bandwidth: int | None
) -> None:
    link = link_with(LinkAttributes(bandwidth_bps=bandwidth, delay_ns=17))
    now = 0
    enqueued = []
    for pause, size in arrivals:
        now += pause
        link.enqueue(bytes(size), now)
        enqueued.append((now, size))
    departed = link.dequeue(FOREVER)
    assert [len(frame) for _, _, frame in departed] == [size for _, size in enqueued]
    for (departs, arrives, _), (at, _) in zip(departed, enqueued, strict=True):
        assert at <= departs <= arrives - 17
    for (_, arrives, _), (departs, _, _) in pairwise(departed):
        assert departs >= arrives - 17
