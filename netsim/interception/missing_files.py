"""Says what is wrong where a program opens a file that lies where its network was started.

A computer's working directory is its own, and a relative path leads there. What the program gets is
a FileNotFoundError, in which the place does not stand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, Final

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOST: Final = 10
"""Files of one computer that are told."""


class MissingFiles:
    """Of one life of a computer; `elsewhere` are folders that a program may have thought of."""

    def __init__(self, elsewhere: Iterable[str]) -> None:
        self._elsewhere = [*dict.fromkeys(elsewhere)]
        self._told: set[str] = set()

    def look(self, args: tuple[Any, ...]) -> None:
        """What the audit event `open` says: a path, a mode, flags."""
        path, _, flags = args
        if not isinstance(path, str) or flags & _WRITING or os.path.isabs(path):
            return
        if path in self._told or len(self._told) == _MOST or os.path.lexists(path):
            return
        for folder in self._elsewhere:
            if os.path.exists(os.path.join(folder, path)):
                self._told.add(path)
                sys.stderr.write(
                    f"{path} is not in the working directory of this computer, which is its own, "
                    f"but in {folder}: write pathlib.Path(__file__).with_name(…), or the whole "
                    "path\n"
                )
                return
