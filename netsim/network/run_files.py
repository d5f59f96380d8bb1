"""Where the files of one run are written, of several that may go on at the same time."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path
from typing import Final

_numbers: Final = itertools.count(1)


class RunFiles:
    """With `beside` files are written beside their places, which they take at the end: of several
    runs that share a name one file stays, and it is whole.
    """

    def __init__(self, *, beside: bool) -> None:
        self._beside = beside
        self.are_kept = True
        """False: what is captured and recorded goes nowhere."""
        self.mark = ""
        """Of this run, in the names of its files: `out.seed-3.csv` with `seed-3`."""
        self.are_marked = False

    def written(self, path: str) -> str:
        """What to open for a file that is to be at `path`."""
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            return path
        if not self.are_kept:
            return os.devnull
        if not self._beside:
            return self._marked(path)
        return f"{path}.{os.getpid()}-{next(_numbers)}"

    def put_in_place(self, written: str, path: str) -> None:
        """It is whole."""
        if self._beside and written not in (path, os.devnull):
            os.replace(written, self._marked(path))

    def _marked(self, path: str) -> str:
        if not self.are_marked:
            return path
        place = Path(path)
        return str(place.with_name(f"{place.stem}.{self.mark}{place.suffix}"))
