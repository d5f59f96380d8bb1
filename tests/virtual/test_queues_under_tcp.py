"""Queue disciplines between real flows: who gets how much, and what a ping feels of it."""

from __future__ import annotations

import asyncio
from statistics import mean
from typing import Any

import networkx
import pytest

from netsim import Network, run

BOTTLENECK = 10_000_000
RTT_MS = 20


def measured(queue: int | dict[str, Any]) -> tuple[list[float], float]:
    """Goodput in bit/s of two downloads over one link, one of them as far again, and the mean
    round trip of pings beside them in ms."""
    graph: networkx.Graph[str] = networkx.Graph(name="shared")
    for name, delay in (("near", "1ms"), ("far", "21ms"), ("pinger", "1ms")):
        graph.add_edge(name, "r1", delay=delay)
    graph.add_edge("r1", "web", delay="9ms", bandwidth="10mbit", queue=queue)
    result: tuple[list[float], float] = ([], 0.0)

    async def main() -> None:
        nonlocal result
        async with Network(graph, time="virtual") as network:
            amounts = ("6MiB", "6MiB")
            flows = [
                asyncio.create_task(network[name].transfer("web", size))
                for name, size in zip(("near", "far"), amounts, strict=True)
            ]
            await asyncio.sleep(2)
            report = await network["pinger"].ping("web", count=40, interval=0.1)
            assert report.received == 40
            transfers = await asyncio.gather(*flows)
            # While both were there: until the first was through.
            until = min(each.progress[-1][0] for each in transfers)
            result = (
                [_rate(each.progress, until) for each in transfers],
                mean(report.rtts_ns) / 1e6,
            )

    run(main())
    return result


def _rate(progress: Any, until: int) -> float:
    inside = [(at, octets) for at, octets in progress if at <= until]
    (start, before), (end, after) = inside[len(inside) // 4], inside[-1]
    return float((after - before) * 8e9 / (end - start))


def test_fq_codel_is_fair_to_two_flows_and_quick_for_a_ping() -> None:
    rates, rtt = measured({"fq_codel": {}})
    assert min(rates) > 0.4 * BOTTLENECK
    # The far one's round trip is three times as long: after a mark it takes longer to come back.
    assert rates[0] == pytest.approx(rates[1], rel=0.15)
    # A full frame takes 1.2 ms; at most two are before it.
    assert RTT_MS <= rtt < RTT_MS + 3


def test_codel_keeps_the_delay_near_its_target() -> None:
    rates, rtt = measured({"codel": {}})
    assert sum(rates) > 0.8 * BOTTLENECK
    assert RTT_MS <= rtt < RTT_MS + 15


def test_behind_drop_tail_the_ping_waits() -> None:
    rates, rtt = measured(200)
    assert sum(rates) > 0.9 * BOTTLENECK
    assert rtt > RTT_MS + 100
