"""Measuring nodes at regular times of the network: queues and rates, windows and round trips.

A measurement reads what is there and changes nothing, so a run is the same with and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from netsim.core.time import MILLISECOND, SECOND
from netsim.node.base_node import Node
from netsim.node.host_node import HostNode
from netsim.node.port import Port
from netsim.observe.measurement import Batch, Measurement, Watched
from netsim.stack.tcp.state import State
from netsim.wire.address import format_ip

MOST_CONNECTIONS: Final = 100
"""Of a node that are measured at one time; what is above is counted."""
_BATCH_NS: Final = 250 * MILLISECOND
_BATCH: Final = 1000
"""Measurements are told of when there are so many, or after that time."""

Deliver: TypeAlias = Callable[[Batch], None]


@dataclass(slots=True)
class _Recording:
    watched: Watched
    every_ns: int
    deliver: Deliver
    measurements: list[Measurement] = field(default_factory=list)
    left_out: int = 0
    counted: dict[Hashable, tuple[int, int, int]] = field(default_factory=dict)
    """What interfaces and connections had sent, received and dropped at the last measurement."""
    measured_at: int = 0
    told_at: int = 0

    def batch(self) -> Batch:
        """What there is since the last one."""
        batch = Batch(tuple(self.measurements), self.left_out)
        self.measurements.clear()
        self.left_out = 0
        return batch


class Recorder:
    """Measures `nodes` of a site while they are there. `schedule` is the site's.

    `goes_on` says whether more is going to happen than so many measurements: where nothing is,
    nothing is measured any more, and a deadlock in virtual time is noticed.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        schedule: Callable[[int, Callable[[int, Any, bytes], None], Any], None],
    ) -> None:
        self.goes_on: Callable[[int], bool] = lambda own: True
        self._nodes = nodes
        self._schedule = schedule
        self._recordings: dict[int, _Recording] = {}
        self._planned = 0
        """Measurements in the agenda."""

    def begin(
        self, number: int, watched: Watched, every_ns: int, at: int, deliver: Deliver
    ) -> None:
        """Measure at `at`, and then every so many ns; `deliver` gets the measurements."""
        self._recordings[number] = _Recording(watched, every_ns, deliver)
        self._plan(number, at)

    def end(self, number: int) -> Batch:
        """Measure no more; what was not delivered yet."""
        recording = self._recordings.pop(number, None)
        return Batch() if recording is None else recording.batch()

    def close(self) -> None:
        """Nothing is measured any more."""
        self._recordings.clear()

    def _plan(self, number: int, due: int) -> None:
        self._planned += 1
        self._schedule(due, self._measure, (number, due))

    def _measure(self, now: int, planned: tuple[int, int], _: bytes) -> None:
        self._planned -= 1
        number, due = planned
        recording = self._recordings.get(number)
        if recording is None:
            return
        counted: dict[Hashable, tuple[int, int, int]] = {}
        elapsed = now - recording.measured_at
        recording.measured_at = now
        for name, interfaces in recording.watched.items():
            node = self._nodes.get(name)
            if node is None:
                continue
            for port in node.ports:
                if interfaces is None or port.name in interfaces:
                    self._add(recording, elapsed, counted, *_of_port(name, port, now))
            if interfaces is None and isinstance(node, HostNode):
                for measured in _of_connections(name, node, now):
                    if measured is None:
                        recording.left_out += 1
                    else:
                        self._add(recording, elapsed, counted, *measured)
        recording.counted = counted
        goes_on = self.goes_on(self._planned)
        late = now - recording.told_at >= _BATCH_NS
        if late or len(recording.measurements) >= _BATCH or not goes_on:
            recording.told_at = now
            recording.deliver(recording.batch())
        if goes_on:
            # A process that was late keeps to its times, and leaves out those that are over.
            due += max(1, -(-(now - due) // recording.every_ns)) * recording.every_ns
            self._plan(number, due)

    @staticmethod
    def _add(
        recording: _Recording,
        elapsed: int,
        counted: dict[Hashable, tuple[int, int, int]],
        key: Hashable,
        sum_: tuple[int, int, int],
        measured: Measurement,
    ) -> None:
        """With rates, where it was measured before."""
        counted[key] = sum_
        before = recording.counted.get(key)
        if before is not None and elapsed > 0:
            sent, received, dropped = (new - old for new, old in zip(sum_, before, strict=True))
            measured = measured._replace(
                rate_bps=max(sent, 0) * 8 * SECOND // elapsed,
                received_bps=max(received, 0) * 8 * SECOND // elapsed,
            )
            if measured.interface:
                measured = measured._replace(dropped=dropped)
        recording.measurements.append(measured)


_Measured: TypeAlias = tuple[Hashable, tuple[int, int, int], Measurement]


def _of_port(name: str, port: Port, now: int) -> _Measured:
    counters = port.egress.counters
    packets, octets = port.egress.waiting(now)
    sent = counters.sent_bytes - counters.dropped_bytes - octets
    dropped = sum(counters.dropped.values())
    return (
        port,
        (sent, port.delivered_bytes, dropped),
        Measurement(now, name, port.name, queue_packets=packets, queue_bytes=octets),
    )


def _of_connections(name: str, node: HostNode, now: int) -> Iterator[_Measured | None]:
    """None for each above the limit."""
    open_ones = [each for each in node.host.tcp.connections() if each.state != State.TIME_WAIT]
    for each in open_ones[:MOST_CONNECTIONS]:
        local, remote = (
            f"{format_ip(address)}:{port}" for address, port in (each.local, each.remote)
        )
        measured = Measurement(
            now,
            name,
            local=local,
            remote=remote,
            cwnd_bytes=each.congestion_window or None,
            ssthresh_bytes=each.slow_start_threshold,
            rtt_ns=each.smoothed_rtt_ns or None,
            in_flight_bytes=each.in_flight,
        )
        # Another connection between the same ends begins at 0 again.
        yield (name, local, remote), (each.acknowledged, each.received, 0), measured
    for _ in open_ones[MOST_CONNECTIONS:]:
        yield None
