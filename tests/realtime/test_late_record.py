"""What a site was late with is known to the supervisor without a question."""

from __future__ import annotations

import os
from collections.abc import Iterator
from heapq import heappush
from time import monotonic_ns

import pytest
from plans import plan_of

from netsim.core.time import MILLISECOND
from netsim.observe.late import Late
from netsim.realtime.cable_end import CableEnd
from netsim.realtime.engine import Engine
from netsim.realtime.late_record import SPELL, LateReaders
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.shared_counters import SharedCounters, new_memory, read_counters
from netsim.realtime.wire import PENDING_LIMIT, WireQueue, WireReceiver, WireSender
from netsim.site.build import build_node
from netsim.site.driver import Entry

PLAN = plan_of("a s1", "s1 b")


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = new_memory(2)
    yield descriptor
    os.close(descriptor)


def test_each_reading_has_what_is_new(memory: int) -> None:
    readers = LateReaders()
    readers.open("s1", memory)
    record = SharedCounters(os.dup(memory)).late
    assert readers.take() == {}
    record.handled(1_000, 2, 1, 30)
    record.handled(2_000, 1, 0, 20)
    assert readers.take() == {"s1": Late(3, 1, 0, 30, 2_000)}
    assert readers.take() == {}
    record.handled(2_000 + SPELL, 5, 0, 25)
    assert readers.take() == {"s1": Late(5, 0, 0, 30, 2_000 + SPELL)}, "to within a spell"
    record.handled(2_000 + 2 * SPELL, 1, 0, 21)
    record.handled(2_000 + 3 * SPELL, 1, 0, 22)
    assert readers.take() == {"s1": Late(2, 0, 0, 25, 2_000 + 3 * SPELL)}


def test_who_reads_seldom_loses_no_count(memory: int) -> None:
    readers = LateReaders()
    readers.open("s1", memory)
    record = SharedCounters(os.dup(memory)).late
    for number in range(1000):
        record.handled(number * SPELL, 1, 0, 1000 - number)
    late = readers.take()["s1"]
    assert (late.frames, late.last_ns) == (1000, 999 * SPELL)
    assert 1 < late.max_ns < 1000, "of the last spells"


def test_a_site_that_has_ended_is_read_to_its_end(memory: int) -> None:
    readers = LateReaders()
    readers.open("s1", memory)
    record = SharedCounters(os.dup(memory)).late
    record.handled(1_000, 2, 0, 30)
    again = new_memory(2)
    readers.open("s1", again)
    SharedCounters(os.dup(again)).late.handled(5_000, 1, 0, 10)
    assert readers.take() == {"s1": Late(3, 0, 0, 30, 5_000)}
    assert readers.take() == {}
    os.close(again)


def test_what_was_late_at_the_end_is_told_when_the_memory_is_let_go(memory: int) -> None:
    readers = LateReaders()
    before = len(os.listdir("/proc/self/fd"))
    readers.open("s1", memory)
    assert len(os.listdir("/proc/self/fd")) == before + 1, "the mapping's own"
    SharedCounters(os.dup(memory)).late.handled(1_000, 2, 0, 30)
    readers.close()
    assert readers.take() == {"s1": Late(2, 0, 0, 30, 1_000)}
    assert readers.take() == {}


def test_counters_and_record_keep_out_of_each_others_way(memory: int) -> None:
    readers = LateReaders()
    readers.open("s1", memory)
    shared = SharedCounters(os.dup(memory))
    for number in range(200):
        shared.late.handled(number * SPELL, 1, 1, 2**62)
    assert readers.take()["s1"].frames == 200
    assert read_counters(memory, ["eth0", "eth1"]).egress["eth1"].sent == 0
    port = build_node(PLAN, "s1").ports[1]
    port.egress.counters.sent = 2**62
    shared.write(CableEnd("s1", port, 1))
    assert readers.take() == {}


def test_frames_that_no_wire_takes_are_told(memory: int) -> None:
    readers = LateReaders()
    readers.open("s1", memory)
    queue = WireQueue()
    end = CableEnd("s1", build_node(PLAN, "s1").ports[0], 0)
    end.connect(
        WireReceiver(os.dup(queue.reader_fileno)), WireSender(os.dup(queue.writer_fileno), [])
    )
    assert end.sender is not None
    shared = SharedCounters(os.dup(memory))
    frame = bytes(PENDING_LIMIT // 4)
    for _ in range(3):
        while not end.sender.blocked:
            end.carry([(0, 0, frame)])
            end.sender.flush()
        end.carry([(0, 0, frame)] * 6)
        shared.write(end)
    told = readers.take()["s1"].lost
    assert told == end.lost["overload"] > 0
    end.disconnect()
    queue.close_reader()
    queue.close_writer()


def test_frames_and_timers_that_are_late_are_counted_apart(memory: int) -> None:
    readers = LateReaders()
    readers.open("s1", memory)
    engine = Engine(
        PLAN, NetworkClock(monotonic_ns() - 10**9), counters=SharedCounters(os.dup(memory))
    )
    handled: list[int] = []

    def handle(now: int, argument: None, frame: bytes) -> None:
        handled.append(now)

    now = engine.wall()
    for number, (age, frame) in enumerate([(500, b"f"), (400, b""), (300, b"f"), (0, b"f")]):
        entry: Entry = (now - age * MILLISECOND, 0, number, handle, None, frame)
        heappush(engine.agenda, entry)
    engine.run()
    late = readers.take()["s1"]
    assert len(handled) == 4
    assert (late.frames, late.timers) == (2, 1)
    assert 500 * MILLISECOND <= late.max_ns < late.last_ns
    assert engine.resynced == 3
    engine.run()
    assert readers.take() == {}
