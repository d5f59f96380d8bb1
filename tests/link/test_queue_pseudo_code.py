"""CoDel, FQ-CoDel, RED and PIE against what their RFCs and paper write down, step by step."""

from __future__ import annotations

from collections import deque
from math import sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_runs import MBIT, frame_of, serial_of

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import CodelQueue, FqCodelQueue, PieQueue, QueueLimit, RedQueue
from netsim.core.time import MILLISECOND, SECOND
from netsim.link.codel import CodelLaw, CodelState
from netsim.link.fq_codel import FqCodel
from netsim.link.link_counters import LinkCounters
from netsim.link.pie import Pie
from netsim.link.red import Red

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


# FQ-CoDel -------------------------------------------------------------------------------------


class FairPseudoCode:
    """RFC 8290 4.1 and 4.2 in the order of their sentences, with `PseudoCode` for each queue."""

    QUANTUM = 1514

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.queues: dict[int, PseudoCode] = {}
        self.credits: dict[int, int] = {}
        self.new: list[int] = []
        self.old: list[int] = []
        self.sizes: dict[int, int] = {}
        self.drops: list[int] = []

    def enque(self, packet: int, flow: int, tstamp: float, size: int) -> None:
        queue = self.queues.setdefault(flow, PseudoCode())
        queue.drops = self.drops
        queue.enque(packet, tstamp, size)
        self.sizes[packet] = size
        if flow not in self.new and flow not in self.old:
            self.new.append(flow)
            self.credits[flow] = self.QUANTUM
        while sum(len(each.queue) for each in self.queues.values()) > self.limit:
            longest = max(self.new + self.old, key=lambda each: self.queues[each].bytes())
            self.drops.append(self.queues[longest].queue.popleft()[0])

    def deque(self, now: float) -> int | None:
        while self.new or self.old:
            listed = self.new or self.old
            flow = listed[0]
            if self.credits[flow] <= 0:
                self.credits[flow] += self.QUANTUM
                self.old.append(listed.pop(0))
                continue
            packet = self.queues[flow].deque(now)
            if packet is not None:
                self.credits[flow] -= self.sizes[packet]
                return packet
            listed.pop(0)
            # The RFC moves every empty new queue to the old ones; its authors' Linux only where
            # there are others, whom it must not starve (sch_fq_codel.c).
            if listed is self.new and self.old:
                self.old.append(flow)
        return None


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    flows=st.integers(1, 6),
    load=st.floats(0.7, 3.0),
    limit=st.sampled_from([30, 200, 10_240]),
)
def test_fq_codel_does_what_its_rfc_says(seed: int, flows: int, load: float, limit: int) -> None:
    random = Random(seed)
    drops: list[int] = []

    def drop(frame: bytes, reason: str, now: int) -> None:
        drops.append(serial_of(frame))

    settings = FqCodelQueue(limit=QueueLimit(packets=limit), ecn=False, flows=65536)
    attributes = LinkAttributes(bandwidth_bps=10 * MBIT, queue=settings)
    discipline = FqCodel(attributes, 1, drop, LinkCounters())
    reference = FairPseudoCode(limit)
    arrival = now = serial = 0
    for _ in range(600):
        now += 1_000_003
        while arrival <= now:
            serial += 1
            flow, size = random.randint(1, flows), random.choice((100, 600, 1514))
            discipline.offer(frame_of(serial, flow=flow, size=size), arrival)
            reference.enque(serial, flow, arrival / SECOND, size)
            pause = 300 * MILLISECOND if random.random() < 0.003 else 0
            arrival += int(random.expovariate(load) * MILLISECOND) + 1 + pause
        taken = discipline.take(now)
        expected = reference.deque(now / SECOND)
        assert (None if taken is None else serial_of(taken)) == expected
        assert drops == reference.drops


# RED ------------------------------------------------------------------------------------------


