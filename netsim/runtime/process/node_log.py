"""Where a node's prints and log records go: to the supervisor, a line each."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from typing import Final

LONGEST_LINE: Final = 16_384
"""Characters; what is printed without an end of line is cut into such pieces."""

Forward = Callable[[int, str], None]
"""Takes a level of `logging` and one line."""


def forward_logs(forward: Forward) -> None:
    """Send everything this process logs or prints to `forward`."""
    root = logging.getLogger()
    # Handlers of the supervisor's, if any, belong to its files: they are not even closed.
    root.handlers = [_ForwardingHandler(forward)]
    root.setLevel(logging.INFO)
    sys.stdout = _Lines(lambda line: forward(logging.INFO, line))
    sys.stderr = _Lines(lambda line: forward(logging.WARNING, line))


class _ForwardingHandler(logging.Handler):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self._forward = forward

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            self._forward(record.levelno, line)


class _Lines(io.TextIOBase):
    """A text stream that hands on whole lines."""

    def __init__(self, forward: Callable[[str], None]) -> None:
        self._forward = forward
        self._partial = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._forward(line)
        while len(self._partial) >= LONGEST_LINE:
            self._forward(self._partial[:LONGEST_LINE])
            self._partial = self._partial[LONGEST_LINE:]
        return len(text)
