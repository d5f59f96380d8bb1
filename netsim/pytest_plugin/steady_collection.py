"""What pytest's collecting leaves in memory, made the same whatever else lies in the folders.

Runs of a test under many seeds are forked from a process that has collected it: `seed_server`.
"""

from __future__ import annotations

import importlib
import os
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from netsim.core.streams import RandomStreams
from netsim.interception.entropy_hooks import EntropyHooks
from netsim.interception.environment import Environment, Presence
from netsim.scenario.steady_imports import SteadyImports, listed

_DISTRIBUTIONS: Final = (".dist-info", ".egg-info", ".egg")


def install() -> None:
    """From now on, before pytest is configured."""
    _note_rewriting()
    vars(metadata)["FastPath"].children = _distributions


def _distributions(folder: Any) -> list[str]:
    """What `importlib.metadata` looks for among the names of a folder on `sys.path`."""
    if not os.path.isdir(folder.root or "."):
        return []
    return listed(folder.root or ".", lambda entry: entry.name.endswith(_DISTRIBUTIONS))


def look_at_nothing_else(file: Path) -> None:
    """Of the folders that pytest collects, only what leads to the file."""

    def scandir(path: Any, *_: Any) -> list[_Entry]:
        inner = file.relative_to(path)
        return [_Entry(inner.parts[0], str(Path(path, inner.parts[0])))]

    for module in ("_pytest.main", "_pytest.python"):
        vars(importlib.import_module(module))["scandir"] = scandir


@dataclass(frozen=True, slots=True)
class _Entry:
    """As `os.DirEntry`."""

    name: str
    path: str

    def is_dir(self) -> bool:
        return os.path.isdir(self.path)

    def is_file(self) -> bool:
        return os.path.isfile(self.path)


def _note_rewriting() -> None:
    """Files whose assertions are rewritten by pytest are compiled by it.

    netsim is imported already, and pytest warns of plugins that it cannot rewrite.
    """
    from _pytest.assertion import rewrite

    def note(*args: Any) -> Any:
        SteadyImports.compiled = True
        return original(*args)

    original = vars(rewrite)["_rewrite_test"]
    vars(rewrite)["_rewrite_test"] = note
    hook: Any = rewrite.AssertionRewritingHook
    hook._warn_already_imported = lambda *args: None


class SameRandomness:
    """What is random in the modules of tests, when they are imported, is the same for all runs."""

    def __init__(self) -> None:
        presence = Presence()
        self._hooks = EntropyHooks(presence)
        self._environment = Environment(RandomStreams(0), None, time.monotonic_ns, None, None)
        self._hooks.install()
        self._hooks.enter(self._environment)
        presence.environment = self._environment

    def end(self) -> None:
        self._hooks.leave(self._environment)
        self._hooks.uninstall()
