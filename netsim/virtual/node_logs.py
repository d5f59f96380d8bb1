"""What the programs of computers log in virtual time, told apart by the loop that runs."""

from __future__ import annotations

import contextlib
import logging
from asyncio import events
from collections.abc import Callable, Iterator
from typing import ClassVar

from netsim.interception.interception import Interception
from netsim.virtual.computer_loop import ComputerLoop

Forward = Callable[[str, int, str, bool], None]
"""Takes what `Reports.logged` does."""


class NodeLogs(logging.Handler):
    """A handler of the root logger, for as long as a network runs."""

    _installed: ClassVar[list[NodeLogs]] = []
    _level_before: ClassVar[int] = logging.WARNING

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.loops: set[ComputerLoop] = set()
        """The loops of the network's nodes, those from before they started again too."""
        self._forward = forward
        self._speaking: ComputerLoop | None = None

    def install(self) -> None:
        """Hear everything from INFO on, as the processes of nodes do."""
        root = logging.getLogger()
        if not NodeLogs._installed:
            NodeLogs._level_before = root.level
            root.setLevel(min(root.level, logging.INFO) or logging.INFO)
        NodeLogs._installed.append(self)
        root.addHandler(self)

    def uninstall(self) -> None:
        """Hear no more."""
        root = logging.getLogger()
        root.removeHandler(self)
        NodeLogs._installed.remove(self)
        if not NodeLogs._installed:
            root.setLevel(NodeLogs._level_before)

    @contextlib.contextmanager
    def speaking(self, loop: ComputerLoop) -> Iterator[None]:
        """What is logged meanwhile is that node's, whichever loop runs."""
        before, self._speaking = self._speaking, loop
        try:
            yield
        finally:
            self._speaking = before

    def emit(self, record: logging.LogRecord) -> None:
        loop = self._speaking or events._get_running_loop()
        if not isinstance(loop, ComputerLoop):
            loop = _loop_of_thread() or loop
        if loop in self.loops:
            assert isinstance(loop, ComputerLoop)
            for number, line in enumerate(self.format(record).splitlines()):
                self._forward(loop.name, record.levelno, line, number > 0)
        elif not isinstance(loop, ComputerLoop) and self is NodeLogs._installed[0]:
            _log_as_without_handlers(record)


def _loop_of_thread() -> ComputerLoop | None:
    """That of the computer on which a thread of a program runs now, if one does."""
    environment = Interception.here()
    machine = None if environment is None else environment.machine
    return machine if isinstance(machine, ComputerLoop) else None


def _log_as_without_handlers(record: logging.LogRecord) -> None:
    """What the test logs and nobody else hears."""
    last = logging.lastResort
    alone = all(isinstance(each, NodeLogs) for each in logging.getLogger().handlers)
    if alone and last is not None and record.levelno >= last.level:
        last.handle(record)
