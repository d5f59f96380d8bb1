"""`Network.record`: what is measured, when, and that nothing else changes by it."""

from __future__ import annotations

import asyncio
import csv
import itertools
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from plans import plan_of

from netsim import (
    DeadlockError,
    InvalidValueError,
    Measurement,
    Network,
    NotAwaitedError,
    UnitError,
    UnknownNameError,
    run,
)
from netsim.core.time import MILLISECOND, SECOND
from netsim.network import measuring
from netsim.site import recorder

PLAN = plan_of("alice r1 delay=1ms", "r1 web delay=10ms bandwidth=10mbit queue=64KiB", "r1 s1")
QUEUE = 64 * 1024
"""Before r1:eth1."""


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


async def transfer(network: Network, size: str = "2MiB") -> int:
    return (await network["alice"].transfer("web", size)).elapsed_ns


def test_queue_rate_and_windows_over_network_time(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            async with network.record("r1:eth1", "alice", to=path) as recording:
                await transfer(network)
            assert recording.lines == len(lines_of(path))
            assert recording.left_out == 0
            await asyncio.sleep(1)
            assert recording.lines == len(lines_of(path))

    run(main())
    header = path.read_text().partition("\n")[0].strip()
    assert header == (
        "time_s,node,interface,local,remote,cwnd_bytes,ssthresh_bytes,rtt_ms,in_flight_bytes,"
        "queue_packets,queue_bytes,rate_bps,received_bps,dropped"
    )
    lines = lines_of(path)
    of_queue = [line for line in lines if line["node"] == "r1"]
    assert {line["interface"] for line in of_queue} == {"eth1"}
    times = [float(line["time_s"]) for line in of_queue]
    assert [round((b - a) * 1000) for a, b in itertools.pairwise(times)] == [10] * (len(times) - 1)
    octets = [int(line["queue_bytes"]) for line in of_queue]
    assert 0.9 * QUEUE < max(octets) <= QUEUE
    for line in of_queue:
        assert int(line["queue_bytes"]) <= int(line["queue_packets"]) * 1514
    assert of_queue[0]["rate_bps"] == ""
    rates = [int(line["rate_bps"]) for line in of_queue[1:]]
    # Whole frames in 10 ms: 8 or 9 of them at 10 Mbit/s.
    assert max(rates) <= 10_000_000 + 1514 * 8 * 100
    assert sum(rates) / 100 / 8 == pytest.approx(2 * 1024 * 1024 * 1514 / 1448, rel=0.05)
    assert sum(int(line["dropped"]) for line in of_queue[1:]) > 0

    connections = [line for line in lines if line["local"]]
    assert {line["node"] for line in connections} == {"alice"}
    assert {line["local"].partition(":")[0] for line in connections} == {"10.0.1.10"}
    established = [line for line in connections if line["cwnd_bytes"]]
    for line in established:
        assert int(line["in_flight_bytes"]) <= int(line["cwnd_bytes"]) + 3 * 1448
    largest = max(int(line["cwnd_bytes"]) for line in established)
    # Before the first loss there is no threshold; then the window is halved, or nearly.
    assert established[0]["ssthresh_bytes"] == ""
    assert 0 < int(established[-1]["ssthresh_bytes"]) < largest
    # 22 ms there and back, and 52 ms of a full queue.
    assert 22 < max(float(line["rtt_ms"]) for line in established if line["rtt_ms"]) < 85
    acknowledged = sum(int(line["rate_bps"]) for line in connections if line["rate_bps"])
    assert acknowledged / 100 / 8 == pytest.approx(2 * 1024 * 1024, rel=0.05)


def test_a_run_is_the_same_with_and_without(tmp_path: Path) -> None:
    def trace(name: str, measured: bool) -> bytes:
        async def main() -> None:
            async with Network(PLAN, time="virtual") as network:
                network.trace_frames(tmp_path / name)
                if measured:
                    await network.record("alice", "r1", "web", "s1", to=tmp_path / "m", every="1ms")
                await transfer(network, "200KiB")

        run(main())
        return (tmp_path / name).read_bytes()

    assert trace("with", True) == trace("without", False)
    assert len(lines_of(tmp_path / "m")) > 1000


def test_it_repeats(tmp_path: Path) -> None:
    def measured(name: str) -> bytes:
        async def main() -> None:
            async with Network(PLAN, time="virtual") as network:
                await network.record("alice", "r1:eth1", to=tmp_path / name)
                await transfer(network, "200KiB")

        run(main())
        return (tmp_path / name).read_bytes()

    assert measured("a") == measured("b")


def test_it_may_be_awaited_and_goes_on_until_the_network_stops(tmp_path: Path) -> None:
    seen: list[Measurement] = []

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network.record(
                "web", to=tmp_path / "out.csv", every="100ms", on_measured=seen.extend
            )
            await asyncio.sleep(0.95)

    run(main())
    lines = lines_of(tmp_path / "out.csv")
    assert len(lines) == len(seen) == 10
    assert {(each.node, each.interface) for each in seen} == {("web", "eth0")}
    assert [each.time_ns // MILLISECOND for each in seen] == [1 + 100 * n for n in range(10)]
    assert float(lines[3]["time_s"]) == seen[3].time_ns / SECOND


def test_a_deadlock_is_noticed_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network.record("alice", "r1", to=tmp_path / "out.csv")
            await network.record("web", to=tmp_path / "web.csv", every="7ms")
            await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError):
        run(main())


def test_a_node_that_is_down_is_measured_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            await network.record("web", "alice", to=tmp_path / "out.csv", every="100ms")
            async with network["web"].crash():
                await asyncio.sleep(1)
            await asyncio.sleep(1)

    run(main())
    lines = lines_of(tmp_path / "out.csv")
    times = [float(line["time_s"]) for line in lines if line["node"] == "web"]
    assert times[0] > 1
    assert 9 <= len(times) <= 11
    assert len([line for line in lines if line["node"] == "alice"]) in (20, 21)


# Mistakes and limits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "every", "error", "text"),
    [
        ((), "10ms", InvalidValueError, "nothing is to be measured"),
        (("alcie",), "10ms", UnknownNameError, "no node 'alcie'; write `alice`"),
        (("r1:eth7",), "10ms", UnknownNameError, "r1 has no interface 'eth7'; write"),
        (("r1",), "10", UnitError, "has no unit"),
        (("r1",), "1us", InvalidValueError, "too often; write `100us` or more"),
    ],
)
def test_mistakes(
    tmp_path: Path, where: tuple[str, ...], every: str, error: type[Exception], text: str
) -> None:
    network = Network(PLAN, time="virtual")
    with pytest.raises(error, match=text):
        network.record(*where, to=tmp_path / "out.csv", every=every)
    network.unused.check()


