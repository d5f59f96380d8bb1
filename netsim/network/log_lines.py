"""What the nodes and their programs have logged, and the network's own events, within limits."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netsim.core.errors import InvalidValueError
from netsim.network.events import Event, EventHub, Subscription, missed_text, wall_time

CAPACITY: Final = 10_000
"""Lines of the whole network, and as many events of its own; the oldest go first."""
MISSED: Final = "missed"
"""The kind of a line that stands for those that nobody took in time."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_OF_EVENTS: Final = {
    "error": logging.ERROR,
    "node-died": logging.ERROR,
    "program-failed": logging.ERROR,
    "carrier": logging.WARNING,
    "fault": logging.WARNING,
    "link": logging.WARNING,
    "timing": logging.WARNING,
}
"""Levels; those of other events are INFO."""
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
    kind: str = "log"
    """Or that of an event of the network's own."""
    goes_on: bool = False
    """It belongs to the message of which the node's line before is a part."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "time_ns": self.time_ns,
            "wall": self.wall,
            "node": self.node,
            "level": logging.getLevelName(self.level).lower(),
            "text": self.text,
            "kind": self.kind,
        }


def event_line(event: Event) -> LogLine:
    """An event of the network's own among lines."""
    level = _OF_EVENTS.get(event.kind, logging.INFO)
    return LogLine(event.time_ns, event.node, level, event.text, kind=event.kind)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines somebody wants to see."""

    nodes: frozenset[str] = frozenset()
    """All where it is empty. What is about no node is about all."""
    since_ns: int = 0
    """Network time."""
    level: int = 0
    """Of this level and above, as in `logging`."""
    events: bool = False
    """Those of the network's own as well."""

    def __contains__(self, line: object) -> bool:
        return (
            isinstance(line, LogLine)
            and (not self.nodes or not line.node or line.node in self.nodes)
            and line.time_ns >= self.since_ns
            and line.level >= self.level
        )

    def has(self, document: dict[str, Any]) -> bool:
        """The same of a line as JSON has it, from now on."""
        if document["kind"] == MISSED:
            return True
        level = logging.getLevelNamesMapping().get(document["level"].upper(), logging.INFO)
        node = document["node"]
        return level >= self.level and (not self.nodes or not node or node in self.nodes)


ALL_LINES: Final = Wanted()


def level_of(name: str) -> int:
    """`"warning"` as in `logging`; InvalidValueError."""
    if name not in LEVELS:
        raise InvalidValueError(f"{name!r} is no level; write one of {', '.join(LEVELS)}")
    return logging.getLevelNamesMapping()[name.upper()]


class LogHistory:
    """The last lines and events of a network, and those who follow."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._lines: deque[LogLine] = deque(maxlen=capacity)
        self._events: deque[LogLine] = deque(maxlen=capacity)
        self._hub = EventHub(_missed_line)
        self._hub_of_all = EventHub(_missed_line)
        self.dropped = 0
        """Lines that had to make room."""
        self.dropped_events = 0

    def add(self, line: LogLine) -> LogLine:
        """Keep a line, and tell those who follow; the line as it is kept."""
        if len(line.text) > LONGEST_LINE:
            line = replace(line, text=f"{line.text[:LONGEST_LINE]}…")
        if line.kind == "log":
            self.dropped += len(self._lines) == self._lines.maxlen
            self._lines.append(line)
            self._hub.publish(line)
        else:
            self.dropped_events += len(self._events) == self._events.maxlen
            self._events.append(line)
        self._hub_of_all.publish(line)
        return line

    def document(self, wanted: Wanted = ALL_LINES, last: int | None = None) -> dict[str, Any]:
        """`{dropped, dropped_events, lines}`: those that are wanted, at most the `last` so many."""
        lines: Iterable[LogLine] = self._lines
        if wanted.events:
            lines = sorted((*self._lines, *self._events), key=lambda line: line.time_ns)
        lines = [line for line in lines if line in wanted]
        if last is not None:
            lines = lines[-last:] if last else []
        return {
            "dropped": self.dropped,
            "dropped_events": self.dropped_events,
            "lines": [line.as_dict() for line in lines],
        }

    def subscribe(self, events: bool = False) -> Subscription:
        """Lines from now on; `events` of the network's own as well."""
        return (self._hub_of_all if events else self._hub).subscribe()

    def close(self) -> None:
        """End every subscription."""
        self._hub.close()
        self._hub_of_all.close()


def _missed_line(count: int, time_ns: int) -> dict[str, Any]:
    text = missed_text(count, "line")
    return LogLine(time_ns, "", logging.WARNING, text, kind=MISSED).as_dict()


@dataclass(frozen=True, slots=True)
class LoggedError:
    """One message of a program, with its traceback if it has one."""

    node: str
    text: str


def logged_errors(lines: Iterable[LogLine]) -> list[LoggedError]:
    """The messages that these lines are; a traceback that is logged by itself belongs to the last.

    Lines of several nodes may be mixed: each comes from a process of its own.
    """
    found: list[tuple[str, list[str]]] = []
    last: dict[str, list[str]] = {}
    in_traceback = set[str]()
    for line in lines:
        node = line.node
        starts_traceback = line.text.startswith(_GOES_ON)
        indented = line.text[:1] in ("", " ", "\t")
        # A traceback ends with the exception, which is not indented.
        goes_on = line.goes_on or indented or starts_traceback or node in in_traceback
        if node not in last or not goes_on:
            last[node] = []
            found.append((node, last[node]))
        last[node].append(line.text)
        if starts_traceback:
            in_traceback.add(node)
        elif not indented:
            in_traceback.discard(node)
    return [LoggedError(node, "\n".join(message)) for node, message in found]
