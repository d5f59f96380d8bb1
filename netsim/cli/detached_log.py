"""The log of a detached network: kept within bounds, and never a reason to end.

The supervisor, the zygote and all nodes have the same file open, to append. So it is never renamed
or replaced: when it has grown too large, what it holds goes to `log.1` beside it, and it is emptied
in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from netsim.core.os_words import in_words

LIMIT: Final = 4 << 20
"""Bytes of the log; `log.1` has as many."""
_COUNTED: Final = 64 << 20
"""Bytes in which lines that go are counted at a time: nodes wait meanwhile."""
_PIECE: Final = 1 << 20


class DetachedLog:
    """What the standard output and error of this process lead to (`targets`)."""

    def __init__(self, targets: tuple[int, ...] = (1, 2)) -> None:
        self._targets = targets
        self._descriptors = [targets[0]]
        """And those of files that were removed, to which nodes may write still."""
        self._lost = 0
        """Lines that could not be written since one could."""
        self._is_cut = False
        """That the log ends with a part of a line."""
        self._problem = ""
        self._gone = 0
        """Lines that `log.1` holds no more."""
        self._is_more = False
        """That some were too many to be counted."""
        self._told = False
        """That the log cannot be written."""

    def write(self, line: str) -> None:
        """Append a line; one that cannot be written is counted."""
        try:
            if self._lost:
                end = "\n" if self._is_cut else ""
                self._write(f"{end}{self._lost} lines are lost: {self._problem}\n")
                self._lost = 0
                self._told = False
            self._write(f"{line}\n")
        except OSError as error:
            self._lost += 1
            self._problem = in_words(error).partition("; ")[0]

    def look_after(self, path: Path, announce: Callable[[str], None]) -> None:
        """Keep it within bounds, and at `path`, should somebody have removed it."""
        try:
            if not os.fstat(self._targets[0]).st_nlink:
                self._reopen(path)
            for descriptor in self._descriptors:
                if os.fstat(descriptor).st_size > LIMIT:
                    self._empty(descriptor, path)
            problem = self._problem if self._lost else ""
        except OSError as error:
            problem = in_words(error).partition("; ")[0]
        if problem and not self._told:
            self._told = True
            announce(f"{path} cannot be written ({problem}); the network goes on without it")

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._targets[0], data) :]
            self._is_cut = bool(data)

    def _reopen(self, path: Path) -> None:
        fresh = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._descriptors.append(os.dup(self._targets[0]))
        for target in self._targets:
            os.dup2(fresh, target)
        os.close(fresh)
        self._is_cut = False

    def _empty(self, descriptor: int, path: Path) -> None:
        """What it holds becomes `log.1`; what that held is gone, and its lines are counted.

        It is emptied all the same where `log.1` cannot be written.
        """
        before = path.with_name(f"{path.name}.1")
        with open(f"/proc/self/fd/{descriptor}", "rb") as full:
            size = os.fstat(descriptor).st_size
            passed = max(size - LIMIT - 1, 0)
            # What a process that a program has started prints comes here by itself, gigabytes.
            self._is_more |= passed > _COUNTED
            self._gone += _lines_in(full, min(passed, _COUNTED))
            full.seek(passed)
            kept = full.read(LIMIT + 1)
        if size > LIMIT:
            _, end, kept = kept.partition(b"\n")
            self._gone += len(end)
        os.ftruncate(descriptor, 0)
        self._is_cut = False
        try:
            with suppress(FileNotFoundError):
                self._gone += before.read_bytes().count(b"\n")
            with open(before, "wb", opener=_private) as file:
                file.write(kept)
        except OSError:
            self._gone += kept.count(b"\n")
            self.write(f"{self._how_many} lines before this one are gone")
            raise
        self.write(
            f"the lines before this one are in {before.name}; {self._how_many} before them are gone"
        )

    @property
    def _how_many(self) -> str:
        return f"more than {self._gone}" if self._is_more else str(self._gone)


def _lines_in(file: IO[bytes], size: int) -> int:
    """Ends of lines in the next `size` bytes, which are not held at once."""
    found = 0
    while size > 0 and (data := file.read(min(size, _PIECE))):
        found += data.count(b"\n")
        size -= len(data)
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
