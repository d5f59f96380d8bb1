"""CoDel, FQ-CoDel and RED, held against their papers and RFCs."""

from __future__ import annotations

from collections import Counter, deque
from math import sqrt
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import CodelQueue, FqCodelQueue, Queue, QueueLimit, RedQueue
from netsim.core.streams import RandomStreams
from netsim.core.time import MILLISECOND, SECOND
from netsim.link.codel import CodelLaw, CodelState
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import EARLY, mark_ce
from netsim.link.red import Red
from netsim.link.simplex_link import SimplexLink
from netsim.wire import ipv4
from netsim.wire.checksum import is_valid

MBIT = 1_000_000
FOREVER = 1 << 62
TEN_MBIT_FRAME = 1250  # octets: 1 ms each


def frame_of(serial: int, *, flow: int = 1, size: int = TEN_MBIT_FRAME, tos: int = 0) -> bytes:
    """A UDP packet: `flow` is its source port."""
    payload = flow.to_bytes(2, "big") + bytes(2) + serial.to_bytes(8, "big")
    header = ipv4.pack_plain(tos, size - 14, 0, 64, 17, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return (bytes(12) + b"\x08\0" + header + payload).ljust(size, b"\0")


def serial_of(frame: bytes) -> int:
    return int.from_bytes(frame[38:46], "big")


def flow_of(frame: bytes) -> int:
    return int.from_bytes(frame[34:36], "big")


def link_with(queue: Queue, bandwidth: int = 10 * MBIT) -> SimplexLink:
    return SimplexLink(LinkAttributes(bandwidth_bps=bandwidth, queue=queue), RandomStreams(1))


class Run:
    """Frames through a link, asked for as a runtime asks: when one is about to depart."""

    def __init__(self, link: SimplexLink) -> None:
        self.link = link
        self.departures: list[tuple[int, int, bytes]] = []
        self.waits: dict[int, list[int]] = {}
        """By flow, in ns: from arrival to departure."""
        self._arrivals: dict[int, int] = {}
        self._serial = 0

    def send(self, now: int, flow: int = 1, size: int = TEN_MBIT_FRAME, tos: int = 0) -> None:
        self.until(now)
        self._serial += 1
        self._arrivals[self._serial] = now
        self.link.enqueue(frame_of(self._serial, flow=flow, size=size, tos=tos), now)

    def until(self, now: int) -> None:
        while (following := self.link.next_departure()) is not None and following <= now:
            for departure in self.link.dequeue(following):
                frame = departure[2]
                wait = departure[0] - self._arrivals[serial_of(frame)]
                self.waits.setdefault(flow_of(frame), []).append(wait)
                self.departures.append(departure)
        counters = self.link.counters
        fates = counters.handed_over + sum(counters.dropped.values()) + self.link.queued()
        assert counters.sent == fates


# CoDel ----------------------------------------------------------------------------------------


class PseudoCode:
    """RFC 8289 5.6 to 5.9, word for word, in seconds; `drops` are numbers of packets."""

    TARGET = 0.005
    INTERVAL = 0.100
    maxpacket_ = 1514

    def __init__(self) -> None:
        self.queue: deque[tuple[int, float, int]] = deque()
        self.first_above_time_ = 0.0
        self.drop_next_ = 0.0
        self.count_ = 0
        self.lastcount_ = 0
        self.dropping_ = False
        self.drops: list[int] = []

    def enque(self, packet: int, tstamp: float, size: int) -> None:
        self.queue.append((packet, tstamp, size))

    def bytes(self) -> int:
        return sum(size for _, _, size in self.queue)

    def control_law(self, t: float, count: int) -> float:
        return t + self.INTERVAL / sqrt(count)

    def dodequeue(self, now: float) -> tuple[int | None, bool]:
        ok_to_drop = False
        if not self.queue:
            self.first_above_time_ = 0
            return None, ok_to_drop
        packet, tstamp, _ = self.queue.popleft()
        sojourn_time = now - tstamp
        if sojourn_time < self.TARGET or self.bytes() <= self.maxpacket_:
            self.first_above_time_ = 0
        elif self.first_above_time_ == 0:
            self.first_above_time_ = now + self.INTERVAL
        elif now >= self.first_above_time_:
            ok_to_drop = True
        return packet, ok_to_drop

    def deque(self, now: float) -> int | None:
        packet, ok_to_drop = self.dodequeue(now)
        if self.dropping_:
            if not ok_to_drop:
                self.dropping_ = False
            while now >= self.drop_next_ and self.dropping_:
                assert packet is not None
                self.drops.append(packet)
                self.count_ += 1
                packet, ok_to_drop = self.dodequeue(now)
                if not ok_to_drop:
                    self.dropping_ = False
                else:
                    self.drop_next_ = self.control_law(self.drop_next_, self.count_)
        elif ok_to_drop:
            assert packet is not None
            self.drops.append(packet)
            packet, ok_to_drop = self.dodequeue(now)
            self.dropping_ = True
            delta = self.count_ - self.lastcount_
            self.count_ = 1
            if delta > 1 and now - self.drop_next_ < 16 * self.INTERVAL:
                self.count_ = delta
            self.drop_next_ = self.control_law(now, self.count_)
            self.lastcount_ = self.count_
        return packet


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**9),
    load=st.floats(0.7, 4.0),
    phases=st.lists(st.integers(20, 300), min_size=1, max_size=5),
)
def test_codel_does_what_the_pseudo_code_does(seed: int, load: float, phases: list[int]) -> None:
    random = Random(seed)
    drops: list[int] = []

    def drop(frame: bytes, reason: str, now: int) -> None:
        drops.append(serial_of(frame))

    law = CodelLaw(CodelQueue(), 1500, drop, LinkCounters())
    state, reference = CodelState(), PseudoCode()
    now, serial = 0, 0
    arrival = 0
    for packets in phases:
        for _ in range(packets):
            now += 1_000_003
            while arrival <= now:
                serial += 1
                size = random.randint(60, 1514)
                state.put(frame_of(serial, size=size), arrival)
                reference.enque(serial, arrival / SECOND, size)
                arrival += int(random.expovariate(load) * MILLISECOND) + 1
            taken = state.take(now, law)
            expected = reference.deque(now / SECOND)
            assert (None if taken is None else serial_of(taken)) == expected
            assert drops == reference.drops
        # A pause, in which the queue drains, or not.
        arrival += random.randint(0, 400) * MILLISECOND


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
    "queue", [CodelQueue(ecn=True), FqCodelQueue(), RedQueue(ecn=True, weight=0.05)]
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
            if not isinstance(queue, RedQueue):
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


# The link around them -------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [CodelQueue(), FqCodelQueue(), RedQueue()])
def test_disciplines_are_not_asked_ahead(queue: Queue) -> None:
    link = link_with(queue)
    assert not link.looks_ahead
    assert link_with(QueueLimit(packets=9)).looks_ahead


@pytest.mark.parametrize("queue", [CodelQueue(), FqCodelQueue(), RedQueue()])
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
    kinds: list[Queue] = [QueueLimit(packets=100), CodelQueue(), FqCodelQueue(), RedQueue()]
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
