"""What CoDel, FQ-CoDel and RED do to queues, and the link around them."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_runs import FOREVER, MBIT, TEN_MBIT_FRAME, Run, flow_of, frame_of, link_with, serial_of

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import (
    CodelQueue,
    FqCodelQueue,
    PieQueue,
    Queue,
    QueueLimit,
    RedQueue,
)
from netsim.core.time import MILLISECOND, SECOND
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import EARLY, mark_ce
from netsim.link.red import Red
from netsim.wire import ipv4
from netsim.wire.checksum import is_valid

# CoDel ----------------------------------------------------------------------------------------


def test_codel_keeps_the_queue_short_where_drop_tail_fills_it() -> None:
    def waits(queue: Queue) -> list[int]:
        run = Run(link_with(queue))
        for number in range(20_000):
            run.send(int(number * MILLISECOND / 1.05))
        return run.waits[1][-5000:]

    assert mean(waits(QueueLimit(packets=500))) > 400 * MILLISECOND
    assert mean(waits(CodelQueue())) < 100 * MILLISECOND


def test_codel_drops_nothing_of_a_burst_that_drains_within_an_interval() -> None:
    run = Run(link_with(CodelQueue()))
    for _ in range(90):
        run.send(0)
    run.until(SECOND)
    assert run.link.counters.dropped == {}


def test_beyond_the_limit_codel_drops_what_comes() -> None:
    run = Run(link_with(CodelQueue(limit=QueueLimit(packets=10))))
    for _ in range(30):
        run.send(0)
    assert run.link.counters.dropped == {"queue": 19}


@pytest.mark.parametrize(
    "queue",
    [CodelQueue(ecn=True), FqCodelQueue(), RedQueue(ecn=True, weight=0.05), PieQueue(ecn=True)],
)
def test_senders_that_can_tell_are_marked_and_others_are_dropped(queue: Queue) -> None:
    for tos, marks in ((0b10, True), (0b01, True), (0, False)):
        run = Run(link_with(queue))
        for number in range(3000):
            run.send(int(number * MILLISECOND / 1.3), tos=tos)
        run.until(10 * SECOND)
        counters = run.link.counters
        marked = [frame for _, _, frame in run.departures if frame[15] & 3 == 3]
        assert len(marked) == counters.marked
        assert (counters.marked > 0) is marks
        if marks:
            assert all(is_valid(frame[14:34]) for frame in marked)
            # RED drops where its average is twice the upper threshold, PIE above 10 % (5.1).
            if not isinstance(queue, (RedQueue, PieQueue)):
                assert counters.dropped == {}
        else:
            assert counters.dropped[EARLY] > 0


# Marking --------------------------------------------------------------------------------------


@given(st.integers(0, 255), st.integers(0, 0xFFFF))
def test_a_marked_header_has_a_right_checksum(tos: int, identification: int) -> None:
    header = ipv4.pack_plain(tos, 40, identification, 64, 17, b"\x0a\0\0\1", b"\x0a\0\0\2")
    frame = bytes(12) + b"\x08\0" + header + bytes(20)
    marked = mark_ce(frame)
    if tos & 3 == 0:
        assert marked is None
    else:
        assert marked is not None
        assert marked[15] == tos | 3
        assert is_valid(marked[14:34])
        assert marked[16:24] + marked[26:] == frame[16:24] + frame[26:]


def test_what_is_no_ipv4_packet_cannot_be_marked() -> None:
    assert mark_ce(bytes(12) + b"\x08\x06" + bytes(46)) is None
    assert mark_ce(bytes(12) + b"\x08\x00") is None


# FQ-CoDel -------------------------------------------------------------------------------------


def test_two_flows_share_evenly_and_a_ping_keeps_its_delay() -> None:
    """One flow sends four times what the other does; both want more than there is."""
    run = Run(link_with(FqCodelQueue()))
    events = [(number * MILLISECOND // 2, 1, TEN_MBIT_FRAME) for number in range(8000)]
    events += [(number * 2 * MILLISECOND // 3, 2, TEN_MBIT_FRAME) for number in range(6000)]
    events += [(number * 100 * MILLISECOND + 7, 3, 98) for number in range(40)]
    for now, flow, size in sorted(events):
        run.send(now, flow, size)
    run.until(4 * SECOND)
    carried = Counter(flow_of(frame) for _, _, frame in run.departures)
    assert carried[1] == pytest.approx(carried[2], rel=0.02)
    assert carried[3] == 40
    # A ping waits for the frame that is being sent, and at most for one whose turn it is.
    # The first came while all three were new.
    assert max(run.waits[3][1:]) <= 2 * MILLISECOND
    assert min(mean(run.waits[1]), mean(run.waits[2])) > 5 * MILLISECOND


def test_with_one_queue_the_ping_waits_with_the_others() -> None:
    run = Run(link_with(QueueLimit(packets=1000)))
    events = [(number * MILLISECOND // 2, 1, TEN_MBIT_FRAME) for number in range(2000)]
    events += [(number * 100 * MILLISECOND + 7, 3, 98) for number in range(10)]
    for now, flow, size in sorted(events):
        run.send(now, flow, size)
    run.until(4 * SECOND)
    assert max(run.waits[3]) > 50 * MILLISECOND


def test_small_and_large_frames_share_by_bytes() -> None:
    run = Run(link_with(FqCodelQueue(limit=QueueLimit(packets=200))))
    for number in range(40_000):
        run.send(number * 50_000, 1, 1514)
        run.send(number * 50_000, 2, 200)
    octets: Counter[int] = Counter()
    for departs, _, frame in run.departures:
        if SECOND < departs < 2 * SECOND:
            octets[flow_of(frame)] += len(frame)
    assert octets[1] == pytest.approx(octets[2], rel=0.05)


def test_beyond_the_limit_the_longest_queue_loses() -> None:
    run = Run(link_with(FqCodelQueue(limit=QueueLimit(packets=50))))
    for _ in range(80):
        run.send(0, flow=1)
    for _ in range(5):
        run.send(0, flow=2)
    assert run.link.queued() == 50
    run.until(SECOND)
    assert len(run.waits[2]) == 5
    assert run.link.counters.dropped == {"queue": 34}


def test_a_flow_keeps_its_order() -> None:
    run = Run(link_with(FqCodelQueue()))
    random = Random(7)
    now = 0
    for _ in range(5000):
        now += int(random.expovariate(1.2) * MILLISECOND)
        run.send(now, random.randrange(1, 9))
    run.until(60 * SECOND)
    for flow in range(1, 9):
        serials = [serial_of(frame) for _, _, frame in run.departures if flow_of(frame) == flow]
        assert serials == sorted(serials)


# RED ------------------------------------------------------------------------------------------


def test_red_leaves_a_short_queue_alone() -> None:
    run = Run(link_with(RedQueue()))
    for number in range(2000):
        run.send(number * 2 * MILLISECOND)
    assert run.link.counters.dropped == {}


@pytest.mark.parametrize(("length", "share"), [(10, 0.1), (14, 0.18), (22, None)])
def test_red_drops_as_often_as_its_slope_says(length: int, share: float | None) -> None:
    """A queue of constant length: the gap between drops is spread evenly over 1..1/p - 1 (Floyd and
    Jacobson, figure 2), so that one in 1/(2p) is dropped."""
    drops = 0

    def count(frame: bytes, reason: str, now: int) -> None:
        nonlocal drops
        drops += 1

    settings = RedQueue(probability=0.2, weight=1.0)
    attributes = LinkAttributes(bandwidth_bps=10 * MBIT, queue=settings)
    red = Red(attributes, Random(3), count, LinkCounters())
    red.keep_all()
    for number in range(length):
        red.offer(frame_of(number), 0)
    red.adopt(attributes)
    for number in range(10_000):
        before = red.packets
        assert red.offer(frame_of(number), 0)
        if red.packets > before:
            red.take(0)
    if share is None:
        # Beyond `max` the slope goes on to 1 at twice that.
        chance = 0.2 + 0.8 * (22 - 15) / 15
        assert drops / 10_000 > chance
    else:
        chance = 0.2 * (length - 5) / 10
        assert chance == pytest.approx(share)
        assert drops / 10_000 == pytest.approx(2 * chance, rel=0.05)


def test_the_average_follows_slowly_and_falls_while_nothing_waits() -> None:
    attributes = LinkAttributes(bandwidth_bps=10 * MBIT, queue=RedQueue(weight=0.01))
    red = Red(attributes, Random(1), lambda *_: None, LinkCounters())
    for number in range(5):
        red.offer(frame_of(number), 0)
    expected = 0.0
    for length in range(5):
        expected += 0.01 * (length - expected)
    assert red.average == pytest.approx(expected)
    while red.take(5 * MILLISECOND) is not None:
        pass
    # 1000 octets take 0.8 ms: after 80 ms as if 100 frames had left an empty queue.
    red.offer(frame_of(9), 85 * MILLISECOND)
    assert red.average == pytest.approx(expected * 0.99**101, rel=1e-3)


def test_red_counts_in_bytes_where_its_thresholds_are() -> None:
    queue = RedQueue(min=QueueLimit(bytes=5000), max=QueueLimit(bytes=15000), weight=0.5)
    run = Run(link_with(queue))
    for number in range(2000):
        run.send(int(number * MILLISECOND / 1.5), size=200)
    assert run.link.counters.dropped == {}
    for number in range(2000):
        run.send(2 * SECOND + int(number * MILLISECOND / 1.5))
    assert run.link.counters.dropped[EARLY] > 0


# PIE ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [5, 15, 50])
def test_pie_keeps_the_wait_near_its_target(target: int) -> None:
    run = Run(link_with(PieQueue(target_ns=target * MILLISECOND)))
    for number in range(40_000):
        run.send(int(number * MILLISECOND / 1.1))
    assert mean(run.waits[1][-15_000:]) == pytest.approx(target * MILLISECOND, rel=0.35)
    # An eleventh is too much; of all of it about so much is dropped.
    assert run.link.counters.dropped[EARLY] / 40_000 == pytest.approx(1 / 11, rel=0.15)
    assert set(run.link.counters.dropped) == {EARLY}


def test_pie_lets_a_burst_pass_and_forgets_it() -> None:
    run = Run(link_with(PieQueue()))
    for start in range(5):
        for _ in range(100):
            run.send(start * 2 * SECOND)
        run.until(start * 2 * SECOND + SECOND)
    assert run.link.counters.dropped == {}


# The link around them -------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [CodelQueue(), FqCodelQueue(), RedQueue(), PieQueue()])
def test_disciplines_are_not_asked_ahead(queue: Queue) -> None:
    link = link_with(queue)
    assert not link.looks_ahead
    assert link_with(QueueLimit(packets=9)).looks_ahead


@pytest.mark.parametrize("queue", [CodelQueue(), FqCodelQueue(), RedQueue(), PieQueue()])
def test_a_held_link_drops_nothing(queue: Queue) -> None:
    link = link_with(queue)
    link.hold(0)
    for number in range(20_000):
        link.enqueue(frame_of(number, size=100), 0)
    assert link.counters.dropped == {}
    assert link.queued() == 20_000
    link.set_carrier(False, 1)
    assert link.queued() == link.queued_bytes() == 0
    assert link.counters.dropped == {"carrier": 20_000}


def test_another_discipline_takes_over_what_waits() -> None:
    kinds: list[Queue] = [
        QueueLimit(packets=100),
        CodelQueue(),
        FqCodelQueue(),
        RedQueue(),
        PieQueue(),
    ]
    for before in kinds:
        for after in kinds:
            link = link_with(before)
            for number in range(1, 8):
                link.enqueue(frame_of(number), 0)
            attributes = LinkAttributes(bandwidth_bps=10 * MBIT, queue=after)
            link.change(attributes, 2 * MILLISECOND + 1)
            run = Run(link)
            run._arrivals = dict.fromkeys(range(10), 0)
            run.until(SECOND)
            assert [serial_of(frame) for _, _, frame in run.departures] == list(range(1, 8))
            assert [departs for departs, _, _ in run.departures] == [
                number * MILLISECOND for number in range(7)
            ]


@given(
    pauses=st.lists(st.integers(0, 3 * MILLISECOND), min_size=1, max_size=200),
    sizes=st.lists(st.integers(60, 1514), min_size=200, max_size=200),
)
def test_waits_are_exactly_those_of_a_single_server(pauses: list[int], sizes: list[int]) -> None:
    """Lindley 1952: a frame waits for what is left of the wait and the service before it."""
    run = Run(link_with(QueueLimit(packets=10_000), bandwidth=8 * MBIT))  # 1 us for an octet
    now = wait = service = 0
    expected: list[int] = []
    for pause, size in zip(pauses, sizes, strict=False):
        now += pause
        run.send(now, size=size)
        wait = max(0, wait + service - pause) if expected else 0
        expected.append(wait)
        service = size * 1000
    run.until(FOREVER - 1)
    assert run.waits[1] == expected


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_waits_before_a_link_are_those_of_m_d_1(load: float) -> None:
    """Pollaczek and Khinchine: the mean wait is load / (2 (1 - load)) services."""
    random = Random(5)
    run = Run(link_with(QueueLimit(packets=10_000)))
    now = 0.0
    for _ in range(60_000):
        now += random.expovariate(load)
        run.send(int(now * MILLISECOND))
    run.until(FOREVER - 1)
    expected = load / (2 * (1 - load)) * MILLISECOND
    assert mean(run.waits[1]) == pytest.approx(expected, rel=0.06)
