"""Everything that .ci/run has no time for, one after the other.

Each part's output is kept in `.nightly/`. At the end the table in docs/testing.md is written anew
and committed, by itself, so that everybody sees what held last and when. Exit code 1 when a part
failed. `--short` gives the long parts a minute: to try this script, not the product; it writes
and commits nothing.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".nightly"
PAGE = ROOT / "docs" / "testing.md"
TABLE = re.compile(r"(?<=<!-- nightly -->\n).*?(?=<!-- end of nightly -->)", re.S)
WIDEST = 100
"""Characters of the line that tells what a part said."""


@dataclass(frozen=True)
class Part:
    """A command, and what it is for."""

    name: str
    command: list[str]
    short: list[str] | None = None
    """The same in a minute, where that differs."""


@dataclass(frozen=True)
class Result:
    """How a part ended."""

    part: Part
    held: bool
    seconds: float
    said: str


PARTS = [
    Part("the whole suite", ["scripts/test"], ["scripts/test", "--fast"]),
    Part(
        "the suite with the newest of everything",
        ["scripts/test", "--newest"],
        ["scripts/test", "--newest", "tests/core"],
    ),
    Part("every interpreter", ["scripts/interpreters"]),
    Part("the package on each Python", ["scripts/release"]),
    Part(
        "the scenarios in real time",
        ["scripts/netsim", "test", "--time", "real", "-j", "1", "tests/scenarios"],
    ),
    Part(
        "the scenarios under a hundred seeds",
        ["scripts/netsim", "test", "--seeds", "1..100", "tests/scenarios"],
        ["scripts/netsim", "test", "--seeds", "1..3", "tests/scenarios"],
    ),
    Part("planted bugs under ten seeds", ["scripts/planted_bugs"]),
    Part("fuzzing, ten minutes a target", ["scripts/fuzz", "600"], ["scripts/fuzz", "5"]),
    Part("the campus under load for an hour", ["scripts/soak", "3600"], ["scripts/soak", "60"]),
    Part("the benchmarks", ["scripts/bench"], ["scripts/bench", "startup"]),
]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a minute for what takes long")
    arguments = parser.parse_args()
    LOGS.mkdir(exist_ok=True)
    results = []
    for part in PARTS:
        print(f"{part.name} …", end=" ", flush=True)
        result = run(part, short=arguments.short)
        print("held" if result.held else "FAILED", f"({told(result.seconds)}): {result.said}")
        results.append(result)
    if not arguments.short:
        record(results)
    return 0 if all(result.held for result in results) else 1


def run(part: Part, *, short: bool) -> Result:
    """Run a part; its output goes to a file."""
    log = LOGS / f"{re.sub(r'[^a-z]+', '-', part.name.lower())}.log"
    began = time.monotonic()
    with log.open("w") as file:
        code = subprocess.run(
            (short and part.short) or part.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    return Result(part, code == 0, time.monotonic() - began, last_line(log.read_text()))


def last_line(output: str) -> str:
    """What a part said at its end, without the rules around it; fit for a cell of a table."""
    lines = [line.strip(" =\t").replace("|", "/") for line in output.splitlines()]
    return next((line for line in reversed(lines) if line), "nothing")[:WIDEST]


def record(results: list[Result]) -> None:
    """Write the table, and commit it alone."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    PAGE.write_text(TABLE.sub(lambda _: table(results, today, version()), PAGE.read_text()))
    failed = [result.part.name for result in results if not result.held]
    outcome = f"failed: {', '.join(failed)}" if failed else "everything held"
    page = str(PAGE.relative_to(ROOT))
    subprocess.run(
        ["git", "commit", "--quiet", "-m", f"Nightly of {today}: {outcome}", "--", page],
        cwd=ROOT,
        check=True,
    )


def table(results: list[Result], date: str, tested: str) -> str:
    """The rows of docs/testing.md."""
    rows = "".join(
        f"| {it.part.name} | {'held' if it.held else '**failed**'} | {told(it.seconds)}"
        f" | {it.said} |\n"
        for it in results
    )
    return f"\n{date}, at {tested}:\n\n| part | | took | it said |\n|---|---|---|---|\n{rows}\n"


def version() -> str:
    """The commit that is tested."""
    git = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def told(seconds: float) -> str:
    """`95 s`, `12 min`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    sys.exit(main())
