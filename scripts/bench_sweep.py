"""What a run of a sweep costs: `netsim test --seeds`, and a test of pytest with `seeds=`.

Five nodes, three computers and two routers; two programs, one after the other, ask a third ten
questions over asyncio streams.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FEW, MANY = 20, 220
"""Runs; what differs between the two is what runs cost."""
QUESTIONS = 10
FILES = {
    "net.yaml": """\
name: sweep
nodes:
  one: {kind: computer}
  two: {kind: computer}
  r1: {kind: router}
  r2: {kind: router}
  sums: {kind: computer, run: "sums:serve", ready: 7000}
links:
  - {endpoints: [one, r1], delay: 1ms}
  - {endpoints: [two, r1], delay: 1ms}
  - {endpoints: [r1, r2], delay: 10ms, jitter: 1ms}
  - {endpoints: [r2, sums], delay: 1ms}
""",
    "sums.py": f"""\
import asyncio

total = 0

async def answer(reader, writer):
    global total
    while line := await reader.readline():
        total += int(line)
        writer.write(b"%d\\n" % total)
    writer.close()

async def serve():
    async with await asyncio.start_server(answer, "0.0.0.0", 7000) as server:
        await server.serve_forever()

async def ask():
    reader, writer = await asyncio.open_connection("sums", 7000)
    for number in range({QUESTIONS}):
        writer.write(b"%d\\n" % number)
        said = int(await reader.readline())
    writer.close()
    return said
""",
    "sweep.yaml": """\
name: sums
topology: net.yaml
steps:
  - run: {host: one, call: "sums:ask", expect: {returns: 45}}
  - run: {host: two, call: "sums:ask", expect: {returns: 90}}
""",
    "test_sums.py": """\
import pytest
import sums

@pytest.mark.asyncio
@pytest.mark.netsim("net.yaml", seeds=range(COUNT))
async def test_sums(network):
    assert await network["one"].run(sums.ask) == 45
    assert await network["two"].run(sums.ask) == 90
""",
}


def measure_sweep(rounds: int) -> dict[str, Any]:
    """CPU time of a run in ms, the processes that it is forked from included, and runs/s.

    Of pytest's runs the kernel takes the CPU time with them: nobody waits for their processes.
    """
    seen: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in FILES.items():
            (folder / file).write_text(text)
        for _ in range(rounds):
            for title, command in (("netsim test", _scenario), ("pytest", _test)):
                few, many = (_measured(command(folder, count), folder) for count in (FEW, MANY))
                cpu, took = ((b - a) / (MANY - FEW) for a, b in zip(few, many, strict=True))
                if command is _scenario:
                    seen.setdefault(f"{title} ms CPU", []).append(1000 * cpu)
                seen.setdefault(f"{title} runs/s", []).append(1 / took)
    return {title: statistics.median(values) for title, values in seen.items()}


def _scenario(folder: Path, count: int) -> list[str]:
    return ["netsim", "test", "--seeds", f"1..{count}", "sweep.yaml"]


def _test(folder: Path, count: int) -> list[str]:
    test = folder / f"test_sums_{count}.py"
    test.write_text(FILES["test_sums.py"].replace("COUNT", str(count)))
    return ["pytest", "-q", "-p", "no:cacheprovider", test.name]


def _measured(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU time and wall time of a command with its children, in seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True, stdout=subprocess.PIPE)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, took
