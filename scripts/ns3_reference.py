"""Has ns-3 say what its queue disciplines do, and writes it down for those who compare.

The wheel of ns-3 on PyPI brings its libraries and headers, against which two small programs
(`scripts/ns3/`) are built with g++; its Python bindings, which have to be built for a long time,
are not needed. `offered` offers frames to CoDel and RED: `tests/link/queues_of_ns3.json`.
`transfer` has TCP go through each discipline: `queues` of `scripts/fidelity_reference.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

from linux_reference import REFERENCE, write

ROOT: Final = Path(__file__).resolve().parent.parent
OFFERED: Final = ROOT / "tests" / "link" / "queues_of_ns3.json"
VERSION: Final = "3.44.post0"
FOLDER: Final = ROOT / ".ns3"
LIBRARIES: Final = (
    "applications",
    "internet",
    "point-to-point",
    "traffic-control",
    "network",
    "core",
)
SECONDS: Final = 15


def build(program: str) -> Path:
    """The program, built against the wheel."""
    home, built = FOLDER / "ns3", FOLDER / program
    if not home.exists():
        wheel = ("--no-deps", "--only-binary", ":all:", "--target", str(FOLDER), f"ns3=={VERSION}")
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *wheel], check=True)
    source, libraries = ROOT / "scripts" / "ns3" / f"{program}.cc", home / "lib64"
    options = ["-std=c++20", "-O2", f"-I{home / 'include'}", f"-L{libraries}"]
    options += [f"-Wl,-rpath,{libraries}", f"-Wl,-rpath-link,{libraries}"]
    # Its version stands in the names of its libraries.
    names = [f"-lns{VERSION.partition('.post')[0]}-{name}" for name in LIBRARIES]
    subprocess.run(["g++", *options, str(source), "-o", str(built), *names], check=True)
    return built


def run(program: Path, *arguments: object) -> dict[str, float]:
    done = subprocess.run(
        [program, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def offered() -> Iterator[dict[str, Any]]:
    """What became of frames: a row for each load."""
    program = build("offered")
    for discipline, load, sizes, seed in product(
        ("codel", "red"), (0.9, 1.05, 1.5), ("equal", "mixed"), (1, 2)
    ):
        place = {"discipline": discipline, "load": load, "sizes": sizes, "seed": seed}
        yield place | run(program, *place.values(), SECONDS)


def main() -> int:
    argparse.ArgumentParser(
        "scripts/ns3_reference",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    rows = ",\n".join(f"    {json.dumps(row)}" for row in offered())
    source = json.dumps(f"scripts/ns3_reference, ns-3 {VERSION}")
    OFFERED.write_text(
        f'{{\n  "source": {source},\n  "seconds": {SECONDS},\n  "runs": [\n{rows}\n  ]\n}}\n'
    )
    reference = json.loads(REFERENCE.read_text())
    program = build("transfer")
    with ThreadPoolExecutor() as pool:
        for name, each in reference["queues"].items():
            seen = list(pool.map(lambda seed, name=name: run(program, name, seed), (1, 2, 3)))
            each["ns-3"] = {
                key: float(f"{median(one[key] for one in seen):.3g}") for key in seen[0]
            }
            print(name, each["ns-3"], flush=True)
    write(reference)
    return 0


if __name__ == "__main__":
    sys.exit(main())
