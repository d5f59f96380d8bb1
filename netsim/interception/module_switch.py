"""`sys.modules` follows the computer that runs: modules beside a topology file are its own.

A process has one set of modules, and on real machines each computer has one. So those that lie
beside the file, or below its folder, are imported anew for each life of a computer; what the test
has imported of them is a copy of its own, too. All else is shared: the standard library, installed
packages, netsim, extension modules, and the modules that are the test itself.

Only the entries that differ are exchanged, and only where another computer runs than before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from netsim.interception.environment import Presence
from netsim.interception.own_modules import OwnModules
from netsim.interception.registers import REGISTERS


class ModuleSwitch:
    """Puts the modules of who runs into `sys.modules`."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._placed = OwnModules()
        self._finding = False

    def install(self) -> None:
        """From now on modules are told apart where they are found."""
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """No longer; whoever is there last keeps theirs."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def begin(self, own: OwnModules) -> None:
        """These are in `sys.modules` already."""
        self._placed = own

    def place(self, own: OwnModules) -> None:
        """Who runs from now on has these."""
        placed, modules = self._placed, sys.modules
        if own is placed:
            return
        loaded = placed.loaded
        for name in list(loaded):
            module = modules.pop(name, None)
            if module is None:
                del loaded[name]  # its import has failed, or a program has taken it out
            else:
                loaded[name] = module
        modules.update(own.loaded)
        self._placed = own

    @contextmanager
    def placed(self, own: OwnModules) -> Iterator[None]:
        """Meanwhile who runs finds these."""
        before = self._placed
        self.place(own)
        try:
            yield
        finally:
            self.place(before)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As other finders have it; what is one's own is noted."""
        environment = self._presence.here()
        own = None if environment is None else environment.modules
        if own is None or self._finding:
            return None
        self._finding = True
        try:
            spec = _find(self, name, path, target)
        finally:
            self._finding = False
        if own.folders and spec is not None and REGISTERS.learn([name]):
            own.adopt()  # who has imported this needs it, and is not shared either
        if own.holds(spec):
            own.loaded[name] = ModuleType(name)  # until it is there
        return spec


def _find(switch: ModuleSwitch, name: str, path: Any, target: Any) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find: Any = None if finder is switch else getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = None if find is None else find(name, path, target)
        if spec is not None:
            return spec
    return None
