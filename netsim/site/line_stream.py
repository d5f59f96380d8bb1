"""A text stream that hands on whole lines: where a node's prints go."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

LONGEST_LINE: Final = 16_384
"""Characters; what is printed without an end of line is cut into such pieces."""


class LineStream(io.TextIOBase):
    """Calls `forward(line)` with every line written, without its end."""

    def __init__(self, forward: Callable[[str], None]) -> None:
        self._forward = forward
        self._partial = ""

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """As every text stream."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._forward(line)
        while len(self._partial) >= LONGEST_LINE:
            self._forward(self._partial[:LONGEST_LINE])
            self._partial = self._partial[LONGEST_LINE:]
        return len(text)