def test_one_that_is_not_awaited_does_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            kept = network.record("alice", to=tmp_path / "out.csv")
        assert kept.lines == 0

    with pytest.raises(NotAwaitedError):
        run(main())
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            with pytest.raises(FileNotFoundError):
                await network.record("alice", to=tmp_path / "none" / "out.csv")

    run(main())


def test_a_full_disk_ends_no_network(tmp_path: Path) -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            (tmp_path / "full").symlink_to("/dev/full")
            recording = network.record("alice", to=tmp_path / "full", every="10ms")
            with pytest.raises(OSError, match="No space left"):
                await recording
            assert await transfer(network, "10KiB")

    run(main())


def test_a_disk_that_becomes_full_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            async with network.record("alice", to=tmp_path / "out.csv", every="10ms") as recording:
                full: Any = recording
                full._file.close()
                full._file = open("/dev/full", "w")  # noqa: SIM115  # it is closed by the recording
                full._writer = csv.writer(full._file)
                await asyncio.sleep(2)
            assert recording.lines == 0
            assert recording.left_out == pytest.approx(200, abs=2)
            told = [event.text for event in network.timeline if event.kind == "error"]
            assert len(told) == 1
            assert told[0].endswith(
                "out.csv: No space left on device; nothing more is written to it"
            )

    run(main())


def test_who_is_told_and_fails_is_told_no_more(tmp_path: Path) -> None:
    calls: list[object] = []

    def fail(measured: object) -> None:
        calls.append(measured)
        raise LookupError("no such plot")

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            to = tmp_path / "out.csv"
            async with network.record("r1", to=to, on_measured=fail) as recording:
                await asyncio.sleep(1)
            assert recording.lines > 200
            told = [event.text for event in network.timeline if event.kind == "error"]
            assert told == [f"on_measured of {to}: LookupError: no such plot"]

    run(main())
    assert len(calls) == 1


def test_what_is_too_much_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "MOST_LINES", 30)
    monkeypatch.setattr(recorder, "MOST_CONNECTIONS", 1)

    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            both = transfer(network, "200KiB"), transfer(network, "200KiB")
            transfers = asyncio.gather(*both)
            await asyncio.sleep(0.2)
            async with network.record("alice", to=tmp_path / "out.csv", every="10ms") as recording:
                await asyncio.sleep(0.1)
            # The interface and one connection of two, ten times.
            assert (recording.lines, recording.left_out) == (20, 10)
            async with network.record("alice", to=tmp_path / "out.csv", every="1ms") as recording:
                await asyncio.sleep(0.1)
            assert recording.lines == len(lines_of(tmp_path / "out.csv")) == 30
            assert recording.left_out > 100
            await transfers

    run(main())


# In real time ---------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_processes_measure_at_the_same_times(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    async with Network(PLAN, name="recorded") as network:
        async with network.record("r1:eth1", "alice", "s1", to=path, every="20ms") as recording:
            await transfer(network, "1MiB")
            async with network["alice"].crash():
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
        assert recording.lines == len(lines_of(path))
    lines = lines_of(path)
    phases: dict[str, Counter[int]] = defaultdict(Counter)
    for line in lines:
        phases[line["node"]][round(float(line["time_s"]) * 1e9) % (20 * MILLISECOND)] += 1
    # A process that is late for want of processors measures when it can.
    assert len({each.most_common(1)[0][0] for each in phases.values()}) == 1
    assert {line["node"] for line in lines} == {"alice", "r1", "s1"}
    assert max(int(line["queue_packets"]) for line in lines if line["node"] == "r1") > 10
    assert max(float(line["rtt_ms"]) for line in lines if line["rtt_ms"]) > 22
    # alice goes on when she has started again.
    end = max(float(line["time_s"]) for line in lines)
    assert any(line["node"] == "alice" and float(line["time_s"]) > end - 0.2 for line in lines)
