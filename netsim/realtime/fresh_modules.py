"""Modules beside the topology file are each node's own, and new in each life, as in virtual time.

The zygote is a fork of the process that has started the network, and has what that has imported:
nodes import it anew, when they need it, with their own environment around them.
"""

from __future__ import annotations

import os
import sys
from importlib import util
from types import ModuleType
from typing import Any, Final

from netsim.interception.own_modules import SCRIPT, OwnModules, can_be_imported, is_below

_forgotten: Final[list[Any]] = []
"""What they hold stays as it is: files, finalizers."""


def forget_modules_beside(folder: str) -> None:
    """Whoever asks for one from now on imports it."""
    folders = (folder, os.path.realpath(folder))
    own = OwnModules(*folders)
    own.adopt()
    for name in set(own.loaded).difference(SCRIPT):
        _forgotten.append(sys.modules.pop(name))
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if not script or not any(is_below(each, os.path.abspath(script)) for each in folders):
        return
    if isinstance(main, _Script) or can_be_imported(script):
        _forgotten.append(main)
        sys.modules.update(dict.fromkeys(SCRIPT, _Script(os.path.abspath(script))))


class _Script(ModuleType):
    """What was started, imported as multiprocessing does it where it spawns, once it is needed."""

    def __init__(self, file: str) -> None:
        super().__init__(SCRIPT[1])
        self.__file__ = file
        self._is_new = True

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and vars(self).pop("_is_new", False):
            spec = util.spec_from_file_location(SCRIPT[1], self.__file__)
            assert spec is not None, "a script is a file of Python"
            assert spec.loader is not None, "a script is a file of Python"
            spec.loader.exec_module(self)
            return getattr(self, name)
        raise AttributeError(f"module {SCRIPT[0]!r} has no attribute {name!r}")
