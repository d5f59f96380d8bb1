"""Notes what happens to the frames of one request at the ports of a site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial

from netsim.link.simplex_link import Departure
from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.observe.captured import Passed
from netsim.observe.hop_events import MOST_EVENTS, HopBatch, HopEvent, HopFilter, What
from netsim.observe.tap import Direction
from netsim.site.port_tap import PortTap


class HopWatch:
    """Those that go on at a site, by their number. None costs nothing."""

    def __init__(self) -> None:
        self._traces: dict[int, _Trace] = {}

    def begin(
        self, number: int, chosen: HopFilter, nodes: Iterable[tuple[Node, list[int]]]
    ) -> None:
        """Note frames at nodes from now on; with each node the links at its ports."""
        trace = self._traces[number] = _Trace(chosen)
        for node, links in nodes:
            trace.attach(node, links)

    def resume(self, node: Node, links: list[int]) -> None:
        """A node has started again here."""
        for trace in self._traces.values():
            trace.attach(node, links)

    def end(self, number: int) -> HopBatch:
        """What was noted; no more is. A number that is unknown has noted nothing."""
        trace = self._traces.pop(number, None)
        return HopBatch() if trace is None else trace.end()


class _Trace:
    def __init__(self, chosen: HopFilter) -> None:
        self._chosen = chosen
        self._events: list[HopEvent] = []
        self._noted: Counter[str] = Counter()
        """Events by node."""
        self._left_out = 0
        self._watched: list[_WatchedPort] = []

    def attach(self, node: Node, links: list[int]) -> None:
        for port, link in zip(node.ports, links, strict=True):
            self._watched.append(
                _WatchedPort(port, link, node.name, partial(self._note, node.name), self._chosen)
            )

    def end(self) -> HopBatch:
        for each in self._watched:
            each.detach()
        return HopBatch(self._events, self._left_out)

    def _note(self, node: str, event: HopEvent) -> None:
        if self._noted[node] < MOST_EVENTS:
            self._noted[node] += 1
            self._events.append(event)
        else:
            self._left_out += 1


class _WatchedPort:
    def __init__(
        self, port: Port, link: int, node: str, note: partial[None], chosen: HopFilter
    ) -> None:
        self._port = port
        self._note = note
        self._chosen = chosen
        here, there = f"{node}:{port.name}", f"{port.peer}:{port.peer_port}"
        self._out = (link, here, there)
        self._in = (link, there, here)
        self._tap = PortTap(port, link, chosen, self._passed)
        port.departure_taps.append(self._left)

    def detach(self) -> None:
        self._tap.detach()
        self._port.departure_taps.remove(self._left)

    def _passed(self, passed: Passed) -> None:
        time_ns, _, direction, frame, reason = passed
        if direction is Direction.OUTBOUND:
            what: What = "dropped" if reason else "queued"
            self._note(HopEvent(what, time_ns, *self._out, frame, reason=reason))
        else:
            what = "lost" if reason else "arrived"
            self._note(HopEvent(what, time_ns, *self._in, frame, reason=reason))

    def _left(self, departures: list[Departure]) -> None:
        for departs_at, deliver_at, frame in departures:
            if self._chosen(frame):
                end = self._port.egress.serialised_at(len(frame), departs_at, deliver_at)
                self._note(HopEvent("left", departs_at, *self._out, frame, end, deliver_at))
