"""What the queue, the MTU and a missing carrier drop, and that every frame is accounted for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.core.link_attributes import GilbertElliott, LinkAttributes
from netsim.core.queue_settings import QueueLimit
from netsim.core.streams import RandomStreams
from netsim.link.simplex_link import Departure, SimplexLink

MBIT = 1_000_000
FOREVER = 1 << 62
SEED = 5

LOSSES = st.one_of(
    st.sampled_from([0.0, 0.3, 1.0]),
    st.builds(GilbertElliott, st.sampled_from([0.1, 0.5]), st.sampled_from([0.2, 0.9])),
)
CHANCES = st.sampled_from([0.0, 0.0, 0.2, 1.0])
ATTRIBUTES = st.builds(
    LinkAttributes,
    delay_ns=st.integers(0, 3_000_000),
    jitter_ns=st.sampled_from([0, 0, 500_000, 5_000_000]),
    loss=LOSSES,
    duplicate=CHANCES,
    reorder=CHANCES,
    corrupt=CHANCES,
    bandwidth_bps=st.sampled_from([MBIT, 7 * MBIT, 10 * MBIT, None]),
    queue=st.builds(
        QueueLimit, st.sampled_from([None, 0, 1, 3, 10]), st.sampled_from([None, 0, 1600, 5000])
    ),
    mtu=st.sampled_from([576, 1500]),
)
ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3_000_000), st.integers(14, 1600), st.booleans()),
    min_size=10,
    max_size=60,
)


def frame_of(size: int, is_ip: bool, serial: int) -> bytes:
    ethertype = b"\x08\x00" if is_ip else b"\x08\x06"
    body = b"\x45\x00" + max(0, size - 14).to_bytes(2, "big") + serial.to_bytes(2, "big")
    return (bytes(12) + ethertype + body.ljust(1600, b"\0"))[:size]


def link_with(attributes: LinkAttributes) -> SimplexLink:
    return SimplexLink(attributes, RandomStreams(SEED))


def missing(link: SimplexLink) -> int:
    counters = link.counters
    fates = counters.handed_over + sum(counters.dropped.values()) + link.queued()
    return counters.sent + counters.duplicated - fates


def counted(link: SimplexLink) -> dict[str, object]:
    return {name: getattr(link.counters, name) for name in link.counters.__slots__}


def test_one_frame_in_the_transmitter_and_the_limit_waiting() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(packets=2)))
    for size in (100, 101, 102, 103):
        link.enqueue(bytes(size), 0)
    assert [len(frame) for _, _, frame in link.dequeue(FOREVER)] == [100, 101, 102]
    assert link.counters.dropped == {"queue": 1}


def test_a_queue_limited_in_bytes() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(bytes=300)))
    for size in (1000, 200, 101, 100, 14):
        link.enqueue(bytes(size), 0)
    assert [len(frame) for _, _, frame in link.dequeue(FOREVER)] == [1000, 200, 100]
    assert link.counters.dropped == {"queue": 2}


@pytest.mark.parametrize(
    "attributes",
    [
        LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(packets=2)),
        LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(bytes=2500)),
    ],
    ids=["packets", "bytes"],
)
def test_frames_dequeued_ahead_of_their_departure_still_fill_the_queue(
    attributes: LinkAttributes,
) -> None:
    link = link_with(attributes)
    for _ in range(3):
        link.enqueue(bytes(1000), 0)
    assert len(link.dequeue(FOREVER)) == 3
    link.enqueue(bytes(1000), 999_999)
    assert link.counters.dropped == {"queue": 1}
    link.enqueue(bytes(1000), 1_000_000)
    assert [departs for departs, _, _ in link.dequeue(FOREVER)] == [3_000_000]


def test_frames_dequeued_late_do_not_fill_the_queue() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(packets=1)))
    link.enqueue(bytes(1000), 0)
    link.enqueue(bytes(1000), 0)
    link.enqueue(bytes(1000), 1_000_000)
    assert link.counters.dropped == {}
    assert [departs for departs, _, _ in link.dequeue(FOREVER)] == [0, 1_000_000, 2_000_000]


def test_a_queue_of_nothing_still_sends_when_idle() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(packets=0)))
    link.enqueue(bytes(1000), 0)
    link.enqueue(bytes(1000), 999_999)
    link.enqueue(bytes(1000), 1_000_000)
    assert len(link.dequeue(FOREVER)) == 2
    assert link.counters.dropped == {"queue": 1}


def test_a_new_limit_counts_for_what_comes_then() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(packets=3)))
    for _ in range(4):
        link.enqueue(bytes(1000), 0)
    link.change(LinkAttributes(bandwidth_bps=8 * MBIT, queue=QueueLimit(packets=1)), 1)
    link.enqueue(bytes(1000), 2)
    assert link.counters.dropped == {"queue": 1}
    assert link.queued() == 4


def test_the_mtu_limits_the_ip_packet() -> None:
    link = link_with(LinkAttributes(mtu=1500))
    link.enqueue(bytes(1514), 0)
    link.enqueue(bytes(1515), 0)
    assert link.counters.dropped == {"mtu": 1}
    link.change(LinkAttributes(mtu=576), 0)
    link.enqueue(bytes(591), 0)
    assert link.counters.dropped == {"mtu": 2}
    assert link.counters.sent == 3
    assert link.counters.sent_bytes == 1514 + 1515 + 591


def test_a_pulled_cable_drops_what_is_here_and_what_comes() -> None:
    link = link_with(LinkAttributes(bandwidth_bps=8 * MBIT))
    for _ in range(3):
        link.enqueue(bytes(1000), 0)
    assert len(link.dequeue(0)) == 1
    link.set_carrier(False, 10)
    assert link.counters.dropped == {"carrier": 2}
    assert link.queued() == link.queued_bytes() == 0
    assert link.next_departure() is None
    link.enqueue(bytes(60), 20)
    link.set_carrier(False, 30)
    link.change(LinkAttributes(), 40)
    link.enqueue(bytes(60), 50)
    assert link.counters.dropped == {"carrier": 4}
    link.set_carrier(True, 60)
    link.enqueue(bytes(60), 60)
    assert link.dequeue(60) == [(60, 60, bytes(60))]
    assert missing(link) == 0


@given(ATTRIBUTES, ARRIVALS, st.data())
def test_the_horizon_changes_neither_departures_nor_drops(
    attributes: LinkAttributes, arrivals: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    asked_once = link_with(attributes)
    asked_often = link_with(attributes)
    departures: list[Departure] = []
    now = 0
    for serial, (pause, size, is_ip) in enumerate(arrivals):
        now += pause
        frame = frame_of(size, is_ip, serial)
        asked_once.enqueue(frame, now)
        asked_often.enqueue(frame, now)
        ahead = data.draw(st.none() | st.integers(0, 20_000_000), label="ahead")
        if ahead is not None:
            departures += asked_often.dequeue(now + ahead)
    departures += asked_often.dequeue(FOREVER)
    assert departures == asked_once.dequeue(FOREVER)
    assert counted(asked_often) == counted(asked_once)


@given(ATTRIBUTES, ARRIVALS, st.data())
def test_every_frame_is_accounted_for_whatever_happens(
    attributes: LinkAttributes, arrivals: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    link = link_with(attributes)
    returned = 0
    now = 0
    for serial, (pause, size, is_ip) in enumerate(arrivals):
        now += pause
        match data.draw(st.sampled_from(["", "", "", "dequeue", "change", "down", "up"])):
            case "dequeue":
                ahead = data.draw(st.integers(-1_000_000, 5_000_000))
                departed = link.dequeue(now + ahead)
                assert all(departs <= now + ahead for departs, _, _ in departed)
                returned += len(departed)
            case "change":
                link.change(data.draw(ATTRIBUTES), now)
            case "down" | "up" as carrier:
                link.set_carrier(carrier == "up", now)
        link.enqueue(frame_of(size, is_ip, serial), now)
        assert missing(link) == 0
        assert (link.next_departure() is None) == (link.queued() == 0)
    returned += len(link.dequeue(FOREVER))
    assert missing(link) == link.queued() == link.queued_bytes() == 0
    assert returned == link.counters.handed_over
    assert link.counters.sent == len(arrivals)
