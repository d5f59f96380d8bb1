"""Runs the targets of `fuzz_targets.py` one after the other and sums up. Use `scripts/fuzz`.

What was found interesting is kept in .fuzz/corpus and is where the next run begins; what crashed
is in .fuzz/crashes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".fuzz"
TARGETS = ("computer", "router", "switch", "wire", "topology")
LARGEST = 4096
"""Bytes of an input."""
SLOWEST = 20
"""Seconds after which an input counts as hanging."""
MEMORY = 2048
"""MiB of the fuzzing process."""

EXAMPLES = """examples:
  scripts/fuzz                       every target for a minute
  scripts/fuzz 600 router            one target for ten minutes
  scripts/fuzz router .fuzz/crashes/router/crash-0123    one input again, with its traceback
"""


def harness(target: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "fuzz_targets.py"), target, *arguments]


def fuzz(target: str, seconds: int) -> list[Path]:
    """Fuzz one target; the inputs that crashed it."""
    corpus, seeds = FOLDER / "corpus" / target, FOLDER / "seeds" / target
    crashes = FOLDER / "crashes" / target
    for folder in (corpus, seeds, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"{target}.log"
    with log.open("w") as output:
        made = subprocess.run(
            harness(target, "--write-seeds", str(seeds)), stderr=output, stdout=output
        )
    if made.returncode:
        sys.exit(f"the seeds of {target} cannot be made:\n{log.read_text()[-2000:]}")
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
    ]
    words = seeds.with_suffix(".words")
    if words.exists():
        options.append(f"-dict={words}")
    began = time.time()
    with log.open("w") as output:
        result = subprocess.run(
            harness(target, *options, str(corpus), str(seeds)), stderr=output, stdout=output
        )
    found = [path for path in crashes.iterdir() if path.stat().st_mtime >= began]
    text = log.read_text(errors="replace")
    runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
    coverage = re.findall(r"cov: (\d+)", text)
    print(
        f"{target}: {runs[1] if runs else '?'} inputs in {time.time() - began:.0f} s, "
        f"coverage {coverage[-1] if coverage else '?'}, {len(found)} crashes",
        flush=True,
    )
    if result.returncode and not found:
        sys.exit(f"{target} did not run; the end of {log}:\n{text[-2000:]}")
    for path in found:
        print(*re.findall(r"(?s) === Uncaught Python exception: ===.*?(?=\n==)", text))
        print(f"  repeat with: scripts/fuzz {target} {path.relative_to(ROOT)}")
    return found


def main() -> int:
    """0 when nothing crashed."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Coverage-guided fuzzing of nodes, parsers and the topology loader.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="SECONDS | TARGET | FILE",
        help=f"seconds for each target (60); a target ({', '.join(TARGETS)}; all); "
        "a file: run this input alone",
    )
    seconds = 60
    targets: list[str] = []
    files: list[str] = []
    for word in parser.parse_args().what:
        if word.isdecimal():
            seconds = int(word)
        elif word == "all":
            targets += TARGETS
        elif word in TARGETS:
            targets.append(word)
        elif os.path.isfile(word):
            files.append(word)
        else:
            parser.error(f"{word!r} is not a number of seconds, a target or a file")
    if files:
        if len(targets) != 1:
            parser.error("to run a file name its target, too")
        return subprocess.run(harness(targets[0], *files)).returncode
    found = [path for target in targets or TARGETS for path in fuzz(target, seconds)]
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
