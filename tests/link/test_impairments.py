"""Loss, duplication, reordering, corruption and jitter: how often, to what, from which stream."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise
from random import Random
from statistics import NormalDist

import pytest

from netsim.core.link_attributes import Distribution, GilbertElliott, Jitter, LinkAttributes
from netsim.core.streams import RandomStreams
from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.link.simplex_link import Departure, SimplexLink

FRAMES = 20_000
FOREVER = 1 << 62
PACKET_OCTETS = 46


class RecordingStreams(RandomStreams):
    """Tells which streams were asked for."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: list[str] = []

    def stream(self, name: str) -> Random:
        self.asked.append(name)
        return super().stream(name)


def ip_frame(serial: int) -> bytes:
    """An IPv4 packet of 46 octets and 4 octets of padding behind it."""
    packet = b"\x45\x00" + PACKET_OCTETS.to_bytes(2, "big") + serial.to_bytes(8, "big")
    return bytes(12) + b"\x08\x00" + packet.ljust(PACKET_OCTETS, b"\xaa") + b"\xbb" * 4


def serial_of(frame: bytes) -> int:
    return int.from_bytes(frame[18:26], "big")


def run(attributes: LinkAttributes, *, gap_ns: int = MICROSECOND, seed: int = 1) -> SimplexLink:
    link = SimplexLink(attributes, RandomStreams(seed))
    for serial in range(FRAMES):
        link.enqueue(ip_frame(serial), serial * gap_ns)
    return link


def serials(departed: list[Departure]) -> list[int]:
    return [serial_of(frame) for _, _, frame in departed]


def test_loss_happens_as_often_as_asked() -> None:
    link = run(LinkAttributes(loss=0.02))
    survivors = serials(link.dequeue(FOREVER))
    assert link.counters.dropped == {"loss": FRAMES - len(survivors)}
    assert link.counters.dropped["loss"] / FRAMES == pytest.approx(0.02, rel=0.15)
    assert survivors == sorted(set(survivors))


def test_certain_loss_leaves_nothing() -> None:
    assert run(LinkAttributes(loss=1.0)).dequeue(FOREVER) == []


def test_bursts_are_as_long_and_as_frequent_as_the_model_says() -> None:
    link = run(LinkAttributes(loss=GilbertElliott(p=0.01, r=0.2)))
    survivors = set(serials(link.dequeue(FOREVER)))
    bursts = [
        len(list(frames))
        for lost, frames in groupby(serial not in survivors for serial in range(FRAMES))
        if lost
    ]
    # The chain is in its bad state for p/(p+r) of the time, 1/r frames at a stretch.
    assert sum(bursts) / FRAMES == pytest.approx(0.01 / 0.21, rel=0.15)
    assert sum(bursts) / len(bursts) == pytest.approx(1 / 0.2, rel=0.15)


def test_both_states_may_lose_with_their_own_probability() -> None:
    model = GilbertElliott(p=0.5, r=0.5, loss_bad=0.4, loss_good=0.1)
    link = run(LinkAttributes(loss=model))
    assert link.counters.dropped["loss"] / FRAMES == pytest.approx(0.25, rel=0.1)


def test_a_duplicate_follows_its_original_at_the_same_time() -> None:
    link = run(LinkAttributes(duplicate=0.05, delay_ns=MILLISECOND))
    departed = link.dequeue(FOREVER)
    twins = [later for earlier, later in pairwise(departed) if earlier == later]
    assert len(departed) == FRAMES + len(twins)
    assert link.counters.duplicated == len(twins)
    assert len(twins) / FRAMES == pytest.approx(0.05, rel=0.1)


def test_reordered_frames_skip_the_delay_and_overtake() -> None:
    link = run(LinkAttributes(reorder=0.05, delay_ns=MILLISECOND))
    departed = link.dequeue(FOREVER)
    early = [departs for departs, arrives, _ in departed if arrives == departs]
    late = [departs for departs, arrives, _ in departed if arrives == departs + MILLISECOND]
    assert len(early) + len(late) == FRAMES
    assert len(early) / FRAMES == pytest.approx(0.05, rel=0.1)
    assert link.counters.reordered == len(early)


def test_skipping_the_delay_overtakes_nobody_when_frames_are_far_apart() -> None:
    link = run(LinkAttributes(reorder=0.05, delay_ns=MILLISECOND), gap_ns=2 * MILLISECOND)
    assert len(link.dequeue(FOREVER)) == FRAMES
    assert link.counters.reordered == 0


