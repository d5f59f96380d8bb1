"""What `scripts/ratchet` and `scripts/bench compare` measure: work whose cost is CPU seconds.

Only the public Python API is used, so that the same work runs on another checkout, whose modules
may lie elsewhere. This file imports nothing of netsim at its top, and runs by itself:

    PYTHONPATH=CHECKOUT:scripts python -m workloads ROW [ROUNDS]

prints one line of JSON, `{"rate": …, "yardstick": …}`, for each round. Both are operations for a
CPU second, measured in turn in one process: A B A B.
"""

from __future__ import annotations

import compileall
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path
from struct import Struct

import real_workloads
import virtual_workloads

SCRIPTS = Path(__file__).resolve().parent


class _Cell:
    __slots__ = ("count", "queue", "table")

    def __init__(self) -> None:
        self.count = 0
        self.queue: list[tuple[int, int, bytes]] = []
        self.table = {number: number * 7 for number in range(64)}

    def accept(self, due: int, data: bytes) -> None:
        """Look something up, keep it in order of time."""
        self.count += self.table[due & 63] & 1
        heappush(self.queue, (due, self.count, data))

    def release(self) -> bytes:
        """The earliest."""
        return heappop(self.queue)[2]


_HEADER = Struct("!HHIIHH")


CELLS = 256
"""Together about as much memory as a small network uses: who shares the cache slows both alike."""


def pure_python() -> float:
    """What an interpreter does all day, without netsim: steps for a CPU second.

    Method calls, attributes, heaps, dictionaries, `struct` and slices of bytes, in about the
    proportions of a network stack.
    """
    steps = 100_000
    data = bytes(range(256)) * 4
    cells = [_Cell() for _ in range(CELLS)]
    for cell in cells:
        for due in range(4):
            cell.accept(due, data[due:])
    chosen = 0
    began = time.process_time()
    for step in range(steps):
        chosen = (chosen * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        cell = cells[chosen >> 8 & CELLS - 1]
        text = cell.release()
        a, b, c, _, _, _ = _HEADER.unpack_from(text, 20)
        head = _HEADER.pack(b, a, c, step, step & 0xFFFF, 0)
        cell.accept((step * 37) & 0xFFF, head + text[16:])
    return steps / (time.process_time() - began)


ROWS: dict[str, Callable[[], float]] = {**virtual_workloads.ROWS, **real_workloads.ROWS}
"""By name: operations for a CPU second, more being better."""


def measure(row: str, rounds: int, checkout: Path) -> float:
    """Median of what the netsim of a checkout does in a million steps of the yardstick."""
    # A user has compiled files: who asks not to write them would measure the compiler.
    compileall.compile_dir(checkout / "netsim", quiet=1)
    environment = {**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{SCRIPTS}"}
    with tempfile.TemporaryDirectory() as folder:
        output = subprocess.run(
            [sys.executable, "-m", "workloads", row, str(rounds)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=folder,
        ).stdout
    seen = [json.loads(line) for line in output.splitlines()]
    return statistics.median(1e6 * each["rate"] / each["yardstick"] for each in seen)


def main() -> None:
    """Measure one row, some rounds, each beside the yardstick."""
    row = ROWS[sys.argv[1]]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if row in virtual_workloads.ROWS.values():
        row()  # imports, caches: here in this process
    before = pure_python()
    for _ in range(rounds):
        gc.collect()
        rate = row()
        after = pure_python()
        print(json.dumps({"rate": rate, "yardstick": (before + after) / 2}), flush=True)
        before = after


if __name__ == "__main__":
    main()
