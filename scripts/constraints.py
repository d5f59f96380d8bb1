"""The exact versions that the suite was green with: what differs from them here, or new ones.

`constraints.txt` holds for each tested Python what its environment has, and is what
`scripts/environment` installs from. A package that has the same version on all of them is one
line; otherwise markers say which version is for whom. The newest Python tested speaks for those
that come after it.

    scripts/constraints            what .venv-newest has that the file has not
    scripts/constraints --keep     write it into the file, for the Python of .venv-newest
    scripts/constraints --keep PYTHON…   the same with these environments' interpreters

`scripts/test --newest` makes `.venv-newest`; keep what it was green with.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "constraints.txt"
NEWEST = ROOT / ".venv-newest" / "bin" / "python"
TESTED = "# tested with Python "
HEAD = """\
# What the suite was green with; scripts/environment installs from it. Made by
# `scripts/constraints --keep` from an environment without constraints (`scripts/test --newest`).
"""

Versions = dict[str, str]
"""Name of a package to its version."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="write constraints.txt")
    parser.add_argument("python", nargs="*", type=Path, help="interpreters of environments")
    arguments = parser.parse_args()
    tested = read(FILE.read_text() if FILE.exists() else "")
    for python in arguments.python or [NEWEST]:
        if not python.exists():
            print(f"there is no {python}; scripts/test --newest makes it", file=sys.stderr)
            return 2
        release, installed = environment_of(python)
        # A Python that has not been tested is held against the one that speaks for it.
        before = tested.get(release) or (tested[max(tested, key=as_key)] if tested else {})
        differences = compare(before, installed)
        if arguments.keep:
            tested[release] = installed
        print(f"Python {release}: ", end="")
        print("as constraints.txt says" if not differences else "differs from constraints.txt")
        print("".join(f"  {line}\n" for line in differences), end="")
    if arguments.keep:
        FILE.write_text(write(tested))
    return 0


def environment_of(python: Path) -> tuple[str, Versions]:
    """The release of an environment's Python, as 3.13, and what is installed, but for netsim."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    listing = subprocess.run(
        [*pip, "list", "--format=json", "--exclude-editable"],
        check=True,
        capture_output=True,
        text=True,
    )
    release = subprocess.run(
        [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = {canonical(it["name"]): it["version"] for it in json.loads(listing.stdout)}
    packages.pop("setuptools", None)  # comes with the older Pythons; nothing of ours needs it
    return release.stdout.strip(), packages


def compare(before: Versions, after: Versions) -> list[str]:
    """A line for each package that differs; what the file does not name is new."""
    return [
        f"{name} {before.get(name, 'not there')} → {after.get(name, 'not there')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def read(text: str) -> dict[str, Versions]:
    """What `write` wrote: for each tested Python its packages."""
    head = next((line for line in text.splitlines() if line.startswith(TESTED)), TESTED)
    tested: dict[str, Versions] = {
        release: {} for release in head.removeprefix(TESTED).replace(",", "").split()
    }
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        requirement, _, marker = line.partition(" ; ")
        name, _, version = requirement.partition("==")
        for release, versions in tested.items():
            if not marker or Marker(marker).evaluate({"python_version": release}):
                versions[name] = version
    return tested


def write(tested: dict[str, Versions]) -> str:
    """The file: one line for a package that is the same wherever it is."""
    releases = sorted(tested, key=as_key)
    lines = []
    for name in sorted({name for versions in tested.values() for name in versions}):
        # The releases at which the version changes; None is for those that lack the package.
        changes: list[tuple[str, str | None]] = []
        for release in releases:
            version = tested[release].get(name)
            if not changes or changes[-1][1] != version:
                changes.append((release, version))
        for number, (release, version) in enumerate(changes):
            if version is None:
                continue
            bounds = []
            if number > 0:
                bounds.append(f'python_version >= "{release}"')
            if number + 1 < len(changes):
                bounds.append(f'python_version < "{changes[number + 1][0]}"')
            lines.append(f"{name}=={version}" + (" ; " + " and ".join(bounds) if bounds else ""))
    return HEAD + TESTED + ", ".join(releases) + "\n" + "".join(f"{line}\n" for line in lines)


def as_key(release: str) -> tuple[int, ...]:
    """Of 3.9, what sorts before that of 3.10."""
    return tuple(map(int, release.split(".")))


def canonical(name: str) -> str:
    """PyPA's normalised name."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
