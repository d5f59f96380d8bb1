"""Everything that .ci/run has no time for, one after the other.

Each part's output is kept in `.nightly/`, and its row of the table in docs/testing.md is written
and committed, by itself, so that everybody sees what held last and when. PART runs some of them
alone. Exit code 1 when a part failed. `--short` gives the long parts a minute: to try this script,
not the product; it writes and commits nothing.
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


PARTS = {
    "suite": Part("the whole suite", ["scripts/test"], ["scripts/test", "--fast"]),
    "newest": Part(
        "the suite with the newest of everything",
        ["scripts/test", "--newest"],
        ["scripts/test", "--newest", "tests/core"],
    ),
    "interpreters": Part("every interpreter", ["scripts/interpreters"]),
    "release": Part("the package on each Python", ["scripts/release"]),
    "real": Part(
        "the scenarios in real time",
        ["scripts/netsim", "test", "--time", "real", "-j", "1", "tests/scenarios"],
    ),
    "seeds": Part(
        "the scenarios under a hundred seeds",
        ["scripts/netsim", "test", "--seeds", "1..100", "tests/scenarios"],
        ["scripts/netsim", "test", "--seeds", "1..3", "tests/scenarios"],
    ),
    "zoo": Part(
        "the zoo, on every interpreter",
        ["env", "NETSIM_ZOO=all", "scripts/interpreters", "--", "tests/zoo"],
        ["env", "NETSIM_ZOO=all", ".venv/bin/python", "-m", "pytest", "tests/zoo"],
    ),
    "compatibility": Part(
        "other people's libraries",
        ["scripts/compatibility"],
        ["scripts/compatibility", "aiohttp"],
    ),
    "planted": Part("planted bugs under ten seeds", ["scripts/planted_bugs"]),
    "fuzz": Part("fuzzing, ten minutes a target", ["scripts/fuzz", "600"], ["scripts/fuzz", "5"]),
    "prometheus": Part("Debian's Prometheus reads our metrics", ["scripts/prometheus"]),
    "soak": Part(
        "the campus under load for an hour", ["scripts/soak", "3600"], ["scripts/soak", "60"]
    ),
    "bench": Part("the benchmarks", ["scripts/bench"], ["scripts/bench", "startup"]),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"all, or some of {', '.join(PARTS)}"
    )
    parser.add_argument("--short", action="store_true", help="a minute for what takes long")
    arguments = parser.parse_args()
    if unknown := [each for each in arguments.parts if each not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    LOGS.mkdir(exist_ok=True)
    tested = version()
    results = []
    for part in map(PARTS.__getitem__, arguments.parts or PARTS):
        print(f"{part.name} …", end=" ", flush=True)
        result = run(part, short=arguments.short)
        print("held" if result.held else "FAILED", f"({told(result.seconds)}): {result.said}")
        results.append(result)
        if not arguments.short:
            record(result, tested)
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


def record(result: Result, tested: str) -> None:
    """Write the row of a part, and commit it alone."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    text = PAGE.read_text()
    PAGE.write_text(TABLE.sub(lambda seen: table(seen[0], result, today, tested), text))
    outcome = "held" if result.held else "failed"
    page = str(PAGE.relative_to(ROOT))
    message = f"Nightly of {today}: {result.part.name}: {outcome}"
    # The same row again, on the same day, is nothing to commit.
    unchanged = subprocess.run(["git", "diff", "--quiet", "--", page], cwd=ROOT, check=False)
    if unchanged.returncode:
        git = ["git", "commit", "--quiet", "-m", message, "--", page]
        subprocess.run(git, cwd=ROOT, check=True)


def table(before: str, result: Result, date: str, tested: str) -> str:
    """The rows of docs/testing.md, with one made anew; `before` is what stood there."""
    rows = {row.split(" | ")[0].removeprefix("| "): row for row in before.splitlines()}
    rows[result.part.name] = (
        f"| {result.part.name} | {'held' if result.held else '**failed**'} | {date} | {tested}"
        f" | {told(result.seconds)} | {result.said} |"
    )
    known = [rows[part.name] for part in PARTS.values() if part.name in rows]
    head = ["| part | | on | at | took | it said |", "|---|---|---|---|---|---|"]
    return "\n".join(["", *head, *known, "", ""])


def version() -> str:
    """The commit that is tested."""
    git = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def told(seconds: float) -> str:
    """`95 s`, `12 min`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    sys.exit(main())
