"""The time that hosts take for a packet."""

from __future__ import annotations

import asyncio
from random import Random

from plans import plan_of

from netsim import Network, NetworkPlan, run
from netsim.site.build import host_jitter
from netsim.site.driver import HostJitter


def test_it_is_drawn_up_to_the_most_and_overtakes_nobody() -> None:
    jitter = HostJitter(Random(1), 1_000)
    arrivals = [(0, 100 * number, bytes([number])) for number in range(200)]
    taken = [due for _, due, _ in jitter.delay(0, arrivals[:120]) + jitter.delay(0, arrivals[120:])]
    delays = [due - 100 * number for number, due in enumerate(taken)]
    assert 0 <= min(delays) < 500 < max(delays) <= 1_000
    assert taken == sorted(taken)


def test_what_has_overtaken_another_on_the_link_stays_before_it() -> None:
    jitter = HostJitter(Random(1), 10)
    first, overtaker, last = jitter.delay(0, [(0, 5_000, b"a"), (1, 2_000, b"b"), (2, 6_000, b"c")])
    assert overtaker[1] <= 2_010 < first[1] < last[1]


def test_interfaces_do_not_wait_for_each_other() -> None:
    jitter = HostJitter(Random(1), 10)
    jitter.delay(0, [(0, 5_000, b"a")])
    ((_, due, _),) = jitter.delay(1, [(0, 100, b"b")])
    assert due <= 110


def test_only_computers_take_it_and_only_where_it_is_written() -> None:
    plan = plan_of("a s1", "s1 r1", "r1 b", host_jitter="20us")
    assert [each.name for each in plan.nodes if host_jitter(plan, each.name)] == ["a", "b"]
    without = plan_of("a s1", "s1 r1", "r1 b")
    assert not any(host_jitter(without, each.name) for each in without.nodes)


def round_trips(plan: NetworkPlan, seed: int) -> list[int]:
    async def main() -> list[int]:
        async with Network(plan, time="virtual", seed=seed) as network:
            pings = await network["a"].ping("b", count=20, interval=0.01)
            return list(pings.rtts_ns)

    return run(main())


def test_a_seed_draws_it() -> None:
    plan = plan_of("a b delay=1ms", host_jitter="100us")
    rtts = round_trips(plan, 1)
    assert rtts == round_trips(plan, 1)
    assert rtts != round_trips(plan, 2)
    # Request and reply are taken once each; the first waits for ARP.
    assert 2_000_000 < min(rtts[1:]) < max(rtts[1:]) <= 2_200_000
    assert len(set(round_trips(plan_of("a b delay=1ms"), 1)[1:])) == 1


def shares(seed: int, jitter: str) -> float:
    """What a flow with a short way gets of a bottleneck, beside one with a long way."""
    plan = plan_of(
        "near r1 delay=9ms",
        "far r1 delay=39ms",
        "r1 web delay=1ms bandwidth=10mbit queue=15",
        host_jitter=jitter,
    )

    async def main() -> float:
        async with Network(plan, time="virtual", seed=seed) as network:
            near, far = await asyncio.gather(
                *(network[name].transfer("web", 5_000_000) for name in ("near", "far"))
            )
            return near.goodput_bps / far.goodput_bps

    return run(main())


def test_it_draws_who_wins_at_a_full_queue() -> None:
    assert len({shares(seed, "0s") for seed in range(3)}) == 1
    assert len({shares(seed, "1ms") for seed in range(3)}) == 3
