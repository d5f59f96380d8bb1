"""Where the computers of one network work and keep their temporary files: a directory for each.

    TMPDIR/netsim-computers-UID/
        shop-7-1c291ca3.1.lock  held for as long as the network lives
        shop-7-1c291ca3.1/      the network shop of one file with seed 7; the last number is another
                                where that runs already
            web/                of the computer web:
                work            where its programs begin; what they write stays over a crash
                tmp             emptied when it starts

The place does not depend on when and by whom the network is run, since programs may tell others
where they are. Nor does what is left in memory of making it depend on what else runs, since the
order of sets depends on memory: who forks runs has a lock in the outer directory, so that each of
them finds it. The last one out removes it. The kernel releases a lock with its last holder, however
that one ended: what a crash leaves, the next network removes at its end.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from netsim.core.errors import StartError
from netsim.core.os_words import in_words
from netsim.site.private_files import (
    StateError,
    create_private,
    exclusive,
    remove_tree,
)

_LOCK: Final = ".lock"


class Outer:
    """The outer directory stays where it is until `release`, where it can be made at all.

    Runs that are forked meanwhile find it, each as any other.
    """

    def __init__(self) -> None:
        self._lock = -1
        with suppress(OSError, StateError), exclusive(_root(), "TMPDIR") as root:
            self._path, self._lock = _first_free(root / f"runs-{os.getpid()}")

    def release(self) -> None:
        """It goes, if no network has anything in it."""
        if self._lock < 0:
            return
        with suppress(OSError, StateError), exclusive(self._path.parent, "TMPDIR"):
            _remove(self._path)
        os.close(self._lock)
        self._lock = -1


def _root() -> Path:
    return Path(tempfile.gettempdir()).absolute() / f"netsim-computers-{os.getuid()}"


class ComputerDirectory:
    """Those of one computer, which are there once it has started."""

    def __init__(self, path: str) -> None:
        self.working = os.path.join(path, "work")
        self.temporary = os.path.join(path, "tmp")

    def begin(self) -> None:
        """The computer starts: its disk is there, and nothing is in its temporary directory."""
        os.makedirs(self.working, mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            remove_tree(Path(self.temporary))
        os.mkdir(self.temporary, 0o700)

    def environ(self) -> dict[str, str]:
        """The variables that say where they are."""
        return {"TMPDIR": self.temporary, "PWD": self.working}


class Directories:
    """Those of one network."""

    def __init__(self, network: str, seed: int, file: str) -> None:
        self._name = f"{network}-{seed}-{crc32(os.fsencode(file)):08x}"
        self._path: Path | None = None
        self._lock = -1

    def claim(self) -> str:
        """Make the network's; StartError where that cannot be."""
        if self._path is None:
            try:
                self._make()
            except (OSError, StateError) as error:
                words = in_words(error) if isinstance(error, OSError) else str(error)
                raise StartError(f"no directories for computers: {words}") from error
        return str(self._path)

    def _make(self) -> None:
        root = _root()
        with exclusive(root, "TMPDIR"):
            path, self._lock = _first_free(root / self._name)
            if path.exists():
                remove_tree(path)
            path.mkdir(mode=0o700)
            self._path = path

    def of(self, node: str) -> ComputerDirectory:
        """Those of a computer."""
        return ComputerDirectory(os.path.join(self.claim(), node))

    def remove(self) -> None:
        """The network has ended, and what its computers wrote goes with it."""
        if self._path is None:
            return
        with exclusive(self._path.parent, "TMPDIR"):
            _remove(self._path)
            os.close(self._lock)
            _remove_stale(self._path.parent)
        self._path = None


def _first_free(path: Path) -> tuple[Path, int]:
    """The first of its numbers whose lock nobody else has, and the descriptor that holds it."""
    for number in itertools.count(1):
        numbered = path.with_name(f"{path.name}.{number}")
        lock = _locked(numbered)
        if lock >= 0:
            break
    return numbered, lock


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of a directory; -1 where another network does."""
    lock = create_private(path.with_name(path.name + _LOCK), os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _remove_stale(root: Path) -> None:
    for lock in sorted(root.glob(f"*{_LOCK}")):
        path = lock.with_name(lock.name.removesuffix(_LOCK))
        held = _locked(path)
        if held >= 0:
            _remove(path)
            os.close(held)


def _remove(path: Path) -> None:
    with suppress(OSError):  # what another user's program has put there stays
        remove_tree(path)
    if not path.exists():  # else a process that ends still writes there: the next network has it
        path.with_name(path.name + _LOCK).unlink(missing_ok=True)
