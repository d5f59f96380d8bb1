"""Drives one node: turns arrivals, timers and departures into calls, in order of time.

The agenda is a heap of `(due, source, number, action, argument, frame)`. Entries of equal time
are ordered by source and then by the source's own count, which does not depend on how the work
is divided among processes. The heap is shared by all nodes of a site; whoever keeps the time of the
site takes the entries off and calls `action(now, …)`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from heapq import heapify, heappush
from operator import itemgetter
from random import Random
from typing import Any, Final

from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND
from netsim.link.simplex_link import Departure
from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.stack.timers import Timers

Action = Callable[[int, Any, bytes], None]
Entry = tuple[int, int, int, Action, Any, bytes]
Agenda = list[Entry]
Carry = Callable[[list[Departure]], None]
"""Takes the frames that leave a port, for the other end of its cable."""

_ORDER: Final = itemgetter(0, 1, 2)
_UNSEEN: Final = -1
LOOKAHEAD: Final = 1 * MILLISECOND
"""A frame goes onto the wire at most this long before its serialisation starts, so that the
departures of a busy link batch. Its times are logical and do not depend on it."""


class HostJitter:
    """The time that a host takes for each packet that arrives, drawn from 0 to `most_ns`.

    With it two flows that always met a full queue in the same phase do not (Floyd, Jacobson: On
    Traffic Phase Effects in Packet-Switched Gateways, 1991, section 5). A host takes packets of an
    interface in the order in which they arrive.
    """

    def __init__(self, stream: Random, most_ns: int) -> None:
        self._draw = stream.random
        self._span = most_ns + 1
        self._last: dict[int, tuple[int, int]] = {}
        """By port: when the last packet arrived, and when it is taken."""

    def delay(self, port: int, departures: list[Departure]) -> list[Departure]:
        """The same frames, each when it is taken."""
        arrived, taken = self._last.get(port, (0, 0))
        delayed: list[Departure] = []
        for departs_at, deliver_at, frame in departures:
            due = deliver_at + int(self._draw() * self._span)
            if deliver_at >= arrived:  # else it has overtaken the last one on the link
                due = taken = max(due, taken)
                arrived = deliver_at
            delayed.append((departs_at, due, frame))
        self._last[port] = (arrived, taken)
        return delayed


class Driver:
    """The agenda's side of one node.

    `cables` take what leaves a port; `source` and `port_sources` number the node and the cables
    that end at it. Ports whose counters change are put into `changed`. Frames that arrive are
    handled later by `host_jitter`.
    """

    def __init__(
        self,
        node: Node,
        agenda: Agenda,
        cables: Mapping[Port, Carry],
        source: int,
        port_sources: list[int],
        changed: dict[Port, None],
        host_jitter: HostJitter | None = None,
    ) -> None:
        self.node = node
        self.news: Collection[Any] = ()
        """Sockets of the node to which something has happened; while there are any, every event
        calls `on_news`."""
        self.on_news: Callable[[], None] = lambda: None
        self.on_carrier_changed: Callable[[Port, int], None] = lambda port, now: None
        self._host_jitter = host_jitter
        self._changed = changed
        self._agenda = agenda
        self._cables = cables
        self._source = source
        self._port_sources = port_sources
        self._port_counts = [0] * len(port_sources)
        self._count = 0
        self._timer_dues: list[int] = []
        """When the agenda calls the node's timers: latest first, each earlier than the last."""
        self._armed_seen = _UNSEEN
        """How often timers had been armed when the node was last asked for the earliest."""
        self._departing: dict[int, int] = {}
        """By port: when the earliest departure in the agenda is due."""
        self._announced: dict[int, list[int]] = {}
        """By port: when its changes are due. What departs then or later is kept back for them."""
        self._up_since: dict[int, int] = {}
        """By port: when the carrier came back, until something that departed later has come. What
        departed before is lost, however late it comes off the cable."""

    def arrive(self, port: Port, departures: list[Departure]) -> None:
        """Frames came off the cable at `port`: each is handled when it is due."""
        agenda = self._agenda
        index = port.index
        source = self._port_sources[index]
        count = self._port_counts[index]
        action = self._receive
        port.received += len(departures)
        self._changed[port] = None
        if index in self._up_since:
            since = self._up_since[index]
            if departures and departures[0][0] >= since:
                del self._up_since[index]  # what follows departed later still
            else:
                departures = _sent_since(port, departures, since)
        if self._host_jitter is not None:
            departures = self._host_jitter.delay(index, departures)
        for _, deliver_at, frame in departures:
            count += 1
            heappush(agenda, (deliver_at, source, count, action, port, frame))
        self._port_counts[index] = count

    def schedule(self, due: int, action: Action, argument: Any) -> None:
        """Call `action(now, argument, b"")` at `due`, as an event of this node's own."""
        self._count += 1
        heappush(self._agenda, (due, self._source, self._count, action, argument, b""))

    def change_at(self, port: Port, condition: LinkCondition, at: int) -> None:
        """From `at` on the direction that leaves `port` is in `condition`.

        Exact when it is announced `LOOKAHEAD` before; both ends of the link are told.
        """
        self._announced.setdefault(port.index, []).append(at)
        self.schedule(at, self._change, (port, condition, at))

    def set_carrier(self, port: Port, up: bool, now: int) -> None:
        """The cable at `port` was connected or lost; with the carrier goes what is in flight."""
        if not up:
            self._lose_in_flight(port, now)
        elif not port.up:
            self._up_since[port.index] = now
        was_up = port.up
        self.node.set_carrier(port, up, now)
        self._changed[port] = None
        self.settle(now)
        if up != was_up:
            self.on_carrier_changed(port, now)

    def flush(self, now: int) -> None:
        """Send what programs on the node have written."""
        self.node.flush(now)
        self.settle(now)

    def settle(self, now: int) -> None:
        """After anything was done to the node: send what it sent, arm its timer."""
        node = self.node
        if node.sending:
            for port in node.sending:
                self._send(port, now)
            node.sending.clear()
        if node.timers.armed != self._armed_seen:
            self._plan_timer(node.timers, now)
        if self.news:
            self.on_news()

    def _plan_timer(self, timers: Timers, now: int) -> None:
        due = timers.next_due()
        self._armed_seen = timers.armed
        if due is not None:
            due = max(due, now)
            dues = self._timer_dues
            if not dues or due < dues[-1]:
                dues.append(due)
                self.schedule(due, self._fire, None)

    def _change(self, now: int, change: tuple[Port, LinkCondition, int], _: bytes) -> None:
        port, condition, announced = change
        pending = self._announced[port.index]
        pending.remove(announced)
        if not pending:
            del self._announced[port.index]
        egress = port.egress
        egress.change(condition.attributes, now)
        if condition.held:
            egress.hold(now)
        else:
            egress.release(now)
        # Whether or not it was given anything: what waits may have to leave at another time.
        self.node.sending[port] = None
        self.set_carrier(port, condition.up, now)

    def _receive(self, now: int, port: Port, frame: bytes) -> None:
        self._changed[port] = None
        if port.deliver(frame, now):
            self.node.receive_frame(port, frame, now)
            self.settle(now)

    def _fire(self, now: int, _: None, __: bytes) -> None:
        # Entries come up earliest first: this was the last one put into the agenda.
        self._timer_dues.pop()
        self._armed_seen = _UNSEEN
        self.node.handle_timer(now)
        self.settle(now)

    def _send(self, port: Port, now: int) -> None:
        self._changed[port] = None
        egress = port.egress
        index = port.index
        ahead = LOOKAHEAD if egress.looks_ahead else 0
        until = now + ahead
        change = min(self._announced[index]) if index in self._announced else None
        if change is not None:
            until = min(until, change - 1)
        departures = egress.dequeue(until)
        if departures:
            for tap in port.departure_taps:
                tap(departures)
            self._cables[port](departures)
        following = egress.next_departure()
        if following is None or (change is not None and following >= change):
            # What the change leaves of it is looked at after the change.
            return
        # Half the look-ahead before it departs: it is on the wire in time, and so are the
        # frames that follow it within the other half.
        due = max(now, following - ahead // 2)
        if due < self._departing.get(index, due + 1):
            self._departing[index] = due
            self.schedule(due, self._depart, port)

    def _depart(self, now: int, port: Port, _: bytes) -> None:
        if self._departing.get(port.index, now) <= now:
            self._departing.pop(port.index, None)
        self._send(port, now)

    def _lose_in_flight(self, port: Port, now: int) -> None:
        agenda = self._agenda
        lost = [entry for entry in agenda if entry[4] is port and entry[3] == self._receive]
        if lost:
            for entry in sorted(lost, key=_ORDER):
                port.lose(entry[5], "carrier", now)
            agenda[:] = [
                entry for entry in agenda if entry[4] is not port or entry[3] != self._receive
            ]
            heapify(agenda)


def _sent_since(port: Port, departures: list[Departure], since: int) -> list[Departure]:
    for departs_at, _, frame in departures:
        if departs_at < since:
            port.lose(frame, "carrier", since)
    return [departure for departure in departures if departure[0] >= since]
