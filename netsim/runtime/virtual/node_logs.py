"""What the programs of computers log in virtual time, told apart by the loop that runs."""

from __future__ import annotations

import contextlib
import logging
from asyncio import events
from collections.abc import Callable, Iterator

from netsim.runtime.virtual.loops import ComputerLoop

Forward = Callable[[str, int, str], None]
"""Takes the name of a node, a level of `logging`, and one line."""


class NodeLogs(logging.Handler):
    """A handler of the root logger, for the life of a network."""

    def __init__(self, forward: Forward, nodes: set[str]) -> None:
        super().__init__()
        self._forward = forward
        self._nodes = nodes
        self._speaking: str | None = None
        self._level_before = logging.WARNING

    def install(self) -> None:
        """Hear everything from INFO on, as the processes of nodes do."""
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(min(root.level, logging.INFO) or logging.INFO)
        root.addHandler(self)

    def uninstall(self) -> None:
        """Hear no more."""
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level_before)

    @contextlib.contextmanager
    def speaking(self, node: str) -> Iterator[None]:
        """What is logged meanwhile is that node's, whichever loop runs."""
        before, self._speaking = self._speaking, node
        try:
            yield
        finally:
            self._speaking = before

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        running = events._get_running_loop()
        node = self._speaking or (running.name if isinstance(running, ComputerLoop) else None)
        if node in self._nodes:
            for line in self.format(record).splitlines():
                self._forward(node, record.levelno, line)
        elif node is None:
            _log_as_without_handlers(record)


def _log_as_without_handlers(record: logging.LogRecord) -> None:
    """What the test logs and nobody else hears."""
    last = logging.lastResort
    alone = all(isinstance(each, NodeLogs) for each in logging.getLogger().handlers)
    if alone and last is not None and record.levelno >= last.level:
        last.handle(record)