def test_jitter_spreads_the_delay_evenly_and_keeps_the_order() -> None:
    attributes = LinkAttributes(delay_ns=10 * MILLISECOND, jitter_ns=2 * MILLISECOND)
    apart = run(attributes, gap_ns=5 * MILLISECOND).dequeue(FOREVER)
    delays = sorted(arrives - departs for departs, arrives, _ in apart)
    assert 8 * MILLISECOND <= delays[0] <= 8.01 * MILLISECOND
    assert 11.99 * MILLISECOND <= delays[-1] <= 12 * MILLISECOND
    assert delays[FRAMES // 4] == pytest.approx(9 * MILLISECOND, rel=0.01)

    close = run(attributes).dequeue(FOREVER)
    arrivals = [arrives for _, arrives, _ in close]
    assert arrivals == sorted(arrivals)
    assert serials(close) == list(range(FRAMES))


def pareto_quantile(share: float) -> float:
    """Of iproute2's table (netem/pareto.c)."""
    return float((1 - share) ** (-1 / 3) - 1.5) * 4 / 3


@pytest.mark.parametrize(
    ("distribution", "quantile"),
    [
        ("uniform", lambda share: 2 * share - 1),
        ("normal", NormalDist().inv_cdf),
        ("pareto", pareto_quantile),
    ],
)
def test_jitter_is_distributed_as_asked(
    distribution: Distribution, quantile: Callable[[float], float]
) -> None:
    jitter = Jitter(2 * MILLISECOND, distribution)
    attributes = LinkAttributes(delay_ns=50 * MILLISECOND, jitter_ns=jitter)
    departed = run(attributes, gap_ns=20 * MILLISECOND).dequeue(FOREVER)
    drawn = sorted(arrives - departs - 50 * MILLISECOND for departs, arrives, _ in departed)
    for share in (0.001, 0.1, 0.25, 0.5, 0.75, 0.9):
        expected = quantile(share) * 2 * MILLISECOND
        assert drawn[int(share * FRAMES)] == pytest.approx(expected, abs=0.12 * MILLISECOND)
    # What the tables of tc-netem hold: four spreads at most.
    assert abs(drawn[-1]) <= 8 * MILLISECOND


def test_jitter_reorders_where_it_is_asked_to() -> None:
    spread = 2 * MILLISECOND
    attributes = LinkAttributes(delay_ns=10 * MILLISECOND, jitter_ns=Jitter(spread, reorder=True))
    link = run(attributes)
    departed = link.dequeue(FOREVER)
    own_delays = [arrives - departs for departs, arrives, _ in departed]
    # Frames follow each other in 1 us, and yet each has its own delay.
    assert sum(own_delays) / FRAMES == pytest.approx(10 * MILLISECOND, rel=0.01)
    latest, overtaking = 0, 0
    for _, arrives, _ in departed:
        overtaking += arrives < latest
        latest = max(latest, arrives)
    assert link.counters.reordered == overtaking > FRAMES // 2


def mean_in_order(delay: float, spread: float, gap: float) -> float:
    """ms from departure to arrival where uniform jitter keeps the order and a frame departs every
    `gap` ms: a frame has arrived after y when it and all before it have, each earlier by `gap`."""

    def arrived(after: float) -> float:
        chance = 1.0
        while after < delay + spread:
            chance *= max(0.0, (after - delay + spread) / (2 * spread))
            after += gap
        return chance

    steps = 2000
    width = 2 * spread / steps
    late = (1 - arrived(delay - spread + (step + 0.5) * width) for step in range(steps))
    return delay - spread + width * sum(late)


@pytest.mark.parametrize(("gap", "documented"), [(20.0, 20.0), (1.0, 25.2), (0.1, 28.3)])
def test_keeping_the_order_makes_dense_traffic_late(gap: float, documented: float) -> None:
    """docs/topology.md says these figures."""
    assert mean_in_order(20, 10, gap) == pytest.approx(documented, abs=0.05)
    attributes = LinkAttributes(delay_ns=20 * MILLISECOND, jitter_ns=10 * MILLISECOND)
    departed = run(attributes, gap_ns=int(gap * MILLISECOND)).dequeue(FOREVER)
    mean = sum(arrives - departs for departs, arrives, _ in departed) / FRAMES / MILLISECOND
    assert mean == pytest.approx(documented, rel=0.01)


def test_jitter_larger_than_the_delay_delivers_nothing_before_it_was_sent() -> None:
    attributes = LinkAttributes(delay_ns=10, jitter_ns=1000, bandwidth_bps=1_000_000_000)
    departed = run(attributes, gap_ns=MILLISECOND).dequeue(FOREVER)
    serialisation = len(ip_frame(0)) * 8
    delays = {arrives - departs - serialisation for departs, arrives, _ in departed}
    assert min(delays) == 0
    assert max(delays) <= 1010


def test_corruption_flips_one_bit_of_the_ip_packet() -> None:
    link = run(LinkAttributes(corrupt=0.5))
    departed = link.dequeue(FOREVER)
    flipped_bits = set()
    for serial, (_, _, frame) in enumerate(departed):
        original = ip_frame(serial)
        difference = int.from_bytes(frame, "big") ^ int.from_bytes(original, "big")
        if difference:
            assert difference.bit_count() == 1
            flipped_bits.add(len(frame) * 8 - difference.bit_length())
    assert link.counters.corrupted / FRAMES == pytest.approx(0.5, rel=0.05)
    # Every bit of the packet gets its turn; the Ethernet header and the padding never do.
    assert flipped_bits == set(range(14 * 8, (14 + PACKET_OCTETS) * 8))


@pytest.mark.parametrize(
    "frame",
    [
        bytes(12) + b"\x08\x06" + bytes(28),
        bytes(12) + b"\x86\xdd" + bytes(40),
        bytes(12) + b"\x08\x00",
        bytes(12) + b"\x08\x00\x45\x00\x00\x00",
        bytes(6),
    ],
    ids=["arp", "ipv6", "empty", "length-zero", "short"],
)
def test_a_corrupted_frame_without_an_ipv4_packet_fails_its_frame_check(frame: bytes) -> None:
    link = SimplexLink(LinkAttributes(corrupt=1.0), RandomStreams(1))
    link.enqueue(frame, 0)
    assert link.dequeue(0) == []
    assert link.counters.dropped == {"crc": 1}
    assert link.counters.corrupted == 0


def test_a_total_length_beyond_the_frame_is_not_believed() -> None:
    link = SimplexLink(LinkAttributes(corrupt=1.0), RandomStreams(1))
    frame = bytes(12) + b"\x08\x00\x45\x00\xff\xff"
    link.enqueue(frame, 0)
    [(_, _, flipped)] = link.dequeue(0)
    assert len(flipped) == len(frame)
    assert flipped != frame


def test_the_same_seed_repeats_and_another_differs() -> None:
    attributes = LinkAttributes(
        loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1, jitter_ns=500, delay_ns=1000
    )
    first, second, other = (run(attributes, seed=seed).dequeue(FOREVER) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_one_impairment_does_not_shift_the_numbers_of_another() -> None:
    alone = serials(run(LinkAttributes(loss=0.1)).dequeue(FOREVER))
    together = serials(
        run(LinkAttributes(loss=0.1, jitter_ns=500, reorder=0.1, delay_ns=1000)).dequeue(FOREVER)
    )
    assert alone == together


def test_a_change_goes_on_with_the_stream_and_does_not_repeat_it() -> None:
    steady = run(LinkAttributes(loss=0.1)).dequeue(FOREVER)
    link = SimplexLink(LinkAttributes(loss=0.1), RandomStreams(1))
    for serial in range(FRAMES):
        if serial % 1000 == 0:
            link.change(LinkAttributes(loss=0.1, delay_ns=0), serial * MICROSECOND)
        link.enqueue(ip_frame(serial), serial * MICROSECOND)
    assert link.dequeue(FOREVER) == steady


def test_streams_are_made_only_for_impairments_that_are_on() -> None:
    streams = RecordingStreams()
    link = SimplexLink(LinkAttributes(delay_ns=5, bandwidth_bps=1_000_000), streams)
    for serial in range(10):
        link.enqueue(ip_frame(serial), serial)
    assert streams.asked == []
    link.change(LinkAttributes(loss=0.5, jitter_ns=3), 100)
    for serial in range(10):
        link.enqueue(ip_frame(serial), 10_000_000)
    assert streams.asked == ["loss", "jitter"]
