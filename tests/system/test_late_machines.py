"""A network whose machine is too busy says so, whoever asks; one that is in time is quiet."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from networks import StartNetwork

from netsim import Network
from netsim.scenario.html.page import html_report
from netsim.scenario.junit import junit_xml
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.scenario_run import execute
from netsim.scenario.text_report import failure_lines

STALL = 0.2
"""Seconds: ten times what is late."""
SMALL = """
name: small
nodes:
  alice: {kind: computer}
  s1: {kind: switch}
  web: {kind: computer}
links: [[alice, s1], [s1, web]]
"""


async def over_a_stalled_switch(network: Network, *work: Awaitable[Any]) -> list[Any]:
    """What work comes to whose first frame waits on alice's cable while the switch stands still."""
    pid = network.describe("s1")["pid"]
    sent = await _sent_by_alice(network)
    os.kill(pid, signal.SIGSTOP)
    try:
        working = asyncio.gather(*work)
        async with asyncio.timeout(20):
            while await _sent_by_alice(network) == sent:
                pass
        await asyncio.sleep(STALL)
    finally:
        os.kill(pid, signal.SIGCONT)
    return await working


async def _sent_by_alice(network: Network) -> int:
    facts = await network.inspect_node("alice")
    sent: int = facts["interfaces"][0]["tx"]["frames"]
    return sent


@pytest.mark.asyncio
async def test_a_node_that_stood_still_is_told_in_every_result(
    start_network: StartNetwork,
) -> None:
    async with start_network(SMALL) as network:
        events = network.subscribe()
        with network.watch_timing() as watch:
            done, report, trace = await over_a_stalled_switch(
                network,
                network["alice"].exec("ping", "-c1", "-W20", "web"),
                network["alice"].ping("web", count=1, timeout=20),
                network.trace("alice", "http://web/"),
            )
        late = watch.timing.nodes["s1"]
        assert late.frames >= 1
        # It counts from when the frame was due.
        assert STALL * 0.9e9 < late.max_ns <= network.now()
        (iperf,) = await over_a_stalled_switch(network, network.iperf("alice", "web", seconds=0.1))
        told = [each.untrusted for each in (done, report, trace, iperf)]
        for text in (watch.timing.text, *told, network.timing.text):
            assert text.startswith("timing cannot be trusted: "), told
            assert "s1" in text
        document = (await network.inspect())["timing"]
        assert not document["trusted"]
        assert "s1" in [each["node"] for each in document["nodes"]]
        async with asyncio.timeout(20):
            async for event in events:
                if event["kind"] == "timing":
                    assert "s1" in event["text"]
                    break
        events.close()
        assert not network.timeline, "it is not among what happened to nodes, carriers and routes"


@pytest.mark.asyncio
async def test_a_run_in_time_says_nothing(start_network: StartNetwork) -> None:
    async with start_network(SMALL) as network:
        for _ in range(50):
            with network.watch_timing() as watch:
                report = await network["alice"].ping("web", count=1)
                trace = await network.trace("alice", "http://web/")
                found = await network.ping_all()
            if not watch.timing.total.events:
                break
        assert not watch.timing.total.events, "one of fifty pings is in time on any machine"
        assert (report.untrusted, trace.untrusted) == ("", "")
        assert (found.timing.text, watch.timing.text) == ("", "")
        assert found.totals()["timing"]["trusted"]


BUSY = """\
import time

from aiohttp import web


async def compute(request):
    time.sleep(0.2)
    return web.Response(text="done")


def create_app():
    app = web.Application()
    app.router.add_get("/", compute)
    return app
"""
TOPOLOGY = """\
name: busy
nodes:
  alice: {kind: computer}
  web: {kind: computer, services: {80: "busy_web:create_app"}}
links: [[alice, web]]
"""
SCENARIO = """\
name: answers at once
topology: busy.yaml
time: real
steps:
- parallel:
  - http: {from: alice, url: "http://web/"}
  - ping: {from: alice, to: web, count: 20, interval: 30ms, expect: {rtt: < 1ms}}
"""


def test_a_scenario_in_real_time_says_at_which_step(tmp_path: Path) -> None:
    """A program that blocks its computer: it answers late whatever it answers."""
    (tmp_path / "busy_web.py").write_text(BUSY)
    (tmp_path / "busy.yaml").write_text(TOPOLOGY)
    file = tmp_path / "at_once.yaml"
    file.write_text(SCENARIO)
    result = execute(load_scenario(file))
    step = next(step for step in result.steps if step.verb == "ping")
    assert not step.held
    assert step.untrusted.startswith("timing cannot be trusted: ")
    assert "web" in step.untrusted
    whole = next(each for each in result.notices if each.startswith("timing cannot be trusted: "))
    assert f"  but:      {step.untrusted}" in failure_lines(result)
    assert step.untrusted in html_report([result])
    assert whole in html_report([result])
    assert whole in junit_xml([result], 1).decode()
    assert step.untrusted in json.dumps(result.as_dict())
