"""Programs that end their computer, and captures of computers that start again, in both times."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest
from networks import play
from plans import chain

from netsim import Network
from netsim.network.running_network import Time

FIELDS = ("-e", "frame.interface_name", "-e", "frame.time_epoch", "-e", "icmp.type")
PROGRAM = """\
import sys
async def leave(code):
    sys.exit(code)
"""


@pytest.mark.parametrize("time", ["virtual", "real"])
@pytest.mark.parametrize(
    ("code", "number", "logged"), [("3", 3, []), ("null", 0, []), ("gone away", 1, ["gone away"])]
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
        async with asyncio.timeout(10):
            while network.describe("web")["state"] != "dead":
                await asyncio.sleep(0.01)

    network = play(time, file, test)
    told = [re.sub(r" \(pid \d+\)", "", event.text) for event in network.timeline]
    assert told == [f"web ended with exit code {number}"]
    assert [line["text"] for line in network.logs("web")["lines"]] == logged
    assert capfd.readouterr() == ("", "")


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
    for path, interfaces in ((one, {"eth0"}), (both, {"eth0", "eth1"})):
        lines = subprocess.run(
            ["tshark", "-n", "-r", str(path), "-Y", "icmp", "-T", "fields", *FIELDS],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        rows = [line.split("\t") for line in lines]
        assert len(rows) >= 6 * len(interfaces)
        assert {name for name, _, _ in rows} == interfaces
        times = [float(at) for _, at, _ in rows]
        assert times == sorted(times)
