"""The times of files, as a computer in the network sees them.

Servers tell them (Last-Modified, ETag), and the real ones are those of another clock. What lay
there before the network began is not younger than it. What programs write has the network time at
which they opened it, or at which it was first seen to have grown since.

Not covered: the entries of `os.scandir`, and what C libraries ask the kernel for themselves.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from netsim.core.time import SECOND
from netsim.interception.audit_events import AuditListener
from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.interception.environment import WALL_EPOCH_NS, Presence

_KEEP_BY_TIME: Final = (
    *("_frozen_importlib", "importlib", "zipimport", "linecache"),
    *("_pytest.", "numba."),
)
"""Modules that keep what they made of a file until its time is another one: the real one."""
_WRITING: Final = os.O_WRONLY | os.O_RDWR
_MOST: Final = 50_000
"""Files whose times are known; the one that was opened first is forgotten."""
_IN_ROW: Final = 10
"""Values of a `stat_result` that it has by their place; the three times are the last of them."""
_MORE: Final = tuple(
    name
    for name in ("st_blksize", "st_blocks", "st_rdev", "st_flags")
    if hasattr(os.stat_result, name)
)

_FileKey = tuple[int, int]
"""Device and inode."""


class _Written:
    """A file that a program has written, or whose time it has set (`ns` is None)."""

    __slots__ = ("ns", "size")

    def __init__(self, ns: int | None, size: int) -> None:
        self.ns = ns
        self.size = size


class FileTimes:
    """`os.stat`, `os.lstat`, `os.fstat`, and what is made of them."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self._stat = self._replace(os.stat)
        self._replacements: list[Replacement] = [
            self._stat,
            self._replace(os.lstat),
            self._replace(os.fstat),
            AuditListener(("open", "os.utime", "os.rename"), self._hear),
        ]
        self._written: dict[_FileKey, _Written] = {}
        self._opened: dict[Any, int | None] = {}
        """Paths that are being opened or given a time: what they are is asked later."""

    def install(self) -> None:
        """From now on who is on a computer is told the network's times."""
        self._written.clear()
        self._opened.clear()
        for replacement in self._replacements:
            replacement.install()

    def uninstall(self) -> None:
        """Put back what was."""
        for replacement in self._replacements:
            replacement.uninstall()

    def _replace(self, builtin: Any) -> FunctionReplacement:
        def stat(*args: Any, **kwargs: Any) -> os.stat_result:
            found: os.stat_result = replacement.original(*args, **kwargs)
            environment = self._here()
            if environment is None or not environment.name:
                return found
            if sys._getframe(1).f_globals.get("__name__", "").startswith(_KEEP_BY_TIME):
                return found
            return self._seen(found, WALL_EPOCH_NS + environment.now_ns())

        replacement = FunctionReplacement(builtin, stat)
        return replacement

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        environment = self._here()
        if environment is None or not environment.name:
            return
        now = WALL_EPOCH_NS + environment.now_ns()
        if event == "os.rename":
            self._resolve()
        elif event == "os.utime":
            path, times, ns, _ = args
            self._note(path, now if times is None and ns is None else None)
        elif args[2] & _WRITING:
            self._note(args[0], now)

    def _note(self, path: Any, ns: int | None) -> None:
        if isinstance(path, int):
            self._know(path, ns)
        else:
            self._opened[os.path.abspath(path)] = ns
            if len(self._opened) >= _MOST:
                self._resolve()

    def _resolve(self) -> None:
        opened, self._opened = self._opened, {}
        for path, ns in opened.items():
            self._know(path, ns)

    def _know(self, path: Any, ns: int | None) -> None:
        try:
            found = self._stat.original(path)
        except (OSError, ValueError):
            return
        key = (found.st_dev, found.st_ino)
        self._written.pop(key, None)
        self._written[key] = _Written(ns, found.st_size)
        if len(self._written) > _MOST:
            del self._written[next(iter(self._written))]

    def _seen(self, found: os.stat_result, now: int) -> os.stat_result:
        """What a program is told of a file."""
        if self._opened:
            self._resolve()
        written = self._written.get((found.st_dev, found.st_ino))
        if written is None:
            return _with_times(found, *(min(ns, WALL_EPOCH_NS) for ns in _times(found)))
        if found.st_size != written.size:
            written.ns, written.size = now, found.st_size
        if written.ns is None:
            accessed, modified, changed = _times(found)
            return _with_times(found, accessed, modified, min(changed, now))
        return _with_times(found, written.ns, written.ns, written.ns)


def _times(found: os.stat_result) -> tuple[int, int, int]:
    """Of the last access, modification and change, ns."""
    return found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns


def _with_times(found: os.stat_result, *times: int) -> os.stat_result:
    more: dict[str, Any] = {name: getattr(found, name) for name in _MORE}
    for name, ns in zip(("st_atime", "st_mtime", "st_ctime"), times, strict=True):
        more[name], more[f"{name}_ns"] = ns / SECOND, ns
    whole = [ns // SECOND for ns in times]
    return os.stat_result((*tuple(found)[: _IN_ROW - len(whole)], *whole), more)
