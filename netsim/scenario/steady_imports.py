"""Imports that leave the same in memory, whatever else lies in the folders.

Sets of plain objects iterate in the order of their addresses: runs repeat only when memory lies as
it did the last time, to the byte. `run_server` says what for.
"""

from __future__ import annotations

import contextlib
import os
from importlib.machinery import FileFinder, SourceFileLoader
from typing import Any, Final

from netsim.interception.unrepeatable import unwatched

_NOT_LISTED: Final = -1
"""The age of a folder for importlib, at first and after `invalidate_caches`."""


class SteadyImports:
    """What importing leaves in memory, made the same whatever else lies in the folders."""

    compiled = False
    """A module had to be compiled: memory lies otherwise than when it is only read."""

    @staticmethod
    def install() -> None:
        """From now on."""

        def note(loader: SourceFileLoader, *args: Any, **kwargs: Any) -> Any:
            SteadyImports.compiled = True
            return original(loader, *args, **kwargs)

        original: Any = SourceFileLoader.source_to_code
        SourceFileLoader.source_to_code = note  # type: ignore[method-assign,assignment]
        vars_of_finder: Any = FileFinder
        vars_of_finder._fill_cache = _fill_cache


def _fill_cache(finder: Any) -> None:
    """As CPython's, with the names of modules only, and those listed by another process.

    A file more in the folder, a report or a trace, would else move everything that comes later. It
    also makes the folder younger, while a run goes on perhaps: only `importlib.invalidate_caches`
    has it listed again.
    """
    if finder._path_mtime != _NOT_LISTED:
        return
    reading, writing = os.pipe()
    with unwatched():  # the program that imports has not forked
        lister = os.fork()
    if not lister:
        try:
            with os.scandir(finder.path) as entries:
                names = sorted(entry.name for entry in entries if _imports(entry))
            os.write(writing, b"\0".join(map(os.fsencode, names)))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        found = answer.read()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(lister, 0)
    finder._path_cache = set(map(os.fsdecode, found.split(b"\0")))
    finder._relaxed_path_cache = set()


def _imports(entry: os.DirEntry[str]) -> bool:
    """Whether it may be a module, or a package, also one without an `__init__`."""
    if entry.name.endswith((".py", ".pyc", ".so")):
        return True
    if not entry.name.isidentifier() or not entry.is_dir():
        return False
    with os.scandir(entry) as inside:
        return any(each.is_dir() or each.name.endswith((".py", ".so")) for each in inside)
