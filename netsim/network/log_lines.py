"""What the nodes and their programs have logged, kept by the supervisor within limits."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netsim.network.events import EventHub, Subscription, missed_text, wall_time

CAPACITY: Final = 10_000
"""Lines of the whole network; the oldest go first."""
LONGEST_LINE: Final = 4_096
"""Characters; the rest of a longer line is cut off."""
_GOES_ON: Final = (
    "Traceback (most recent call last)",
    "During handling of the above exception",
    "The above exception was the direct cause",
)
"""Lines of a traceback that are not indented."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. Times are those at which the supervisor heard of it."""

    time_ns: int
    """Network time."""
    node: str
    """Empty where it is about the network."""
    level: int
    """As in `logging`; what a program prints is INFO, or WARNING on stderr."""
    text: str
    wall: str = field(default_factory=wall_time)
    """ISO 8601 in UTC."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "time_ns": self.time_ns,
            "wall": self.wall,
            "node": self.node,
            "level": logging.getLevelName(self.level).lower(),
            "text": self.text,
        }


class LogHistory:
    """The last lines of a network, and those who follow."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._lines: deque[LogLine] = deque(maxlen=capacity)
        self._hub = EventHub(_missed_line)
        self.dropped = 0
        """Lines that had to make room."""

    def add(self, line: LogLine) -> LogLine:
        """Keep a line, and tell those who follow; the line as it is kept."""
        if len(line.text) > LONGEST_LINE:
            line = replace(line, text=f"{line.text[:LONGEST_LINE]}…")
        self.dropped += len(self._lines) == self._lines.maxlen
        self._lines.append(line)
        self._hub.publish(line)
        return line

    def document(self, node: str | None = None, last: int | None = None) -> dict[str, Any]:
        """`{dropped, lines}`: the lines of one node or of all, at most the `last` so many."""
        lines: Iterable[LogLine] = self._lines
        if node is not None:
            lines = [line for line in lines if line.node == node]
        if last is not None:
            lines = list(lines)[-last:] if last else []
        return {"dropped": self.dropped, "lines": [line.as_dict() for line in lines]}

    def subscribe(self) -> Subscription:
        """Lines from now on."""
        return self._hub.subscribe()

    def close(self) -> None:
        """End every subscription."""
        self._hub.close()


def _missed_line(count: int, time_ns: int) -> dict[str, Any]:
    return LogLine(time_ns, "", logging.WARNING, missed_text(count, "line")).as_dict()


@dataclass(frozen=True, slots=True)
class LoggedError:
    """One message of a program, with its traceback if it has one."""

    node: str
    text: str


def logged_errors(lines: Iterable[LogLine]) -> Iterator[LoggedError]:
    """The messages that these lines are: one with a traceback is logged in many."""
    node, message = "", list[str]()
    in_traceback = False
    for line in lines:
        indented = line.text[:1] in ("", " ", "\t")
        goes_on = indented or line.text.startswith(_GOES_ON)
        # A traceback ends with the exception, which is not indented.
        is_exception = in_traceback and not goes_on
        if message and (line.node != node or not (goes_on or is_exception)):
            yield LoggedError(node, "\n".join(message))
            message = []
        node = line.node
        message.append(line.text)
        in_traceback = goes_on and (in_traceback or line.text.startswith(_GOES_ON))
    if message:
        yield LoggedError(node, "\n".join(message))
