"""Programs that end their computer, and captures of computers that start again, in both times."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from networks import play, until
from plans import chain

from netsim import CapturedFrame, Network, run
from netsim.core.errors import InvalidFilterError
from netsim.core.time import Time
from netsim.observe.pcapng import (
    CaptureTarget,
    Packet,
    PcapngAppender,
    PcapngReader,
    Statistics,
    read_block,
)
from netsim.observe.tap import Direction

FIELDS = ("-e", "frame.interface_name", "-e", "frame.time_epoch", "-e", "icmp.type")
PROGRAM = """\
import sys
async def leave(code):
    sys.exit(code)
"""


@pytest.mark.parametrize("time", ["virtual", "real"])
@pytest.mark.parametrize(
    ("code", "number", "logged"),
    [
        ("3", 3, ["ended with exit code 3"]),
        ("null", 0, []),
        ("gone away", 1, ["gone away", "ended with exit code 1"]),
    ],
)
def test_sys_exit_says_the_same_in_both_times(
    time: Time,
    code: str,
    number: int,
    logged: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    module = f"leaving_{time}"
    (tmp_path / f"{module}.py").write_text(PROGRAM)
    file = tmp_path / "one.yaml"
    file.write_text(
        f"name: one\nnodes:\n  web:\n    kind: computer\n"
        f'    run: {{call: "{module}:leave", args: {{code: {code}}}}}\n'
    )

    async def test(network: Network) -> None:
        await until(network, lambda: network.describe("web")["state"] == "dead")

    network = play(time, file, test)
    told = [re.sub(r" \(pid \d+\)", "", event.text) for event in network.timeline]
    assert told == [f"web ended with exit code {number}"]
    assert [line["text"] for line in network.logs("web")["lines"]] == logged
    assert capfd.readouterr() == ("", "")


def test_a_process_that_dies_by_itself_fails_the_run_and_a_crash_does_not(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(
        "import os, signal\nasync def die():\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    (tmp_path / "net.yaml").write_text(
        "name: two\nnodes:\n  a: {kind: computer}\n  b: {kind: computer, run: 'dying:die'}\n"
        "links: [[a, b]]\n"
    )

    async def test(network: Network) -> None:
        await until(network, lambda: network.describe("b")["state"] == "dead")
        await network["a"].crash()

    network = play("real", tmp_path / "net.yaml", test)
    logged = [(each.node, each.text) for each in network.errors]
    assert logged == [("b", "was killed by SIGSEGV")]
    assert [event.node for event in network.exits] == ["b"]


async def reach_web(network: Network) -> None:
    async with asyncio.timeout(20):
        while not (await network["alice"].ping("web", count=1)).received:
            pass


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_a_capture_goes_on_when_its_node_starts_again(time: Time, tmp_path: Path) -> None:
    one, both = tmp_path / "one.pcapng", tmp_path / "both.pcapng"

    async def test(network: Network) -> None:
        await network.capture("r1:eth0", one)
        await network.capture("r1", both)
        for _ in range(2):
            await reach_web(network)
            await network["r1"].restart()
        await network["r1"].crash()
        await network["r1"].start()
        await reach_web(network)

    play(time, chain(), test)
    for path, interfaces in ((one, {"r1:eth0"}), (both, {"r1:eth0", "r1:eth1"})):
        rows = pings_in(path)
        assert len(rows) >= 6 * len(interfaces)
        assert {name for name, _, _ in rows} == interfaces
        times = [float(at) for _, at, _ in rows]
        assert times == sorted(times)


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_captures_share_a_file(time: Time, tmp_path: Path) -> None:
    """What is there already is not captured twice; a failed capture is no trouble to the others."""
    file = tmp_path / "shared.pcapng"

    async def test(network: Network) -> None:
        await network["web"].crash()
        with pytest.raises(ConnectionError):
            await network.capture("web", file)
        await network["web"].start()
        for where in ("alice", "r1:eth1", "r1", "web", "alice:eth0"):
            await network.capture(where, file)
        await network["alice"].ping("web", count=2)

    play(time, chain(), test)
    rows = pings_in(file)
    seen = sorted((name, kind) for name, _, kind in rows)
    places = ("alice:eth0", "r1:eth0", "r1:eth1", "web:eth0")
    assert seen == sorted((place, kind) for place in places for kind in ("0", "0", "8", "8"))
    # One clock. What a router gets it sends at the same time.
    for kind, way in (("8", places), ("0", places[::-1])):
        passed = sorted((float(at), way.index(name)) for name, at, each in rows if each == kind)
        assert [place for _, place in passed[:4]] == [0, 1, 2, 3]


def test_of_captures_of_several_runs_into_one_file_one_stays_and_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "shared.pcapng"

    async def main() -> None:
        async with (
            Network(chain(), time="virtual") as one,
            Network(chain(), time="virtual", name="two") as two,
        ):
            for network in (one, two):
                await network.capture("alice:eth0", file)
            for network, count in ((one, 2), (two, 3), (one, 2)):
                await network["alice"].ping("web", count=count)
            assert not file.exists()

    run(main())
    assert len(pings_in(file)) == 8  # of the one that ended last
    assert list(tmp_path.glob("shared*")) == [file]


def test_a_capture_into_a_fifo_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    async def test(network: Network) -> None:
        with pytest.raises(OSError, match="No such device or address"):
            await network.capture("r1", tmp_path / "fifo")

    play("virtual", chain(), test)


def pings_in(path: Path) -> list[list[str]]:
    """Interface, time and type of every ICMP message in a capture."""
    lines = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-Y", "icmp", "-T", "fields", *FIELDS],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [line.split("\t") for line in lines]


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_a_filter_says_which_packets(time: Time, tmp_path: Path) -> None:
    file = tmp_path / "only.pcapng"

    async def test(network: Network) -> None:
        await network.capture("r1:eth0", file, filter="icmp and src host web")
        await network["alice"].ping("web", count=2)
        with pytest.raises(InvalidFilterError, match="write `web`"):
            network.capture("r1", file, filter="host wbe")

    play(time, chain(), test)
    assert [kind for _, _, kind in pings_in(file)] == ["0", "0"]


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_a_file_says_of_each_frame_what_a_live_capture_says(time: Time, tmp_path: Path) -> None:
    file = tmp_path / "lossy.pcapng"
    live: list[CapturedFrame] = []

    async def test(network: Network) -> None:
        await network["alice"].ping("web", count=1)
        await network.capture("alice", file, filter="icmp")
        async with network.live_capture("alice", filter="icmp") as capture:
            async with network.link("alice", "s1").set(loss="100%", from_="alice"):
                await network["alice"].ping("web", count=1, timeout=0.2)
            async with network.link("alice", "s1").set(queue="2000B", bandwidth="1mbit"):
                await network["alice"].exec("ping", "-c1", "-s", "9000", "-W", "1", "web")
            async with network.link("alice", "s1").set(loss="100%", from_="s1"):
                await network["alice"].ping("web", count=1, timeout=0.2)
        live.extend([passed async for passed in capture])

    play(time, chain(), test)
    written = [
        packet
        for block in PcapngReader().blocks(file.read_bytes())
        if isinstance(packet := read_block(block), Packet)
    ]
    told = [(each.time_ns - live[0].time_ns, each.direction, each.dropped) for each in live]
    first = written[0].timestamp_ns
    assert [(each.timestamp_ns - first, each.direction, each.dropped) for each in written] == told
    assert [each.frame for each in written] == [each.frame for each in live]
    assert {dropped for _, _, dropped in told} == {"", "loss", "queue"}
    assert (Direction.OUTBOUND, "queue") in [told[1:] for told in told]


def test_a_pipe_that_nobody_empties_holds_up_no_node(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    async def test(network: Network) -> None:
        await network.capture("r1", pipe)
        async with asyncio.timeout(30):
            await network["alice"].transfer("web", size="500KB")
        await network["r1"].stop()
        told = [line["text"] for line in network.logs()["lines"]]
        assert any(re.search(r"pipe lacks \d+ packets", text) for text in told), told

    try:
        play("real", chain(), test)
    finally:
        os.close(reader)


@pytest.mark.parametrize("rest", [0, 100])
def test_a_full_disk_leaves_whole_blocks(rest: int, tmp_path: Path) -> None:
    """`rest` octets of a block have room when the disk is full, and the others when it is not."""

    class Disk(io.BytesIO):
        room = 0

        def write(self, data: Any) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            fits, self.room = data[: self.room], max(0, self.room - len(data))
            return super().write(fits)

    disk = Disk()
    appender = PcapngAppender(disk, CaptureTarget("x", {"eth0": 0}, 0))
    for room in (10_000, rest, 0, 10_000, 10_000):
        disk.room = room
        appender.add((5, 0, Direction.INBOUND, bytes(60) + bytes([room & 0xFF]), ""))
    lost = 1 if rest else 2
    assert appender.lost == {0: lost}
    appender.finish()
    blocks = list(PcapngReader().blocks(disk.getvalue()))
    assert sum(map(len, blocks)) == len(disk.getvalue())
    assert len(blocks) == 4 + bool(rest)
    assert read_block(blocks[-1]) == Statistics(0, 5, lost)
