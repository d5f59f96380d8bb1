"""`net.iperf` and `iperf3` at a node, in virtual time: their figures are exact."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import networkx
import pytest

from netsim import (
    InvalidValueError,
    IperfFailedError,
    IperfReport,
    Network,
    NoProgramsError,
    ToolRun,
    UnitError,
    UnknownNameError,
    run,
)
from netsim.core.time import SECOND
from netsim.tools.iperf_text import document

BANDWIDTH = 10_000_000
SEGMENT, FRAME = 1448, 1514
GOODPUT = BANDWIDTH * SEGMENT / FRAME

Result = TypeVar("Result")


def two_computers(**middle: Any) -> networkx.Graph[str]:
    """alice – r1 – web; the last cable is the narrow one."""
    graph: networkx.Graph[str] = networkx.Graph(name="two")
    graph.add_edge("alice", "r1", delay="1ms")
    graph.add_edge("r1", "web", **{"delay": "4ms", "bandwidth": "10mbit"} | middle)
    return graph


def on(
    graph: networkx.Graph[str], work: Callable[[Network], Awaitable[Result]]
) -> tuple[Result, dict[str, int]]:
    """What `work` comes to, and how many frames each direction of a link has dropped."""

    async def main() -> tuple[Result, dict[str, int]]:
        async with Network(graph, time="virtual") as network:
            found = await work(network)
            accounts = await network.accounts()
            return found, {each.name: sum(each.dropped.values()) for each in accounts}

    return run(main())


def test_what_arrives_is_what_the_link_lets_through() -> None:
    report, dropped = on(
        two_computers(queue=2000), lambda net: net.iperf("alice", "web", seconds=3)
    )
    assert not any(dropped.values())
    assert report.sent.retransmissions == 0
    assert report.sent.size == report.received.size
    # Frames follow each other without a gap once the window is open: TCP needs a second for that.
    arriving, _ = on(
        two_computers(queue=2000), lambda net: net.iperf("web", "alice", seconds=3, reverse=True)
    )
    for interval in arriving.intervals[1:]:
        assert interval.end_ns - interval.start_ns == SECOND
        assert abs(interval.size - GOODPUT / 8) <= SEGMENT
        assert interval.retransmissions is None
        assert interval.cwnd_bytes is None
    assert [each.end_ns for each in report.intervals] == [SECOND, 2 * SECOND, 3 * SECOND]
    # What TCP has taken by then, and one write that was under way, has arrived in the end.
    in_time = sum(each.size for each in report.intervals)
    assert 0 <= report.sent.size - in_time < 65_536


def test_retr_is_what_the_queue_has_dropped() -> None:
    report, dropped = on(two_computers(queue=30), lambda net: net.iperf("alice", "web", seconds=4))
    assert report.sent.retransmissions == dropped["r1/eth1"] > 0
    assert sum(dropped.values()) == dropped["r1/eth1"]
    assert sum(each.retransmissions or 0 for each in report.intervals) <= dropped["r1/eth1"]
    windows = [each.cwnd_bytes or 0 for each in report.streams[0].intervals]
    assert min(windows) > 2 * SEGMENT


def test_four_streams_share_a_link() -> None:
    report, dropped = on(
        two_computers(queue=50), lambda net: net.iperf("alice", "web", seconds=3, parallel=4)
    )
    assert len(report.streams) == 4
    assert len({stream.local for stream in report.streams}) == 4
    assert report.sent.retransmissions == sum(
        stream.sent.retransmissions or 0 for stream in report.streams
    )
    assert report.sent.retransmissions == dropped["r1/eth1"]
    assert report.received.size == sum(stream.received.size for stream in report.streams)
    assert report.received.bitrate_bps == pytest.approx(GOODPUT, rel=0.05)
    assert all(stream.received.size > 100_000 for stream in report.streams)
    assert report.intervals[0].retransmissions == sum(
        stream.intervals[0].retransmissions or 0 for stream in report.streams
    )


def test_in_reverse_the_server_sends() -> None:
    report, dropped = on(
        two_computers(queue=30),
        lambda net: net.iperf("web", "alice", seconds=2, reverse=True, interval=0.5),
    )
    assert report.sent.retransmissions == dropped["r1/eth1"] > 0
    assert len(report.intervals) == 4
    assert report.streams[0].remote == ("10.0.1.10", 5201)


def test_datagrams_that_the_queue_drops_are_lost() -> None:
    report, dropped = on(
        two_computers(queue=50),
        lambda net: net.iperf("alice", "web", udp=True, bitrate="12mbit", seconds=2),
    )
    # One every 965.3 µs, from the beginning on.
    expected = -(-2 * SECOND // (SEGMENT * 8 * SECOND // 12_000_000))
    assert report.sent.packets == expected
    assert report.received.packets == expected
    assert report.received.lost == dropped["r1/eth1"] > 0
    assert report.received.size == (expected - report.received.lost) * SEGMENT
    assert report.received.out_of_order == 0


def test_datagrams_that_come_evenly_have_no_jitter() -> None:
    report, _ = on(
        two_computers(),
        lambda net: net.iperf("alice", "web", udp=True, bitrate="5mbit", seconds=1, reverse=True),
    )
    assert report.received.jitter_ns == 0.0
    assert report.received.lost == 0
    assert report.sent.bitrate_bps == pytest.approx(5_000_000, rel=0.002)
    shaken, _ = on(
        two_computers(jitter="2ms"),
        lambda net: net.iperf("alice", "web", udp=True, bitrate="1mbit", seconds=5),
    )
    # Two delays of 4 ms ± 2 ms, drawn evenly, differ by 1.33 ms on average.
    assert shaken.received.jitter_ns == pytest.approx(1.33e6, rel=0.3)


def test_what_never_arrives_is_not_waited_for_for_ever() -> None:
    async def work(network: Network) -> IperfReport:
        measuring = asyncio.ensure_future(network.iperf("alice", "web", seconds=2))
        await asyncio.sleep(1.2)
        await network.link("r1", "web").hold()
        before = network.now()
        report = await measuring
        assert (network.now() - before) / SECOND == pytest.approx(0.8 + 20, abs=0.1)
        return report

    report, _ = on(two_computers(), work)
    assert 0 < report.received.size < report.sent.size


# As a command ----------------------------------------------------------------------------------


def command(*argv: str, graph: networkx.Graph[str] | None = None) -> Any:
    async def work(network: Network) -> Any:
        return await network["alice"].exec("iperf3", *argv)

    return on(graph or two_computers(), work)[0]


INTERVAL = re.compile(
    r"\[ *(\d+|SUM)\] +\d+\.\d\d-\d+\.\d\d +sec +[\d.]+ [KMG]?Bytes +[\d.]+ [KMG]?bits/sec"
)
"""What scripts look for in the lines of iperf3."""


def test_the_lines_are_iperf3s() -> None:
    lines = command("-c", "web", "-t", "2", "-P", "2").stdout.splitlines()
    assert lines[0] == "Connecting to host web, port 5201"
    assert re.fullmatch(
        r"\[  5\] local 10.0.1.10 port \d+ connected to 10.0.2.10 port 5201", lines[1]
    )
    assert lines[3] == "[ ID] Interval           Transfer     Bitrate         Retr  Cwnd"
    assert len([line for line in lines if INTERVAL.match(line)]) == 12
    assert re.fullmatch(
        r"\[  5\]   0\.00-1\.00   sec  +[\d.]+ [KM]Bytes  +[\d.]+ Mbits/sec +\d+   +[\d.]+ KBytes",
        lines[4],
    )
    assert lines[6].startswith("[SUM]   0.00-1.00   sec")
    assert lines[7] == "- - - - - - - - - - - - - - - - - - - - - - - - -"
    assert lines[-3].startswith("[SUM]")
    assert lines[-3].endswith("receiver")
    assert lines[-1] == "iperf Done."
    udp = command("-c", "web", "-t", "1", "-u", "-b", "5M", "-R").stdout
    assert "Reverse mode, remote host web is sending" in udp
    assert re.search(r"  0\.000 ms  0/432 \(0%\)  receiver", udp)


def test_the_json_has_iperf3s_keys() -> None:
    found = json.loads(command("-c", "web", "-t", "2", "-i", "0", "-J").stdout)
    assert list(found) == ["start", "intervals", "end", "untrusted"]
    assert found["untrusted"] == ""
    assert found["start"]["test_start"]["protocol"] == "TCP"
    (interval,) = found["intervals"]
    assert interval["sum"]["bytes"] == interval["streams"][0]["bytes"]
    assert {"socket", "start", "end", "bytes", "bits_per_second", "retransmits", "snd_cwnd"} <= set(
        interval["streams"][0]
    )
    ends = found["end"]
    assert ends["sum_sent"]["bytes"] == ends["sum_received"]["bytes"]
    assert ends["streams"][0]["receiver"]["sender"] is False
    report, _ = on(two_computers(), lambda net: net.iperf("alice", "web", udp=True, seconds=1))
    received = document(report)["end"]["sum_received"]
    assert (received["lost_packets"], received["packets"], received["jitter_ms"]) == (0, 87, 0.0)


def test_ctrl_c_prints_what_was_measured() -> None:
    async def work(network: Network) -> tuple[int, str, str]:
        printed = {"stdout": b"", "stderr": b""}

        def output(stream: str, data: bytes) -> None:
            printed[stream] += data

        order = ToolRun(argv=("iperf3", "-c", "web"), cwd="/", output=output)
        running = asyncio.ensure_future(network.exec("alice", order))
        await asyncio.sleep(1.5)
        order.interrupt.set()
        code = await running
        return code, printed["stdout"].decode(), printed["stderr"].decode()

    (code, stdout, stderr), _ = on(two_computers(), work)
    assert code == 130
    assert stderr == "iperf3: interrupt - the client has terminated\n"
    lines = stdout.splitlines()
    assert [line[5:18].strip() for line in lines if INTERVAL.match(line)][:2] == [
        "0.00-1.00",
        "1.00-1.48",
    ]
    assert lines[-1].endswith("receiver")
    assert "iperf Done." not in lines


@pytest.mark.parametrize("gone", ["web", "alice"])
def test_a_node_that_dies_meanwhile_is_named(gone: str) -> None:
    async def work(network: Network) -> str:
        measuring = asyncio.ensure_future(network.iperf("alice", "web"))
        await asyncio.sleep(1.5)
        await network.crash(gone)
        with pytest.raises(ConnectionError) as caught:
            await measuring
        ended = await network["r1"].exec("iperf3", "-c", gone)
        assert (ended.code, ended.stdout) == (1, "")
        assert ended.stderr.startswith(f"iperf3: error - {gone} is not running")
        return str(caught.value)

    assert gone in on(two_computers(), work)[0]


def test_connections_that_are_reset_end_it() -> None:
    async def work(network: Network) -> str:
        measuring = asyncio.ensure_future(network.iperf("alice", "web"))
        await asyncio.sleep(1.5)
        await network.connections("web", 5201).reset()
        with pytest.raises(IperfFailedError) as caught:
            await measuring
        return str(caught.value)

    assert on(two_computers(), work)[0] == "connection reset by peer"


def test_nothing_is_left_behind() -> None:
    async def work(network: Network) -> str:
        cancelled = asyncio.ensure_future(network.iperf("alice", "web", parallel=3))
        await asyncio.sleep(1.0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        await network.iperf("alice", "web", udp=True, seconds=0.5)
        await asyncio.sleep(1.0)
        return (await network["web"].exec("ss", "-tulna")).stdout

    assert "5201" not in on(two_computers(), work)[0]


def test_what_cannot_be_measured_is_said() -> None:
    assert "web" in command("-c", "web", "-t", "0.2").stdout
    for argv, code, words in (
        (("-c", "nobody"), 1, "two has no computer 'nobody'"),
        (("-c", "web", "-b", "1M"), 2, "TCP sends as fast as it can; write -u beside a bitrate"),
        (("-c", "web", "-u", "-b", "fast"), 2, "`fast` is not a rate"),
        (("-c", "web", "-t", "0"), 2, "'0' is not a time"),
        (("-c", "web", "-i", "0.01"), 2, "an interval of 0.01 s; write 0.1 or more"),
        (("-c", "web", "-P", "200"), 2, "out of range: 1 to 128"),
        (("-c", "web", "-p", "80"), 2, "-p is not there; a port is found that is free"),
        ((), 2, "to where? write for example `iperf3 -c web`"),
    ):
        ended = command(*argv)
        assert ended.code == code
        assert words in ended.stderr
    server = command("-s")
    assert (server.code, server.stderr) == (0, "")
    assert "`iperf3 -c alice` at another node" in server.stdout


def test_wrong_calls_raise() -> None:
    async def work(network: Network) -> None:
        for error, options in (
            (InvalidValueError, {"parallel": 0}),
            (InvalidValueError, {"seconds": 0}),
            (InvalidValueError, {"bitrate": "1mbit"}),
            (InvalidValueError, {"udp": True, "length": 4}),
            (UnitError, {"udp": True, "bitrate": "1"}),
        ):
            with pytest.raises(error):
                await network.iperf("alice", "web", **options)
        with pytest.raises(UnknownNameError):
            await network.iperf("nobody", "web")
        with pytest.raises(UnknownNameError):
            await network.iperf("alice", "nobody")
        with pytest.raises(NoProgramsError):
            await network.iperf("s1", "web")

    graph = two_computers()
    graph.add_node("s1", kind="switch")
    graph.add_edge("s1", "r1")
    on(graph, work)
