"""The working directory of one computer, or of the process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import ClassVar

from netsim.interception.missing_files import MissingFiles


class WorkingDirectory:
    """Where it is, and a descriptor of it where it is held open; it is let go with this."""

    __slots__ = ("descriptor", "missing", "path")
    held: ClassVar[int] = 0
    """How many are held open."""

    def __init__(self, path: str, elsewhere: Iterable[str] = ()) -> None:
        self.path = path
        self.missing = MissingFiles(elsewhere)
        self.descriptor = -1

    def hold(self, path: str) -> None:
        """Hold the directory open that is at `path` now; OSError."""
        self.descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        WorkingDirectory.held += 1

    def close(self) -> None:
        """No longer hold it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            WorkingDirectory.held -= 1

    def __del__(self) -> None:
        self.close()
