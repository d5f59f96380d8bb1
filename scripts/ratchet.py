"""Fails when netsim does a quarter less for a CPU second than ratchet.toml says.

Run it through `scripts/ratchet`. What is compared is work beside a pure-Python yardstick in the
same process (workloads.py), so that neither the machine nor its other users count for much. Where
they do (a host whose caches others fill makes netsim slower than the yardstick), the commit whose
numbers these are is measured in turn, and only who is slower than that, too, fails.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from workloads import measure

SCRIPTS = Path(__file__).resolve().parent
NUMBERS = SCRIPTS / "ratchet.toml"
LIMIT = 0.75
"""Of what is written there; less fails."""
AGAIN = 1
"""Times that a row is measured once more before the commit of its number is."""
ROUNDS = {"forwarding": 5, "virtual requests": 5, "set-up": 4, "real requests": 3}
UNITS = {
    "forwarding": "frame-hops",
    "virtual requests": "requests",
    "set-up": "nodes",
    "real requests": "requests",
}
HEAD = """\
# What netsim does in the CPU time in which a pure-Python yardstick takes a million steps
# (scripts/workloads.py): frame-hops of UDP through eight routers in virtual time; HTTP requests
# over the campus in virtual time and in processes; nodes started and ended as processes.
# `scripts/ratchet` fails when one falls by a quarter, in CI.
#
# Renewed by `scripts/ratchet --renew`, after a change that made something faster, or slower for a
# reason that is worth it; the commit says which. On an idle machine, as in CI: beside others, the
# processes of a network wake one another less often for the same frames, and need less time.
# Each version of Python has numbers of its own; one without is measured and not judged.
"""


def write_numbers(numbers: dict[str, dict[str, object]]) -> None:
    """The file anew."""
    lines = [HEAD]
    for version, rows in sorted(numbers.items()):
        lines.append(f'["{version}"]')
        lines += [f'"{row}" = {value}' for row, value in rows.items()]
        lines.append("")
    NUMBERS.write_text("\n".join(lines))


def beside_norm(row: str, rounds: int, checkout: Path) -> float | None:
    """What the checkout does, in parts of what the commit does whose numbers these are.

    Both in turn on this machine; None where that commit cannot be had.
    """
    with norms_checkout() as norms:
        if norms is None:
            return None
        pairs = [(measure(row, rounds, checkout), measure(row, rounds, norms)) for _ in range(2)]
    return max(value / norm for value, norm in pairs)


@contextlib.contextmanager
def norms_checkout() -> Iterator[Path | None]:
    """The files of the commit that last changed ratchet.toml, for as long as it is entered."""
    repository = ["git", "-C", str(SCRIPTS)]
    last = [*repository, "log", "-1", "--format=%H", "--", NUMBERS.name]
    found = subprocess.run(last, capture_output=True, text=True, check=False)
    if found.returncode != 0 or not found.stdout.strip():
        yield None  # no git, or no history
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "norms"
        add = ["worktree", "add", "--quiet", "--detach", str(place), found.stdout.strip()]
        subprocess.run([*repository, *add], check=True)
        try:
            yield place
        finally:
            subprocess.run([*repository, "worktree", "remove", "--force", str(place)], check=True)


def main() -> int:
    """Measure, and compare or renew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--renew", action="store_true", help="write what is measured as the norm")
    parser.add_argument(
        "--checkout", type=Path, default=SCRIPTS.parent, help="measure the netsim that lies there"
    )
    options = parser.parse_args()
    numbers = tomllib.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    norm = numbers.get(version, {})
    if not norm and not options.renew:
        print(f"{NUMBERS.name} has no numbers of Python {version}: nothing can fail")
    measured: dict[str, float] = {}
    slower = []
    for row, rounds in ROUNDS.items():
        value = measure(row, rounds, options.checkout.resolve())
        expected = norm.get(row)
        for _ in range(AGAIN):
            # A bad moment of the machine does not last; a slower netsim does.
            if expected is None or options.renew or value >= LIMIT * expected:
                break
            value = max(value, measure(row, 2 * rounds, options.checkout.resolve()))
        measured[row] = value
        line = f"{row:17} {value:10,.1f} {UNITS[row]} for a million steps of Python"
        if expected is not None:
            line += f", {value / expected:.2f} of {expected:,}"
            if value < LIMIT * expected:
                here = beside_norm(row, rounds, options.checkout.resolve())
                if here is not None:
                    line += f"; {here:.2f} of what its commit does on this machine"
                if here is None or here < LIMIT:
                    slower.append(row)
                    line += ": slower"
            elif value > expected / LIMIT:
                line += ": faster; hold it with scripts/ratchet --renew"
        print(line, flush=True)
    if options.renew:
        rows = {row: float(f"{value:.4g}") for row, value in measured.items()}
        numbers[version] = {"renewed": datetime.date.today().isoformat(), **rows}
        write_numbers(numbers)
        return 0
    if slower:
        print(
            f"slower by more than a quarter than {NUMBERS.name} says: {', '.join(slower)}. "
            "Find the change that did it (git bisect run scripts/ratchet), or renew the numbers "
            "and say why (scripts/ratchet --renew)",
            file=sys.stderr,
        )
    return bool(slower)


if __name__ == "__main__":
    sys.exit(main())
