"""Bandwidth from a trace of delivery opportunities, and what each frame costs beyond its bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import (
    CodelQueue,
    FqCodelQueue,
    PieQueue,
    Queue,
    QueueLimit,
    RedQueue,
)
from netsim.core.streams import RandomStreams
from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.link.simplex_link import SimplexLink

FOREVER = 1 << 62
ETHERNET = 14
FULL_FRAME = ETHERNET + 1500


def trace(*times: int) -> BandwidthTrace:
    return BandwidthTrace("some.mahi", times)


def link_with(attributes: LinkAttributes) -> SimplexLink:
    return SimplexLink(attributes, RandomStreams(1))


def arrivals(link: SimplexLink, until: int = FOREVER) -> list[int]:
    return [arrives for _, arrives, _ in link.dequeue(until)]


def mahimahi(times: tuple[int, ...], packets: list[tuple[int, int]]) -> list[int]:
    """When each of the packets (ns at which it comes, octets) has been delivered: `rationalize` of
    mahimahi's LinkQueue, word for word."""
    waiting = deque(packets)
    delivered: list[int] = []
    in_transit = 0
    for opportunity in (
        (base * times[-1] + time) * MILLISECOND for base in count() for time in times
    ):
        left = 1500
        while left > 0:
            if not in_transit:
                if not waiting or waiting[0][0] > opportunity:
                    break
                in_transit = waiting.popleft()[1]
            sent = min(left, in_transit)
            in_transit -= sent
            left -= sent
            if not in_transit:
                delivered.append(opportunity)
        if len(delivered) == len(packets):
            return delivered
    raise AssertionError


def test_a_full_packet_takes_an_opportunity_and_the_trace_repeats() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=trace(2, 5, 5, 10)))
    for _ in range(7):
        link.enqueue(bytes(FULL_FRAME), 0)
    expected = [2, 5, 5, 10, 12, 15, 15]
    assert arrivals(link) == [ms * MILLISECOND for ms in expected]


def test_small_packets_share_an_opportunity_and_large_ones_take_several() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=trace(1, 2, 3, 4), mtu=9000))
    for octets in (500, 500, 500, 4000, 500):
        link.enqueue(bytes(ETHERNET + octets), 0)
    assert arrivals(link) == [ms * MILLISECOND for ms in (1, 1, 1, 4, 4)]


def test_an_opportunity_for_which_nothing_waits_is_lost() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=trace(1, 2, 3, 10), delay_ns=MILLISECOND))
    link.enqueue(bytes(ETHERNET + 100), 0)
    # What was left of the first opportunity is gone, and so is the second.
    link.enqueue(bytes(FULL_FRAME), 2 * MILLISECOND + 1)
    assert arrivals(link) == [2 * MILLISECOND, 4 * MILLISECOND]
    link.enqueue(bytes(FULL_FRAME), 25 * MILLISECOND)
    assert arrivals(link) == [31 * MILLISECOND]


@given(
    times=st.lists(st.integers(0, 40), min_size=1, max_size=12).map(sorted),
    packets=st.lists(
        st.tuples(st.integers(0, 30_000), st.sampled_from([28, 700, 1500])), min_size=1, max_size=30
    ),
)
def test_packets_leave_when_mahimahi_lets_them(
    times: list[int], packets: list[tuple[int, int]]
) -> None:
    times[-1] += 1
    recorded = tuple(times)
    link = link_with(LinkAttributes(bandwidth_bps=BandwidthTrace("some.mahi", recorded)))
    now = 1  # never at a whole ms: mahimahi lets the opportunity go by that a packet meets exactly
    came = []
    for pause, octets in packets:
        now += pause * MICROSECOND
        came.append((now, octets))
        link.enqueue(bytes(ETHERNET + octets), now)
    assert arrivals(link) == mahimahi(recorded, came)


QUEUES: list[Queue] = [
    QueueLimit(packets=1000),
    CodelQueue(),
    FqCodelQueue(),
    RedQueue(),
    PieQueue(),
]


@pytest.mark.parametrize("queue", QUEUES)
def test_every_discipline_works_before_a_trace(queue: Queue) -> None:
    link = link_with(LinkAttributes(bandwidth_bps=trace(*range(1, 101)), queue=queue))
    for number in range(500):
        link.enqueue(bytes(FULL_FRAME), number * 2 * MILLISECOND + 1)
        link.dequeue(number * 2 * MILLISECOND + 1)
    link.dequeue(FOREVER)
    assert link.counters.handed_over == 500


def test_a_change_of_something_else_does_not_give_an_opportunity_twice() -> None:
    before = LinkAttributes(bandwidth_bps=trace(1, 2, 3))
    link = link_with(before)
    link.enqueue(bytes(FULL_FRAME), 0)
    assert arrivals(link, until=0) == [MILLISECOND]
    link.change(replace(before, delay_ns=0, loss=0.0, duplicate=0.5), MILLISECOND)
    link.enqueue(bytes(FULL_FRAME), MILLISECOND)
    assert arrivals(link)[0] == 2 * MILLISECOND


def test_from_a_rate_to_a_trace_and_back() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=FULL_FRAME * 8 * 1000))
    link.change(LinkAttributes(bandwidth_bps=trace(20)), 5 * MILLISECOND)
    link.enqueue(bytes(FULL_FRAME), 5 * MILLISECOND)
    assert arrivals(link) == [20 * MILLISECOND]
    link.change(LinkAttributes(bandwidth_bps=FULL_FRAME * 8 * 1000), 25 * MILLISECOND)
    link.enqueue(bytes(FULL_FRAME), 25 * MILLISECOND)
    assert arrivals(link) == [26 * MILLISECOND]


def test_a_cable_that_was_pulled_takes_the_opportunities_that_come_then() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=trace(10, 20)))
    link.enqueue(bytes(FULL_FRAME), 0)
    link.set_carrier(False, 2 * MILLISECOND)
    link.set_carrier(True, 3 * MILLISECOND)
    link.enqueue(bytes(FULL_FRAME), 4 * MILLISECOND)
    assert arrivals(link) == [10 * MILLISECOND]


# Overhead -------------------------------------------------------------------------------------


def rate_of_payload(attributes: LinkAttributes) -> float:
    """bit/s of what TCP with timestamps carries in full frames."""
    link = link_with(attributes)
    for _ in range(1000):
        link.enqueue(bytes(FULL_FRAME), 0)
    return 1000 * 1448 * 8 * SECOND / arrivals(link)[-1]


def test_what_bandwidth_counts() -> None:
    """docs/topology.md says these figures: 100mbit without overhead, and as a real cable has it."""
    plain = LinkAttributes(bandwidth_bps=100_000_000)
    assert rate_of_payload(plain) == pytest.approx(95.6e6, abs=0.05e6)
    assert rate_of_payload(replace(plain, overhead=24)) == pytest.approx(94.1e6, abs=0.05e6)


def test_with_overhead_short_frames_are_padded() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8_000_000, overhead=24))
    for octets in (42, 60, 61):
        link.enqueue(bytes(octets), 0)
    assert arrivals(link) == [84_000, 168_000, 253_000]
    plain = link_with(LinkAttributes(bandwidth_bps=8_000_000))
    plain.enqueue(bytes(42), 0)
    assert arrivals(plain) == [42_000]


def test_overhead_counts_before_a_trace_too() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=trace(1, 2, 3), overhead=38))
    for octets in (1462, 1500):
        link.enqueue(bytes(ETHERNET + octets), 0)
    assert arrivals(link) == [MILLISECOND, 3 * MILLISECOND]
