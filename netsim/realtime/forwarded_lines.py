"""What a node's process logs and prints, on its way to the supervisor."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from netsim.realtime.channel import Channel
from netsim.site import messages
from netsim.site.program_output import standard_streams

_SET: Final = ("level", "propagate", "disabled")
_logging: Final[Any] = logging


class ForwardedLines(logging.Handler):
    """Sends lines, unless the supervisor is too far behind: then they are counted."""

    def __init__(self, node: str, channel: Channel) -> None:
        super().__init__()
        self._node = node
        self._channel = channel
        self._lost = 0
        """Since one was sent."""
        self._before: dict[logging.Logger, list[Any]] = {}
        """How loggers of the supervisor's were set up."""
        self._disabled = logging.NOTSET

    def forward(self) -> None:
        """From now on all that this process logs or prints is sent."""
        self._before = {each: _set_up(each) for each in _loggers()}
        self._disabled = logging.root.manager.disable
        self.start_again()

    @property
    def is_forwarding(self) -> bool:
        """Whether this process is the node's, with all handlers in it."""
        return bool(self._before)

    def start_again(self) -> None:
        """As `forward`: what programs have set up since is forgotten, as they are."""
        new = _set_up(logging.Logger(""))
        for logger in _loggers():
            *values, filters = self._before.get(logger, new)
            for name, value in zip(_SET, values, strict=True):
                setattr(logger, name, value)
            logger.filters = list(filters)
            # Handlers of the supervisor's, if any, belong to its files: they are not even closed.
            logger.handlers = []
        del _logging._handlerList[:]
        _logging._handlers.clear()
        logging.root.handlers = [self]
        logging.root.setLevel(logging.INFO)
        logging.disable(self._disabled)
        sys.stdout, sys.stderr = standard_streams(self.log)

    def log(self, level: int, text: str, goes_on: bool = False) -> None:
        """One line; `goes_on` where it is not the first of its message."""
        if self._channel.congested:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.log(logging.WARNING, f"{lost} lines came too fast: lost")
        self._channel.send(messages.Logged(self._node, level, text, goes_on))

    def emit(self, record: logging.LogRecord) -> None:
        for number, line in enumerate(self.format(record).splitlines()):
            self.log(record.levelno, line, goes_on=number > 0)


def _loggers() -> list[logging.Logger]:
    """All that there are."""
    named = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(each for each in named if isinstance(each, logging.Logger))]


def _set_up(logger: logging.Logger) -> list[Any]:
    return [*(getattr(logger, name) for name in _SET), list(logger.filters)]
