"""What a node's programs print and log, a line each."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Final, TextIO, cast

LONGEST_LINE: Final = 16_384
"""Characters; what is printed without an end of line is cut into such pieces."""

Forward = Callable[[int, str], None]
"""Takes a level of `logging` and one line."""


class LineStream(io.TextIOBase):
    """A text stream that calls `forward(level, line)` with every line written, without its end."""

    def __init__(self, level: int, forward: Forward) -> None:
        self._level = level
        self._forward = forward
        self._partial = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._forward(self._level, line)
        while len(self._partial) >= LONGEST_LINE:
            self._forward(self._level, self._partial[:LONGEST_LINE])
            self._partial = self._partial[LONGEST_LINE:]
        return len(text)


def standard_streams(forward: Forward) -> tuple[TextIO, TextIO]:
    """Standard output and standard error of a node's programs."""
    stdout, stderr = LineStream(logging.INFO, forward), LineStream(logging.WARNING, forward)
    return cast(TextIO, stdout), cast(TextIO, stderr)
