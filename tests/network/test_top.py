"""The busiest links, measured over an interval, in both times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from netsim import InvalidValueError, LinkLoad, Network, Top, run

SMALL = """
name: small
nodes:
  alice: {kind: computer}
  r1: {kind: router}
  web: {kind: computer}
links: [[alice, r1], {endpoints: [r1, web], bandwidth: 1mbit, queue: 10}]
"""


def play(tmp_path: Any, main: Any) -> Any:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)

    async def whole() -> Any:
        async with Network(file, time="virtual", seed=1) as network:
            return await main(network)

    return run(whole())


def load(top: Top, sender: str) -> LinkLoad:
    return next(each for each in top.links if each.sender == sender)


def test_a_full_link_is_first_and_what_waits_and_is_dropped_is_told(tmp_path: Any) -> None:
    async def main(network: Network) -> list[Top]:
        sending = asyncio.ensure_future(network["alice"].transfer("web", "1MiB"))
        await asyncio.sleep(1)
        tops = [top async for top in network.top(interval=0.5, count=4)]
        await sending
        return tops

    tops = play(tmp_path, main)
    assert [top.seconds for top in tops] == [0.5] * 4
    for top in tops:
        full = load(top, "r1:eth1")
        assert full.receiver == "web:eth0"
        assert full.utilisation == pytest.approx(1, abs=0.1)
        assert full.rate_bps == pytest.approx(1e6, rel=0.1)
        assert load(top, "alice:eth0").utilisation is None
        assert {each.sender for each in top.links[:2]} == {"alice:eth0", "r1:eth1"}
        assert top.timing.trusted
    assert any(load(top, "r1:eth1").queued for top in tops)
    assert sum(load(top, "r1:eth1").dropped for top in tops) > 0


def test_an_idle_network_is_idle_and_a_dead_node_is_named(tmp_path: Any) -> None:
    async def main(network: Network) -> list[Top]:
        tops = []
        async for top in network.top(interval=0.1, count=3):
            tops.append(top)
            if len(tops) == 1:
                await network["web"].crash()
            if len(tops) == 2:
                await network["web"].start()
        return tops

    first, second, third = play(tmp_path, main)
    assert (first.silent, second.silent, third.silent) == ((), ("web",), ())
    assert [each.rate_bps for each in first.links] == [0.0] * 4
    assert {each.sender for each in second.links} == {"alice:eth0", "r1:eth0"}
    document = first.as_dict()
    assert document["links"][0]["dropped"] == 0
    assert document["timing"]["trusted"]


@pytest.mark.parametrize(("interval", "count"), [(0.01, None), (4000, None), (1, 0)])
def test_what_cannot_be_meant(tmp_path: Any, interval: float, count: int | None) -> None:
    async def main(network: Network) -> None:
        with pytest.raises(InvalidValueError):
            network.top(interval, count)

    play(tmp_path, main)
