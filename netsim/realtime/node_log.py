"""Where a node's prints and log records go: to the supervisor, a line each."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from netsim.site.line_stream import LineStream

Forward = Callable[[int, str], None]
"""Takes a level of `logging` and one line."""


def forward_logs(forward: Forward) -> None:
    """Send everything this process logs or prints to `forward`."""
    root = logging.getLogger()
    # Handlers of the supervisor's, if any, belong to its files: they are not even closed.
    root.handlers = [_ForwardingHandler(forward)]
    root.setLevel(logging.INFO)
    sys.stdout = LineStream(lambda line: forward(logging.INFO, line))
    sys.stderr = LineStream(lambda line: forward(logging.WARNING, line))


class _ForwardingHandler(logging.Handler):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self._forward = forward

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            self._forward(record.levelno, line)
