"""Installed packages that keep a register of what a program defines, one for each process.

A metric, a table, a setting that is defined twice is refused by them, and on two computers it is:
each needs the package for itself, and all packages that need it, too. Those that are known are in a
list; a topology file may name others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata, util
from typing import Final

_KEEPING: Final = frozenset({"django", "dramatiq", "prometheus_client", "sqlmodel"})
_OURS: Final = "netsim"


class Registers:
    """Which packages keep a register, or need one that does, as far as somebody has asked."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        """Top-level names."""

    def learn(self, names: Iterable[str]) -> bool:
        """These are imported: whether that is news."""
        new = {name for name in names if name in _KEEPING} - self.known
        if new:
            self.known |= with_all_that_need(new)
        return bool(new)


def not_installed(package: str) -> str | None:
    """What is wrong with a top-level name that a file gives; None where nothing is."""
    if util.find_spec(package) is not None:
        return None
    return (
        f"there is no package `{package}` in netsim's environment; write the name under which it "
        "is imported, or install it there"
    )


def with_all_that_need(packages: set[str]) -> set[str]:
    """Top-level names of packages and of those that are installed and require them."""
    names_of: dict[str, list[str]] = {}
    """Top-level names, by distribution."""
    for name, distributions in metadata.packages_distributions().items():
        for each in distributions:
            names_of.setdefault(_canonical(each), []).append(name)
    needed_by: dict[str, list[str]] = {}
    for distribution in metadata.distributions():
        for requirement in distribution.requires or ():
            found = re.match(r"[\w.-]+", requirement)
            if found and "extra ==" not in requirement:
                needed_by.setdefault(_canonical(found[0]), []).append(_canonical(distribution.name))
    waiting = [each for each, names in names_of.items() if packages.intersection(names)]
    seen = set(waiting)
    for each in waiting:
        more = [one for one in needed_by.get(each, ()) if one not in seen]
        seen.update(more)
        waiting += more
    tops = {name for each in seen for name in names_of.get(each, ())}
    return (packages | tops) - {_OURS}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


REGISTERS: Final = Registers()
"""Of this interpreter."""