class FloydAndJacobson:
    """Figure 2 of the paper with its names, and the gentle slope; in packets."""

    w_q, min_th, max_th, max_p = 0.02, 5.0, 15.0, 0.1
    s = 0.0008
    """Transmission time of a typical packet, s."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.avg = 0.0
        self.count = -1
        self.q_time: float | None = 0.0
        self.q = 0

    def drops(self, time: float) -> bool:
        if self.q_time is not None:
            m = (time - self.q_time) / self.s
            self.avg = (1 - self.w_q) ** m * self.avg
            self.q_time = time
        # As ns-3 does, the packet that ends the idle time counts as well.
        self.avg = (1 - self.w_q) * self.avg + self.w_q * self.q
        if self.avg < self.min_th:
            self.count = -1
            return False
        if self.avg >= 2 * self.max_th:
            self.count = 0
            return True
        self.count += 1
        if self.avg < self.max_th:
            p_b = self.max_p * (self.avg - self.min_th) / (self.max_th - self.min_th)
        else:
            p_b = self.max_p + (1 - self.max_p) * (self.avg - self.max_th) / self.max_th
        p_a = p_b / (1 - self.count * p_b) if self.count * p_b < 1 else 1.0
        if self.random.random() < p_a:
            self.count = 0
            return True
        return False


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), load=st.floats(0.7, 2.5))
def test_red_does_what_its_paper_says(seed: int, load: float) -> None:
    random = Random(seed)
    drops: list[int] = []

    def drop(frame: bytes, reason: str, now: int) -> None:
        drops.append(serial_of(frame))

    attributes = LinkAttributes(bandwidth_bps=10 * MBIT, queue=RedQueue(weight=0.02))
    red = Red(attributes, Random(seed), drop, LinkCounters())
    reference = FloydAndJacobson(Random(seed))
    now = serial = 0
    arrival = 0
    for _ in range(1500):
        now += MILLISECOND
        while arrival <= now:
            serial += 1
            before = len(drops)
            red.offer(frame_of(serial), arrival)
            dropped = reference.drops(arrival / SECOND)
            assert (len(drops) > before) == dropped
            if not dropped:
                reference.q += 1
                reference.q_time = None
            pause = 100 * MILLISECOND if random.random() < 0.01 else 0
            arrival += int(random.expovariate(load) * MILLISECOND) + 1 + pause
        if red.take(now) is not None:
            reference.q -= 1
        elif reference.q_time is None:
            reference.q_time = now / SECOND
        assert red.packets == reference.q
        assert red.average == pytest.approx(reference.avg, abs=1e-6)


# PIE ------------------------------------------------------------------------------------------


class ProportionalIntegral:
    """RFC 8033 4.1 to 4.4 and 5.5 with its names, in s and octets, with a timer that ticks."""

    QDELAY_REF, T_UPDATE, MAX_BURST, MEAN_PKTSIZE = 0.015, 0.015, 0.150, 1024
    alpha, beta = 0.125, 1.25
    dequeue_rate = 10e6 / 8

    def __init__(self, random: Random) -> None:
        self.random = random
        self.byte_length = 0
        self.drop_prob_ = 0.0
        self.qdelay_old_ = 0.0
        self.burst_allowance_ = self.MAX_BURST

    def drop_early(self) -> bool:
        if self.burst_allowance_ > 1e-9:
            return False
        if self.qdelay_old_ < 0.5 * self.QDELAY_REF and self.drop_prob_ < 0.2:
            return False
        if self.byte_length <= 2 * self.MEAN_PKTSIZE:
            return False
        return self.random.random() < self.drop_prob_

    def update(self) -> None:
        current_qdelay = self.byte_length / self.dequeue_rate
        p = self.alpha * (current_qdelay - self.QDELAY_REF)
        p += self.beta * (current_qdelay - self.qdelay_old_)
        if self.drop_prob_ < 0.000001:
            p /= 2048
        elif self.drop_prob_ < 0.00001:
            p /= 512
        elif self.drop_prob_ < 0.0001:
            p /= 128
        elif self.drop_prob_ < 0.001:
            p /= 32
        elif self.drop_prob_ < 0.01:
            p /= 8
        elif self.drop_prob_ < 0.1:
            p /= 2
        elif p > 0.02:
            p = 0.02
        self.drop_prob_ += p
        if current_qdelay == 0 and self.qdelay_old_ == 0:
            self.drop_prob_ *= 0.98
        self.drop_prob_ = max(0.0, min(1.0, self.drop_prob_))
        calm = 0.5 * self.QDELAY_REF
        self.burst_allowance_ = max(0.0, self.burst_allowance_ - self.T_UPDATE)
        if self.drop_prob_ == 0 and current_qdelay < calm and self.qdelay_old_ < calm:
            self.burst_allowance_ = self.MAX_BURST
        self.qdelay_old_ = current_qdelay


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), load=st.floats(0.7, 2.5))
def test_pie_does_what_its_rfc_says(seed: int, load: float) -> None:
    random = Random(seed)
    drops: list[int] = []

    def drop(frame: bytes, reason: str, now: int) -> None:
        drops.append(serial_of(frame))

    attributes = LinkAttributes(bandwidth_bps=10 * MBIT, queue=PieQueue())
    pie = Pie(attributes, Random(seed), drop, LinkCounters())
    reference = ProportionalIntegral(Random(seed))
    now = serial = arrival = ticks = 0

    def tick(until: int) -> None:
        nonlocal ticks
        while (ticks + 1) * 15 * MILLISECOND <= until:
            ticks += 1
            reference.update()

    for _ in range(2500):
        now += MILLISECOND
        while arrival <= now:
            serial += 1
            tick(arrival)
            before = len(drops)
            pie.offer(frame_of(serial), arrival)
            dropped = reference.drop_early()
            assert (len(drops) > before) == dropped
            reference.byte_length += 0 if dropped else 1250
            pause = 500 * MILLISECOND if random.random() < 0.005 else 0
            arrival += int(random.expovariate(load) * MILLISECOND) + 1 + pause
        tick(now)
        if pie.take(now) is not None:
            reference.byte_length -= 1250
        assert pie.octets == reference.byte_length
        assert pie.drop_prob == pytest.approx(reference.drop_prob_, abs=1e-9)
