"""Files and directories that are this user's alone, and a lock on a directory for a moment."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netsim.core.errors import NetsimError


class StateError(NetsimError):
    """The place for state directories is not private to this user."""


def create_private(path: Path, flags: int) -> int:
    """Open a file of the user's own, made if need be: mode 0600 whatever the umask."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def remove_tree(path: Path) -> None:
    """Remove a directory and all that is in it, whoever has put it there; no link is followed."""
    path.chmod(0o700)
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            entry.unlink()
    path.rmdir()


def make_private(path: Path, variable: str = "XDG_RUNTIME_DIR") -> None:
    """Make the directory, or refuse one that somebody else could read or replace.

    `variable` is what says where it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        path.chmod(0o700)  # whatever the umask
    found = path.lstat()
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not private or stat.S_IMODE(found.st_mode) & 0o077:
        raise StateError(
            f"{path} is not a private directory of yours; remove it, or set {variable} to one"
        )


@contextmanager
def exclusive(root: Path, variable: str = "XDG_RUNTIME_DIR") -> Iterator[Path]:
    """Hold a lock on a private directory, made if need be; the last one out removes it if empty."""
    while True:
        try:
            make_private(root, variable)
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # its last user was faster
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.stat(root).st_ino == os.fstat(descriptor).st_ino:
                break
        os.close(descriptor)
    try:
        yield root
    finally:
        with suppress(OSError):  # not empty
            root.rmdir()
        os.close(descriptor)
