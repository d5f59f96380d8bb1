"""What a node's process logs and prints, on its way to the supervisor."""

from __future__ import annotations

import logging
import sys

from netsim.realtime.channel import Channel
from netsim.site import messages
from netsim.site.program_output import standard_streams


class ForwardedLines(logging.Handler):
    """Sends lines, unless the supervisor is too far behind: then they are counted."""

    def __init__(self, node: str, channel: Channel) -> None:
        super().__init__()
        self._node = node
        self._channel = channel
        self._lost = 0
        """Since one was sent."""

    def forward(self) -> None:
        """From now on all that this process logs or prints is sent."""
        root = logging.getLogger()
        # Handlers of the supervisor's, if any, belong to its files: they are not even closed.
        root.handlers = [self]
        root.setLevel(logging.INFO)
        sys.stdout, sys.stderr = standard_streams(self.log)

    def log(self, level: int, text: str) -> None:
        """One line."""
        if self._channel.congested:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.log(logging.WARNING, f"{lost} lines came too fast: lost")
        self._channel.send(messages.Logged(self._node, level, text))

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            self.log(record.levelno, line)
