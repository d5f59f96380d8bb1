"""Two versions of netsim, row by row, in turn: A B A B. Run it through `scripts/bench compare`.

    scripts/bench compare OTHER [ROW…] [--rounds 5]

OTHER is a commit or a directory with a checkout. A figure is how much this one does for what the
other does in the same CPU time (memory: in the same memory), each beside the pure-Python yardstick
of its own process: 1.00 is the same, less is slower.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from checkouts import ROOT, checkout
from workloads import ROWS, measure

LIMIT = 0.93
"""What is less is marked."""


def main() -> int:
    """Compare; 1 when a row is more than 7 % worse."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", help="a commit, or a directory with a checkout")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5, help="of each, median counts")
    options = parser.parse_intermixed_args()
    if unknown := [row for row in options.rows if row not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    worse = []
    with checkout(options.other) as other:
        for row in options.rows or ROWS:
            ratios = []
            for _ in range(options.rounds):
                there = measure(row, 1, other)
                ratios.append(measure(row, 1, ROOT) / there)
            ratio = statistics.median(ratios)
            mark = "  WORSE" if ratio < LIMIT else ""
            spread = f"{min(ratios):.2f} – {max(ratios):.2f}"
            print(f"{row:34}{ratio:5.2f}   ({spread}){mark}", flush=True)
            if mark:
                worse.append(row)
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
