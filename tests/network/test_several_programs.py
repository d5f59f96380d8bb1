"""`run:` with several programs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from netsim import Network, run

FILE = """\
name: two
nodes:
  a:
    kind: computer
    run: ["several_beats:beat", {call: "several_beats:beat", args: {every: 2}}]
"""
PROGRAM = """\
import asyncio
async def beat(every=3):
    while True:
        await asyncio.sleep(every)
        print("beat", every, flush=True)
"""


def test_all_of_them_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "several_beats.py").write_text(PROGRAM)
    (tmp_path / "two.yaml").write_text(FILE)

    async def test() -> None:
        async with Network(tmp_path / "two.yaml", time="virtual") as net:
            await asyncio.sleep(6.5)
            lines = [line["text"] for line in net.logs()["lines"]]
            assert sorted(lines) == ["beat 2", "beat 2", "beat 2", "beat 3", "beat 3"]

    run(test())
