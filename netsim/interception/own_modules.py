"""Modules beside a topology file: which they are, and those of one computer."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from functools import lru_cache
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

from netsim.interception.registers import REGISTERS

SCRIPT: Final = ("__main__", "__mp_main__")
"""What was started, as it calls itself and as who imports it does (multiprocessing's word)."""
_INSTALLED: Final = ("site-packages", "dist-packages")
_NEVER: Final = tuple(
    folder + os.sep
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")),
        os.path.dirname(os.path.dirname(__file__)),
    )
)
"""The standard library's folders, and ours."""


class OwnModules:
    """Those of one life of a computer, or of the test."""

    def __init__(self, *folders: str) -> None:
        self.folders = list(folders)
        """What lies in them, and below, is its own."""
        self.packages: list[frozenset[str]] = []
        """Sets of top-level names that are its own as well, wherever they lie."""
        self.loaded: dict[str, ModuleType] = {}
        """By name, as they were when it ran last."""

    def adopt(self) -> None:
        """Those that have been imported already are its own."""
        REGISTERS.learn(sys.modules)
        for name, module in list(sys.modules.items()):
            if isinstance(module, ModuleType) and self.holds(module.__spec__):
                self.loaded[name] = module

    def holds(self, spec: ModuleSpec | None) -> bool:
        """Whether a module that has this specification is one of its own."""
        if spec is None or isinstance(spec.loader, ExtensionFileLoader):
            return False
        top = spec.name.partition(".")[0]
        keeping = REGISTERS.known if self.folders else ()
        if top in keeping or any(top in each for each in self.packages):
            return True
        where = spec.origin if spec.has_location else None
        if where is None:  # a package without an `__init__`
            where = next(iter(spec.submodule_search_locations or ()), "")
        return any(
            where.startswith(folder) and is_below(folder, where) for folder in self.folders
        ) and not _is_test(spec)


@lru_cache(4096)
def is_below(folder: str, file: str) -> bool:
    """Whether a module lies in a folder or below, and is not an installed one.

    Packages in a virtual environment that lies there are installed.
    """
    if not file.startswith(folder + os.sep) or file.startswith(_NEVER):
        return False
    return not any(
        inner.name in _INSTALLED or Path(folder, inner, "pyvenv.cfg").exists()
        for inner in Path(file).relative_to(folder).parents
    )


def can_be_imported(script: str) -> bool:
    """Whether a script has `if __name__ == "__main__":`, as multiprocessing wants it."""
    try:
        lines = ast.parse(Path(script).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return False
    tests = [line.test for line in lines if isinstance(line, ast.If)]
    return any("__name__" in (text := ast.unparse(each)) and "__main__" in text for each in tests)


def _is_test(spec: ModuleSpec) -> bool:
    """Whether a module is the test, and not of a program: all know that one."""
    last = spec.name.rpartition(".")[2]
    if last == "conftest" or last.startswith("test_") or last.endswith("_test"):
        return True
    return type(spec.loader).__module__.startswith("_pytest.")
