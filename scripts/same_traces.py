"""Do two versions of netsim put the same frames onto the same cables at the same times?

    scripts/same_traces OTHER [SCENARIO…]

OTHER is a commit or a directory with a checkout. Scenario files (those of tests/scenarios and
tests/traces where none is named) run in virtual time on both, with several seeds, and the traces
are compared byte for byte. What differs is shown: the first frame that does, in both.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

from checkouts import ROOT, checkout

SEEDS = 3


def scenarios() -> list[Path]:
    """Every scenario file of the examples, and those that are here for their frames."""
    return sorted(
        file
        for folder in ("scenarios", "traces")
        for file in (ROOT / "tests" / folder).glob("*.yaml")
        if "\nsteps:" in file.read_text()
    )


def write_trace(source: Path, scenario: Path, seed: int, trace: Path) -> str:
    """Run it with the netsim at `source`; gives what went wrong, and nothing if it held."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "netsim", "test", "--jobs", "1", "--time", "virtual"),
            *("--seed", str(seed), "--trace", str(trace), str(scenario)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONHASHSEED": "0"},
        cwd=trace.parent,
    )
    return "" if ended.returncode == 0 else ended.stdout


def difference(ours: Path, theirs: Path) -> str:
    """The first line of two traces that differs, in both."""
    with ours.open() as a, theirs.open() as b:
        for number, (mine, other) in enumerate(zip_longest(a, b, fillvalue="(ends)\n"), 1):
            if mine != other:
                return f"  line {number}, here:  {mine}  line {number}, there: {other}"
    return ""


def main() -> int:
    """Compare; 1 when something differs, or does not hold in either."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", help="a commit, or a directory with a checkout")
    parser.add_argument("scenarios", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many (%(default)s)")
    options = parser.parse_intermixed_args()
    different = 0
    with tempfile.TemporaryDirectory() as folder, checkout(options.other) as other:
        ours, theirs = Path(folder) / "here.jsonl", Path(folder) / "there.jsonl"
        for scenario in [path.resolve() for path in options.scenarios] or scenarios():
            for seed in range(1, options.seeds + 1):
                said = write_trace(ROOT, scenario, seed, ours)
                said_there = write_trace(other, scenario, seed, theirs)
                frames = sum(1 for _ in ours.open())
                found = difference(ours, theirs)
                if said != said_there:
                    found += f"  it said here:\n{said}\n  and there:\n{said_there}\n"
                digest = hashlib.sha256(ours.read_bytes()).hexdigest()[:16]
                verdict = "DIFFERS" if found else "same" if not said else "FAILS"
                print(f"{verdict:8}{scenario.name} seed {seed}: {frames} frames, {digest}")
                print(found, end="", flush=True)
                if said and not found:
                    print(said, end="", flush=True)
                different += bool(found or said)
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
