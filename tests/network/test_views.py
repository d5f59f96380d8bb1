"""`net["alice"]` and `net.link(…)` on a network in virtual time."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from networks import play
from plans import chain, plan_of

from netsim import (
    HttpFailedError,
    Network,
    NoCoroutineError,
    NoPathError,
    NoProgramsError,
    NotAwaitedError,
    StartError,
    TransferFailedError,
    UnitError,
    UnknownNameError,
    run,
)
from netsim.core.time import MILLISECOND, SECOND, Time

PLAN = plan_of(
    "alice s1 delay=1ms",
    "s1 r1 delay=1ms",
    "r1 r2 delay=1ms",
    "r2 web delay=1ms bandwidth=10mbit",
    "r1 r3 delay=1ms",
    "r3 r2 delay=1ms",
    nodes={"web": {"services": {80: "netsim.services.httpbin:create_app"}}},
)


on_a_network = partial(play, "virtual", PLAN)


async def sums(numbers: list[int], *, more: int) -> int:
    numbers.append(more)
    await asyncio.sleep(1)
    return sum(numbers)


def test_http_from_a_computer() -> None:
    async def test(net: Network) -> None:
        reply = await net["alice"].get("http://web/get", headers={"X-Mine": "yes"})
        assert (reply.status, reply.json()["headers"]["X-Mine"]) == (200, "yes")
        reply = await net["r1"].request("POST", "http://web/post", body="größer")
        assert reply.json()["data"] == "größer"
        assert (await net["alice"].get("http://web/status/404")).status == 404
        before = net.now()
        with pytest.raises(HttpFailedError, match="GET http://web/delay/5: timed out after 2 s"):
            await net["alice"].get("http://web/delay/5", timeout=2)
        assert net.now() - before == 2 * SECOND

    on_a_network(test)


def test_ping_path_and_names() -> None:
    async def test(net: Network) -> None:
        alice = net["alice"]
        report = await alice.ping("web", count=2)
        assert (report.sent, report.received, report.loss) == (2, 2, 0.0)
        assert report.min_ns is not None
        assert 8 * MILLISECOND <= report.min_ns < 9 * MILLISECOND
        assert await alice.path("web") == ["r1", "r2"]
        assert await net["web"].path("alice") == ["r2", "r1"]
        assert await alice.path("r1") == []
        assert await alice.resolve("web") == report_address(net)
        with pytest.raises(NoPathError, match=r"does not reach 10\.99\.0\.1: .*says r1") as caught:
            await alice.path("10.99.0.1")
        assert caught.value.routers == ["r1"]
        with pytest.raises(UnknownNameError, match="nobody"):
            await alice.ping("nobody")
        with pytest.raises(ValueError, match="count"):
            await alice.ping("web", count=0)

    on_a_network(test)


def test_times_that_are_no_seconds() -> None:
    async def test(net: Network) -> None:
        alice, text = net["alice"], cast(float, "2s")
        for call in (
            alice.get("http://web/", timeout=text),
            alice.ping("web", timeout=text),
            alice.transfer("web", 1, timeout=text),
            net.trace("alice", "http://web/", timeout=text),
            net.ping_all(timeout=text),
        ):
            with pytest.raises(UnitError, match=r"timeout='2s' is no number of seconds; write 2$"):
                await call
        with pytest.raises(UnitError, match="interval='2s'"):
            net.top(text)
        with pytest.raises(UnitError, match="seconds='2s'"):
            await net.iperf("alice", "web", seconds=text)

    on_a_network(test)


def report_address(net: Network) -> str:
    return ".".join(map(str, net.plan.hosts["web"]))


def test_transfers() -> None:
    async def test(net: Network) -> None:
        transfer = await net["alice"].transfer("web", "1MiB")
        assert (transfer.size, transfer.retransmissions) == (1 << 20, 0)
        # 10 mbit/s, of which headers and a slow start take a part.
        assert 8.5e6 < transfer.goodput_bps < 9.6e6
        assert transfer.goodput_bps == pytest.approx(transfer.size * 8e9 / transfer.elapsed_ns)
        assert (await net["alice"].transfer("alice", 10)).size == 10
        with pytest.raises(UnknownNameError, match="no computer 'nobody'"):
            await net["alice"].transfer("nobody", 1)
        with pytest.raises(UnitError, match="no unit"):
            await net["alice"].transfer("web", "20")
        with pytest.raises(ValueError, match="1 byte"):
            await net["alice"].transfer("web", 0)
        with pytest.raises(ValueError, match="timeout=0 cannot be"):
            await net["alice"].transfer("web", 1, timeout=0)
        assert (await net["alice"].transfer("web", "1MiB", timeout=5)).size == 1 << 20
        begun = net.now()
        with pytest.raises(
            TransferFailedError,
            match=r"^[1-9]\d+ of 104857600 bytes arrived: timed out after 0.5 s$",
        ):
            await net["alice"].transfer("web", "100MiB", timeout=0.5)
        assert 0.5 * SECOND <= net.now() - begun < 0.6 * SECOND

    on_a_network(test)


@pytest.mark.parametrize("node", ["alice", "web"])
def test_a_transfer_fails_when_an_end_crashes(node: str) -> None:
    async def test(net: Network) -> None:
        transfer = asyncio.create_task(net["alice"].transfer("web", "100MiB"))
        await asyncio.sleep(1)
        before = net.now()
        await net[node].crash()
        with pytest.raises((ConnectionError, TransferFailedError)):
            await transfer
        assert net.now() - before < SECOND

    on_a_network(test)


def test_functions_and_tools_run_on_nodes(tmp_path: Path) -> None:
    async def test(net: Network) -> None:
        numbers = [1, 2]
        assert await net["alice"].run(sums, numbers, more=3) == 6
        assert numbers == [1, 2]
        done = await net["alice"].exec("ping", "-c1", "web")
        assert (done.code, done.stderr) == (0, "")
        assert "1 received" in done.stdout
        await net["alice"].exec("curl", "-o", "here", "http://web/ip", cwd=tmp_path)
        assert "origin" in (tmp_path / "here").read_text()
        assert (await net["s1"].exec("mac-table")).code == 0

    on_a_network(test)


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_what_is_no_function_is_refused(time: Time) -> None:
    async def test(net: Network) -> None:
        alice: Any = net["alice"]
        with pytest.raises(NoCoroutineError, match="1 is no function; write the function"):
            await alice.run(1)
        with pytest.raises(NoCoroutineError, match="the coroutine sums is no function; write the"):
            await alice.run(sums([], more=1))

    play(time, PLAN, test)


def test_switches_run_no_programs() -> None:
    async def test(net: Network) -> None:
        switch: Any = net["s1"]
        assert (switch.name, switch.kind) == ("s1", "switch")
        for call in (switch.ping("web"), switch.get("http://web/"), switch.path("web")):
            with pytest.raises(NoProgramsError, match="s1 is a switch"):
                await call
        with pytest.raises(UnknownNameError, match="alise"):
            net["alise"]

    on_a_network(test)


def test_nodes_go_and_come() -> None:
    async def test(net: Network) -> None:
        web = net["web"]
        await web.crash()
        with pytest.raises(ConnectionError):
            await web.ping("alice")
        assert (await net["alice"].ping("web", count=1)).loss == 1.0
        await web.start()
        assert (await net["alice"].get("http://web/ip")).status == 200
        await web.restart()
        assert (await net["alice"].get("http://web/ip")).status == 200

    on_a_network(test)


def test_links_break_and_mend() -> None:
    async def test(net: Network) -> None:
        alice = net["alice"]
        async with net.link("r1", "r2").down():
            await asyncio.sleep(1)
            assert await alice.path("web") == ["r1", "r3", "r2"]
        await asyncio.sleep(1)
        assert await alice.path("web") == ["r1", "r2"]
        await alice.ping("web", count=1)
        async with net.link("r1", "r2").set(delay="51ms", from_="r1"):
            report = await alice.ping("web", count=1)
            assert report.min_ns is not None
            assert 58 * MILLISECOND <= report.min_ns < 59 * MILLISECOND
        async with net.link("r2", "r1").hold():
            held = asyncio.create_task(alice.get("http://web/ip"))
            await asyncio.sleep(0.5)
            assert not held.done()
        assert (await held).status == 200

    on_a_network(test)


def test_partitions_part_and_are_repaired() -> None:
    async def test(net: Network) -> None:
        await net.partition(["r1", "r3"], ["r2"])
        await asyncio.sleep(1)
        with pytest.raises(NoPathError):
            await net["alice"].path("web")
        assert (await net["alice"].ping("web", count=1)).loss == 1.0
        await net.repair()
        await asyncio.sleep(1)
        assert await net["alice"].path("web") == ["r1", "r2"]

    on_a_network(test)


def test_a_node_is_down_for_a_block() -> None:
    async def test(net: Network) -> None:
        async with net["web"].crash():
            assert net.describe("web")["state"] == "dead"
        async with net["web"].stop():
            assert net.describe("web")["state"] == "stopped"
            await net["web"].start()  # somebody else was first
        assert net.describe("web")["state"] == "running"

    on_a_network(test)


def test_an_operation_in_vain_is_told_when_the_network_ends() -> None:
    async def test(net: Network) -> None:
        net["web"].crash()

    with (
        pytest.warns(RuntimeWarning, match="nothing has changed"),
        pytest.raises(NotAwaitedError, match=r"test_views\.py:\d+"),
    ):
        on_a_network(test)


def test_it_is_told_as_well_by_a_network_that_is_stopped_by_hand() -> None:
    async def main(error: Exception | None) -> None:
        net = Network(chain(), time="virtual")
        await net.start()
        try:
            with pytest.warns(RuntimeWarning, match="nothing has changed"):
                net["web"].crash()
            if error is not None:
                raise error
        finally:
            await net.stop()

    with pytest.raises(NotAwaitedError):
        run(main(None))
    with pytest.raises(ZeroDivisionError):  # what went wrong before is not hidden
        run(main(ZeroDivisionError()))


def test_the_timeline_can_be_sliced() -> None:
    async def test(net: Network) -> None:
        await net["web"].crash()
        kinds = [event.kind for event in net.timeline]
        assert "node-died" in kinds
        assert [event.kind for event in net.timeline[-2:]] == kinds[-2:]

    on_a_network(test)


def test_what_a_factory_raises_names_the_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "broken_factory.py").write_text(
        "import json\n\ndef create_app():\n    return json.loads('{')\n"
    )
    (tmp_path / "net.yaml").write_text(
        "name: x\nnodes: {web: {kind: computer, services: {80: 'broken_factory:create_app'}}}\n"
    )

    async def main() -> None:
        async with Network(tmp_path / "net.yaml", time="virtual"):
            raise AssertionError

    told = r"broken_factory:create_app: JSONDecodeError: .*\(broken_factory\.py:4\)$"
    with pytest.raises(StartError, match=told):
        run(main())
