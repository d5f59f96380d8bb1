"""Imports that leave the same in memory, whatever else lies in the folders.

Sets of plain objects iterate in the order of their addresses: runs repeat only when memory lies as
it did the last time, to the byte. `run_server` says what for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any, Final, NoReturn

import netsim
from netsim.core.fork import fork
from netsim.interception.unrepeatable import unwatched

_LATER: Final = "NETSIM_PYTHONPATH"
_NOT_LISTED: Final = -1
"""The age of a folder for importlib, at first and after `invalidate_caches`."""


class SteadyImports:
    """What importing leaves in memory, made the same whatever else lies in the folders."""

    compiled = False
    """A module had to be compiled: memory lies otherwise than when it is only read."""

    _first = ""
    """PYTHONPATH, when the process was started."""

    @staticmethod
    def environment(environ: Mapping[str, str]) -> dict[str, str]:
        """To start a process with: other folders of PYTHONPATH are listed after `add_folders`."""
        changed = dict(environ)
        if "PYTHONPATH" in changed:
            changed[_LATER] = changed["PYTHONPATH"]
            changed["PYTHONPATH"] = str(Path(netsim.__file__).parents[1])
        return changed

    @classmethod
    def again(cls) -> NoReturn:
        """Start this process anew, as its modules are compiled now; its last argument becomes 1."""
        if cls._first:
            os.environ[_LATER] = os.environ["PYTHONPATH"]
            os.environ["PYTHONPATH"] = cls._first
        os.execv(sys.executable, [*sys.orig_argv[:-1], f"{1:07}"])

    @classmethod
    def install(cls) -> None:
        """From now on."""

        def note(loader: SourceFileLoader, *args: Any, **kwargs: Any) -> Any:
            SteadyImports.compiled = True
            return original(loader, *args, **kwargs)

        original: Any = SourceFileLoader.source_to_code
        SourceFileLoader.source_to_code = note  # type: ignore[method-assign,assignment]
        vars_of_finder: Any = FileFinder
        vars_of_finder._fill_cache = _fill_cache

    @classmethod
    def add_folders(cls) -> None:
        """Those of PYTHONPATH. What looks for all that is installed (pydantic, as it is imported)
        has looked by now, and not there."""
        if _LATER in os.environ:
            cls._first = os.environ["PYTHONPATH"]
            os.environ["PYTHONPATH"] = os.environ.pop(_LATER)
            place = sys.path.index(cls._first) if cls._first in sys.path else 0
            sys.path[place : place + 1] = filter(None, os.environ["PYTHONPATH"].split(os.pathsep))


def _fill_cache(finder: Any) -> None:
    """As CPython's, with the names of modules only, and those listed by another process.

    A file more in the folder, a report or a trace, would else move everything that comes later. It
    also makes the folder younger, while a run goes on perhaps: only `importlib.invalidate_caches`
    has it listed again.
    """
    if finder._path_mtime != _NOT_LISTED:
        return
    finder._path_cache = set(listed(finder.path, _imports))
    finder._relaxed_path_cache = set()


def listed(folder: str, is_wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    """Names in a folder, sorted. Another process looks: what else is there leaves no trace."""
    reading, writing = os.pipe()
    with unwatched():  # the program that imports has not forked
        lister = fork()
    if not lister:
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if is_wanted(entry))
            os.write(writing, b"\0".join(map(os.fsencode, names)))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        found = answer.read()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(lister, 0)
    return list(map(os.fsdecode, found.split(b"\0")))


def _imports(entry: os.DirEntry[str]) -> bool:
    """Whether it may be a module, or a package, also one without an `__init__`."""
    if entry.name.endswith((".py", ".pyc", ".so")):
        return True
    if not entry.name.isidentifier() or not entry.is_dir():
        return False
    with os.scandir(entry) as inside:
        return any(each.is_dir() or each.name.endswith((".py", ".so")) for each in inside)
