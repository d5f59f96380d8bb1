"""A program that computes for ever is ended, and told where it stands."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from netsim import Network, run
from netsim.core.errors import StuckError
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.scenario_run import execute
from netsim.virtual import stuck_watch

PROGRAM = "async def serve():\n    while True:\n        pass\n"
READS = """
import os

async def serve():
    os.read(os.pipe()[0], 1)
"""
TOPOLOGY = """\
name: stuck
nodes: {a: {kind: computer}, b: {kind: computer, run: "endless_program:serve"}}
links: [{endpoints: [a, b], delay: 1ms}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "endless_program.py").write_text(PROGRAM)
    (tmp_path / "net.yaml").write_text(TOPOLOGY)
    return tmp_path


def test_a_limit_of_real_time_ends_a_program_that_never_waits(folder: Path) -> None:
    scenario = folder / "s.yaml"
    scenario.write_text("name: s\ntopology: net.yaml\nlimits: {wall: 4s}\nsteps: [{wait: 1s}]\n")
    result = execute(load_scenario(scenario))
    assert not result.held
    failure = result.failures[0]
    assert "b has not waited for anything" in failure.seen
    assert "it stands at endless_program.py:" in failure.seen


def test_without_a_limit_it_has_the_longest_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuck_watch, "LONGEST_STEP", 3.0)

    async def main() -> list[str]:
        async with Network(folder / "net.yaml", time="virtual") as network:
            await asyncio.sleep(1)
            return [line["text"] for line in network.logs()["lines"]]

    lines = run(main())
    assert any("StuckError: b has not waited for anything" in line for line in lines)


def test_one_that_waits_in_the_kernel_is_ended_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "endless_program.py").write_text(READS)
    monkeypatch.setattr(stuck_watch, "LONGEST_STEP", 2.0)
    before = signal.getsignal(signal.SIGURG)

    async def main() -> list[str]:
        async with Network(folder / "net.yaml", time="virtual") as network:
            await asyncio.sleep(1)
            return [line["text"] for line in network.logs()["lines"]]

    lines = run(main())
    assert any("it stands at endless_program.py:5" in line for line in lines)
    assert signal.getsignal(signal.SIGURG) is before


def test_a_test_that_never_waits_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_watch, "LONGEST_STEP", 2.0)

    async def main() -> None:
        while True:
            pass

    words = r"the test has not waited .* test_stuck_programs\.py:"
    with pytest.raises(StuckError, match=words) as stuck:
        run(main())
    assert repr(stuck.value) == f"StuckError({str(stuck.value)!r})"
