"""Modules beside a topology file, importable while its network runs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Collection
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

from netsim.core.errors import StartError
from netsim.interception.own_modules import SCRIPT, OwnModules, can_be_imported, is_below
from netsim.interception.registers import not_installed, with_all_that_need


class ModulesBeside:
    """Puts the folder of a topology file in front of `sys.path`, and takes it away again.

    Each life of a computer has `new` modules. What was imported from there in between is forgotten
    then: another network may have modules of the same names beside its own file. Installed packages
    are never forgotten, in a virtual environment below that folder neither: what is in memory
    already may hold classes of theirs. A script that has started the network is a module like the
    others where it can be imported: its last lines are below `if __name__ == "__main__":`.
    """

    def __init__(self, file: str, of_test: OwnModules, own_packages: Collection[str] = ()) -> None:
        """`own_packages` are installed ones of which computers have copies; StartError where one is
        not there."""
        for package in own_packages:
            if (mistake := not_installed(package)) is not None:
                raise StartError(f"own_packages: {mistake}")
        self._folders: list[str] = []
        if file:
            folder = str(Path(file).parent)
            self._folders = list(dict.fromkeys((folder, os.path.realpath(folder))))
        self._packages: list[frozenset[str]] = []
        """Those, with all that need them."""
        if own_packages:
            self._packages = [frozenset(with_all_that_need(set(own_packages)))]
        self._of_test = of_test
        self._known: set[str] = set()
        self._relative: dict[str, str] = {}
        """Entries of `sys.path` that were, by what they are meanwhile."""
        self._script: dict[str, ModuleType] = {}
        """Under both of its names; empty where it cannot be imported."""

    def enter(self) -> None:
        """Make them importable; the caller is the test."""
        self._of_test.packages += self._packages
        # Computers have working directories of their own, and find these all the same.
        self._relative = {
            os.path.abspath(each): each for each in sys.path if not os.path.isabs(each)
        }
        sys.path[:] = map(os.path.abspath, sys.path)
        if self._folders:
            self._known = set(sys.modules)
            sys.path.insert(0, self._folders[0])
            self._of_test.folders += self._folders
        if self._folders or self._packages:
            self._of_test.adopt()
        script = getattr(sys.modules["__main__"], "__file__", None)
        if script and self._is_beside(script) and can_be_imported(script):
            self._script = dict.fromkeys(SCRIPT, sys.modules["__main__"])
            sys.modules.update(self._script)
            self._of_test.loaded.update(self._script)

    def leave(self) -> None:
        """Forget them; the caller is the test."""
        sys.path[:] = [self._relative.get(each, each) for each in sys.path]
        for folder in self._folders:
            self._of_test.folders.remove(folder)
        for packages in self._packages:
            self._of_test.packages.remove(packages)
        if self._folders and self._folders[0] in sys.path:
            sys.path.remove(self._folders[0])
        for name in set(sys.modules).difference(self._known, SCRIPT):
            found = getattr(sys.modules[name], "__file__", None)
            if found and self._is_beside(found):
                del sys.modules[name]
        kept = OwnModules(*self._of_test.folders)
        kept.packages += self._of_test.packages
        kept.adopt()
        if kept.folders:  # another network goes on
            kept.loaded.update(self._script)
        elif self._script:
            sys.modules.pop(SCRIPT[1], None)
        self._of_test.loaded = kept.loaded

    def new(self) -> OwnModules:
        """For a life of a computer."""
        own = OwnModules(*self._folders)
        own.packages += self._packages
        own.loaded.update(self._script)
        return own

    def reference(self, function: Callable[..., Any]) -> tuple[str, str] | None:
        """Module and name of a function of which computers have copies; else None."""
        module = getattr(function, "__module__", None)
        if module not in self._of_test.loaded:
            return None
        name = getattr(function, "__qualname__", "")
        return (module, name) if _found(module, name) is function else None

    def _is_beside(self, file: str) -> bool:
        return any(is_below(folder, file) for folder in self._folders)


def own_function(module: str, name: str) -> Any:
    """A computer's copy of a function, while the computer runs; errors as of an import."""
    if module in SCRIPT and sys.modules[SCRIPT[1]].__name__ == SCRIPT[0]:
        _import_script()
    importlib.import_module(module)
    found = _found(module, name)
    if found is None:
        raise AttributeError(f"module {module!r} has no {name!r} on this computer")
    return found


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _import_script() -> None:
    """As multiprocessing does it in a process that it starts."""
    spec = util.spec_from_file_location(SCRIPT[1], sys.modules[SCRIPT[0]].__file__)
    assert spec is not None, "a script is a file of Python"
    assert spec.loader is not None, "a script is a file of Python"
    before, module = sys.modules[SCRIPT[0]], util.module_from_spec(spec)
    sys.modules.update(dict.fromkeys(SCRIPT, module))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.update(dict.fromkeys(SCRIPT, before))
        raise
