"""The same play in processes and in virtual time: what comes of it is the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from networks import held_frames, until

from netsim import HttpFailedError, Network, run
from netsim.core.time import MILLISECOND, Time

TOPOLOGY: Final = """
name: parity
seed: 3
convergence: 20ms
defaults: {link: {delay: 1ms, bandwidth: 100mbit}}
nodes:
  alice: {kind: computer}
  s1: {kind: switch}
  web:
    kind: computer
    services: {80: "netsim.services.httpbin:create_app", 81: "parity_app:create_app"}
  r1: {kind: router}
  r2: {kind: router}
  r3: {kind: router}
links: [[alice, s1], [s1, r1], [web, r2], [r1, r2], [r1, r3], [r3, r2]]
"""
APP: Final = """
from aiohttp import web

async def fails(request):
    raise LookupError("meant")

def create_app():
    app = web.Application()
    app.router.add_get("/", fails)
    return app
"""


@dataclass(frozen=True)
class Outcome:
    """`seen` has to be the same; round trips (ms) about the same."""

    seen: dict[str, Any]
    rtts_ms: dict[str, float]


async def new_path(network: Network) -> list[str]:
    """Routes follow a little later."""
    await network.converged()
    return await network["alice"].path("web")


def ends_up(network: Network) -> list[bool]:
    return [link["up"] for link in network.links()]


def states(network: Network) -> dict[str, Any]:
    return {name: network.describe(name)["state"] for name in network.kinds()}


async def balanced(network: Network) -> bool:
    for account in await network.accounts():
        account.check()
    return True


async def play(network: Network) -> Outcome:
    seen: dict[str, Any] = {}
    rtts: dict[str, float] = {}
    alice = network["alice"]

    async def ping(what: str) -> None:
        report = await alice.ping("web", count=4, interval=0.02)
        seen[f"{what}: pings"] = (report.sent, report.received)
        assert report.min_ns is not None
        rtts[what] = report.min_ns / MILLISECOND

    seen["up"] = (network.state, states(network), ends_up(network))
    reply = await alice.get("http://web/ip")
    seen["get"] = (reply.status, reply.json())
    reply = await alice.request("POST", "http://web/post", body="größer")
    seen["post"] = (reply.status, reply.json()["data"])
    seen["not found"] = (await alice.get("http://web/status/404")).status
    seen["resolve"] = (await alice.resolve("web"), await alice.resolve("nobody"))
    await ping("as planned")
    seen["path"] = await alice.path("web")
    moved = await network["web"].transfer("alice", "1MiB")
    seen["transfer"] = moved.size
    done = await alice.exec("ping", "-c", "2", "-i", "0.02", "web")
    seen["exec"] = (done.code, done.stderr, len(done.stdout.splitlines()))
    seen["balanced"] = await balanced(network)

    async with network.link("r1", "r2").down():
        seen["down"] = (ends_up(network), await new_path(network))
        await ping("the long way")
    seen["mended"] = (ends_up(network), await new_path(network))
    async with network.link("r1", "r2").set(delay="21ms", from_="r2"):
        await ping("slow")
    await ping("quick again")
    async with network.link("alice", "s1").set(loss="100%"):
        report = await alice.ping("web", count=3, interval=0.01, timeout=0.2)
        seen["loss"] = (report.sent, report.received)

    await network.link("r1", "r2").hold()
    pings = asyncio.create_task(alice.ping("web", count=5, interval=0.01, timeout=10))
    async with asyncio.timeout(10):
        while await held_frames(network, "r1", "r2") < 5:
            await asyncio.sleep(0.01)
    seen["held"] = pings.done()
    await network.link("r1", "r2").release()
    report = await pings
    seen["released"] = (report.sent, report.received)

    seen["error"] = (await alice.get("http://web:81/")).status
    await until(network, lambda: bool(network.errors))
    seen["errors"] = {line.node for line in network.errors}
    seen["which"] = any("LookupError: meant" in line.text for line in network.errors)

    await network.crash("web")
    seen["crashed"] = (network.state, states(network), ends_up(network))
    try:
        await alice.get("http://web/ip", timeout=0.3)
    except HttpFailedError:
        seen["nobody"] = True
    try:
        await network["web"].ping("alice")
    except ConnectionError:
        seen["gone"] = True
    await network.start_node("web")
    await new_path(network)
    seen["back"] = (network.state, states(network), (await alice.get("http://web/ip")).status)
    await network.stop_node("r3")
    seen["stopped"] = (network.state, states(network), ends_up(network))
    await network.start_node("r3")
    async with network.partition(["alice"], ["web"]):
        seen["parted"] = ends_up(network)
    await new_path(network)
    await ping("at last")
    seen["end"] = (network.state, ends_up(network), await balanced(network))
    seen["kinds of events"] = {event.kind for event in network.timeline}
    return Outcome(seen, rtts)


def test_both_times_agree(tmp_path: Path) -> None:
    (tmp_path / "parity_app.py").write_text(APP)
    file = tmp_path / "parity.yaml"
    file.write_text(TOPOLOGY)

    async def main(time: Time) -> Outcome:
        async with Network(file, time=time) as network:
            return await play(network)

    virtual = run(main("virtual"))
    real = asyncio.run(main("real"))
    assert virtual.seen == real.seen
    assert virtual.rtts_ms["as planned"] == pytest.approx(8, abs=0.1)
    assert virtual.rtts_ms["the long way"] == pytest.approx(10, abs=0.1)
    assert virtual.rtts_ms["slow"] == pytest.approx(28, abs=0.1)
    for what, rtt in virtual.rtts_ms.items():
        # Programs take real time to answer; nothing is quicker than the links.
        assert rtt - 0.1 <= real.rtts_ms[what] <= rtt + 15, what
