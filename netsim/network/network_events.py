"""What happens in a network, and what its nodes log: kept, and told to whoever subscribes."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from netsim.core.errors import StartError
from netsim.core.units import parse_duration
from netsim.network.events import Event, EventHub, Subscription
from netsim.network.log_lines import LogHistory, LogLine, Wanted, event_line, level_of
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node

TIMELINE: Final = 1_000
"""Events that are kept."""
ERRORS: Final = 10_000
"""Lines that are kept."""
_LINES_OF_A_START: Final = 10
"""Of the log, that the error of a node shows which did not come up."""


class NetworkEvents(ABC):
    """What a network tells of itself."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self._events = EventHub()
        self._logs = LogHistory()
        self.errors: list[LogLine] = []
        """What nodes and programs have logged as errors, exceptions of handlers among it: the
        first `ERRORS` lines."""
        self.exits: list[Event] = []
        """Of nodes that programs have ended with an exit code other than 0: the first `ERRORS`."""
        self._timeline: deque[Event] = deque(maxlen=TIMELINE)

    @abstractmethod
    def now(self) -> int:
        """Network time in ns."""

    @property
    def timeline(self) -> list[Event]:
        """What happened to nodes, carriers and routes, oldest first: the last `TIMELINE` events."""
        return list(self._timeline)

    def subscribe(self) -> Subscription:
        """Events from now on; close the subscription when done."""
        return self._events.subscribe()

    def logs(
        self,
        node: str | Sequence[str] | None = None,
        last: int | None = None,
        *,
        since: str | None = None,
        level: str | None = None,
        events: bool = False,
    ) -> dict[str, Any]:
        """What was logged, oldest first: `{dropped, dropped_events, lines}`.

        Of one node or some; `last` is how many lines at most, `since` how long ago they came at
        most (`"5s"` of network time), `level` the least that is shown (`"warning"`). With `events`
        what happened to the network stands between them. UnknownNameError, UnitError,
        InvalidValueError.
        """
        nodes = [node] if isinstance(node, str) else node or []
        for name in nodes:
            check_node(self.plan, name)
        since_ns = 0 if since is None else self.now() - parse_duration(since)
        least = 0 if level is None else level_of(level)
        return self._logs.document(Wanted(frozenset(nodes), since_ns, least, events), last)

    def subscribe_to_logs(self, events: bool = False) -> Subscription:
        """Every line that is logged from now on; close the subscription when done.

        With `events` what happens to the network as well, in the form of lines.
        """
        return self._logs.subscribe(events)

    def logged(self, node: str, level: int, text: str, goes_on: bool = False) -> None:
        line = self.kept(node, level, text, goes_on)
        kind = "error" if level >= logging.ERROR else "log"
        self._events.publish(Event(line.time_ns, kind, node, line.text))

    def kept(self, node: str, level: int, text: str, goes_on: bool = False) -> LogLine:
        """A line among those of a node, of what an event tells whoever listens."""
        line = self._logs.add(LogLine(self.now(), node, level, text, goes_on=goes_on))
        if level >= logging.ERROR and len(self.errors) < ERRORS:
            self.errors.append(line)
        return line

    def failed(self, text: str) -> None:
        self._publish("error", "", text)

    def _with_log(self, error: StartError) -> StartError:
        """The error, and the last that the node logged which did not come up."""
        if error.logged_by is None:
            return error
        lines = self.logs(error.logged_by, _LINES_OF_A_START)["lines"]
        said = [f"  {line['text']}" for line in lines]
        title = f"the last that {error.logged_by} logged:"
        return StartError("\n".join([str(error), title, *said])) if said else error

    def noticed(self, node: str, text: str) -> None:
        """Something worth knowing has happened at a node."""
        self._publish("notice", node, text)

    def _publish(self, kind: str, node: str, text: str) -> None:
        self._tell(Event(self.now(), kind, node, text))

    def _tell(self, event: Event) -> None:
        self._timeline.append(event)
        self._announce(event)

    def _announce(self, event: Event) -> None:
        """Tell whoever listens, and keep it among the lines; the timeline is not for it."""
        self._events.publish(event)
        self._logs.add(event_line(event))
