"""What a run without faults tells a search for them: when something happens, and who talks to whom.

Between two events nothing changes, so a fault that comes there is the same wherever it comes.
Bugs sit around events (a request has arrived and its answer has not) and around the program's own
times (a client gives up after two seconds), and not in the waits between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.scenario.results import ScenarioResult
from netsim.topology.plan import NetworkPlan
from netsim.wire import ethernet, ipv4
from netsim.wire.wire_error import WireError

UNITS: Final = (
    *(10 * SECOND, SECOND, 100 * MILLISECOND, 10 * MILLISECOND, MILLISECOND),
    *(100 * MICROSECOND, 10 * MICROSECOND, MICROSECOND, 1),
)
"""Rounder ones first, ns."""
_MOST_FRAMES: Final = 100_000
_MOMENTS: Final = 2_000
_SHORTEST_TIMER: Final = MILLISECOND
_FLAGS: Final = 13
"""Octet of the flags in a TCP header (RFC 9293 3.1)."""
_SYN: Final = 0x02
_ACK: Final = 0x10


@dataclass(frozen=True, slots=True)
class FaultlessRun:
    """Times are ns since the first step began."""

    duration_ns: int
    moments: tuple[int, ...] = ()
    """One between each event and the next while steps were at work, the roundest there."""
    timers_ns: tuple[int, ...] = ()
    """How long timers of programs run, each once, shortest first."""
    talks: tuple[tuple[str, str], ...] = ()
    """Who sent packets to whom."""
    services: tuple[tuple[str, int], ...] = ()
    """Nodes and ports that accepted TCP connections."""
    computers: tuple[str, ...] = ()
    """Where programs may run."""
    left_out: tuple[str, ...] = ()
    """What there was more of than is looked at, in words."""


def learn(result: ScenarioResult, trace: Path, plan: NetworkPlan) -> FaultlessRun:
    """What `result` and the trace of the same run show."""
    began = result.steps[0].started_ns if result.steps else 0
    duration = result.network_ns - began
    owners = {
        address: node.name
        for node in plan.nodes
        for interface in node.interfaces
        for address, _ in interface.addresses
    }
    times: set[int] = set()
    talks: dict[tuple[str, str], None] = {}
    services: dict[tuple[str, int], None] = {}
    frames = 0
    with open(trace, encoding="utf-8") as lines:
        for frames, line in enumerate(lines, 1):
            if frames <= _MOST_FRAMES:
                record = json.loads(line)
                if "frame" not in record:
                    continue
                times.add(record["time_ns"])
                _note_ends(bytes.fromhex(record["frame"]), owners, talks, services)
    timers = {length: dues for length, dues in result.timers if length >= _SHORTEST_TIMER}
    times.update(due for dues in timers.values() for due in dues if due <= result.network_ns)
    busy = [
        (step.started_ns, step.ended_ns)
        for step in result.steps
        if step.role == "step" and step.verb not in _FLOW
    ]
    busy = busy or [(began, result.network_ns)]
    moments = _between([time - began for time in _within(times, busy)])
    more = [
        (frames - _MOST_FRAMES, f"of {frames} frames"),
        (len(moments) - _MOMENTS, f"of {len(moments)} moments between events"),
        (result.timers_left_out, "timers of programs"),
    ]
    return FaultlessRun(
        duration,
        _thinned(moments),
        tuple(sorted(timers)),
        tuple(sorted(talks)),
        tuple(sorted(services)),
        tuple(node.name for node in plan.nodes if node.traits.runs_programs),
        tuple(f"{count} {what}" for count, what in more if count > 0),
    )


_FLOW: Final = ("wait", "parallel", "repeat", "always", "eventually")
"""These take time without anything being done; what is done within them is a step of its own."""


def _note_ends(
    frame: bytes,
    owners: dict[bytes, str],
    talks: dict[tuple[str, str], None],
    services: dict[tuple[str, int], None],
) -> None:
    try:
        _, _, kind = ethernet.parse_header(frame)
        if kind != ethernet.ETHERTYPE_IPV4:
            return
        header = ipv4.parse(frame, ethernet.HEADER_LENGTH)
    except WireError:
        return
    source, destination = owners.get(header.source), owners.get(header.destination)
    if source is None or destination is None or source == destination:
        return
    talks[source, destination] = None
    if header.protocol == ipv4.PROTOCOL_TCP:
        segment = frame[ethernet.HEADER_LENGTH + header.header_length :]
        if len(segment) > _FLAGS and segment[_FLAGS] & (_SYN | _ACK) == _SYN | _ACK:
            services[source, int.from_bytes(segment[:2])] = None


def _within(times: Iterable[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Those in a span, in order; the beginnings and ends of the spans, too."""
    inside = {time for time in times for start, end in spans if start <= time <= end}
    return sorted(inside.union(*spans))


def _between(times: Sequence[int]) -> list[int]:
    """The roundest time after each and before the next."""
    return [roundest(a + 1, b - 1) for a, b in pairwise(times) if a + 1 <= b - 1]


def roundest(low: int, high: int) -> int:
    """The first multiple of the largest unit from `low` to `high`."""
    for unit in UNITS:
        up = -(-low // unit) * unit
        if up <= high:
            return up
    return low


def _thinned(moments: list[int]) -> tuple[int, ...]:
    if len(moments) <= _MOMENTS:
        return tuple(moments)
    return tuple(moments[index * len(moments) // _MOMENTS] for index in range(_MOMENTS))
