"""Who reaches whom, with a network that is only told of."""

from __future__ import annotations

import asyncio
import json

import pytest

import netsim
from netsim import Ping, Timing
from netsim.network import reachability
from netsim.network.reachability import PingAll
from netsim.site.backend import ToolRun


class Pinger:
    """Stands for `Network.exec`; `dead` nodes answer nobody, `silent` ones do not even end."""

    def __init__(self, dead: str = "", silent: str = "", rtt_ms: float = 2.5) -> None:
        self.rtt_ms = rtt_ms
        self.dead = dead
        self.silent = silent
        self.running = 0
        self.most = 0
        self.asked: list[tuple[str, str]] = []

    async def exec(self, node: str, run: ToolRun) -> int:
        argv, output = run.argv, run.output
        assert argv[:-1] == ("ping", "-c", "1", "-W", "0.01")
        assert run.json
        self.asked.append((node, argv[-1]))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.rtt_ms / 1000)
            if node == self.silent:
                await asyncio.Event().wait()
            if node == self.dead:
                output("stderr", b"it has ended")
                return 1
            output("stdout", json.dumps({"replies": [{"rtt_ms": self.rtt_ms}]}).encode())
            return 0
        finally:
            self.running -= 1


@pytest.mark.asyncio
async def test_every_pair_is_asked_once_and_reported() -> None:
    pinger, heard = Pinger(), list[tuple[Ping, int]]()
    found = await PingAll(pinger.exec, ["a", "b", "c"], 0.01).run(
        lambda ping, total: heard.append((ping, total))
    )
    pairs = [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b")]
    assert [(ping.source, ping.target) for ping in found.pings] == pairs
    assert sorted(pinger.asked) == pairs
    assert {total for _, total in heard} == {6}
    assert sorted(ping.source + ping.target for ping, _ in heard) == [
        "ab",
        "ac",
        "ba",
        "bc",
        "ca",
        "cb",
    ]
    assert found.totals() == {
        "sent": 6,
        "received": 6,
        "dropped_percent": 0.0,
        "timing": Timing().as_dict(),
    }
    assert found.as_dict()["pings"][0] == {"from": "a", "to": "b", "rtt_ms": 2.5}


def test_no_more_than_so_many_at_once_and_no_node_has_them_all() -> None:
    pinger = Pinger(rtt_ms=250)
    netsim.run(PingAll(pinger.exec, [f"n{number}" for number in range(12)], 0.01).run())
    assert pinger.most == reachability.AT_ONCE
    assert len({source for source, _ in pinger.asked[: reachability.AT_ONCE]}) == 12


@pytest.mark.asyncio
async def test_who_does_not_answer_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_PATIENCE", 0.01)
    pinger = Pinger(dead="a", silent="b")
    found = await PingAll(pinger.exec, ["a", "b", "c", "d"], 0.01).run()
    assert found.totals() == {
        "sent": 12,
        "received": 6,
        "dropped_percent": 50.0,
        "timing": Timing().as_dict(),
    }
    assert {ping.source for ping in found.pings if ping.rtt_ms is None} == {"a", "b"}
    assert pinger.running == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("nodes", [[], ["alone"]])
async def test_nobody_to_ping(nodes: list[str]) -> None:
    found = await PingAll(Pinger().exec, nodes, 0.01).run()
    assert found.as_dict() == {
        "nodes": nodes,
        "pings": [],
        "sent": 0,
        "received": 0,
        "dropped_percent": 0.0,
        "timing": Timing().as_dict(),
    }


class SlowMachine:
    """One processor for all nodes: starting a ping takes 2 ms of it, and answering waits for it."""

    def __init__(self) -> None:
        self.busy_until = 0.0

    async def exec(self, node: str, run: ToolRun) -> int:
        clock = asyncio.get_running_loop().time
        started = self.busy_until = max(clock(), self.busy_until) + 0.002
        await asyncio.sleep(started - clock())
        sent = clock()
        await asyncio.sleep(max(0.0, self.busy_until - sent))
        rtt_ms = (clock() - sent) * 1000
        run.output("stdout", json.dumps({"replies": [{"rtt_ms": rtt_ms}]}).encode())
        return 0


def test_pings_do_not_wait_for_the_start_of_other_pings() -> None:
    nodes = [f"n{number}" for number in range(12)]
    found = netsim.run(PingAll(SlowMachine().exec, nodes, 2.0).run())
    assert found.received == 132
    assert max(ping.rtt_ms or 0 for ping in found.pings) < 2.1  # the one after it, no more


class Distance:
    """A fast machine, and 50 ms to everybody."""

    async def exec(self, node: str, run: ToolRun) -> int:
        await asyncio.sleep(0.05)
        run.output("stdout", json.dumps({"replies": [{"rtt_ms": 50}]}).encode())
        return 0


def test_round_trips_overlap() -> None:
    async def main() -> float:
        clock = asyncio.get_running_loop().time
        began = clock()
        await PingAll(Distance().exec, [f"n{number}" for number in range(12)], 2.0).run()
        return clock() - began

    assert netsim.run(main()) < 0.05 * 132 / reachability.AT_ONCE + 0.3
