"""What a run of a scenario came to: plain data for reports. Times are network time in ns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from netsim.core.time import Time
from netsim.interception.drawn_order import Choice
from netsim.network.events import Event
from netsim.network.log_lines import LogLine
from netsim.observe.frame_log import FrameRecord
from netsim.observe.request_trace import Trace

Role = Literal["step", "load", "invariant", "always", "errors", "limit"]
"""What was looked at: a step of the file, one beside planned faults (it counts for nothing), an
invariant after a step, a check of an `always` while its steps run, whether programs logged errors,
whether the run came to an end."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to. Where it is in the file: `line` and `column` from 1."""

    line: int
    column: int
    text: str
    """The step in a line."""
    verb: str
    role: Role
    depth: int
    """0 for the steps of the file, 1 for those inside them, and so on."""
    started_ns: int
    ended_ns: int
    held: bool
    expected: str = ""
    seen: str = ""
    """Of what was expected; of what did not hold, where it did not."""
    frames: tuple[FrameRecord, ...] = ()
    """The packets around a step that did not hold, oldest first."""
    trace: Trace | None = None
    """Of an `http` that did not hold, where requests are traced."""
    untrusted: str = ""
    """Why its times may be those of a busy machine, and not of the network; empty else."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "line": self.line,
            "column": self.column,
            "step": self.text,
            "verb": self.verb,
            "role": self.role,
            "depth": self.depth,
            "started_ns": self.started_ns,
            "ended_ns": self.ended_ns,
            "held": self.held,
            "expected": self.expected,
            "seen": self.seen,
            "frames": [frame.as_dict() for frame in self.frames],
            "untrusted": self.untrusted,
        }


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """Something that was broken for some time."""

    kind: str
    """The verb that broke it: `down`, `hold`, `crash`, …"""
    subject: str
    """What: `r1 – r2`, `r3`."""
    started_ns: int
    ended_ns: int | None
    """None: it still was when the scenario ended."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "started_ns": self.started_ns,
            "ended_ns": self.ended_ns,
        }


SampleKind = Literal["rtt", "goodput", "response", "cwnd", "in_flight", "queue", "rate"]
"""Round-trip time in ns, goodput in bit/s, time to a whole HTTP response in ns; what `record`
measures: congestion window and data in flight in bytes, queue in packets, rate in bit/s."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value, for plots."""

    time_ns: int
    """When it was known: when a reply came, at the end of the interval that a goodput is of."""
    kind: SampleKind
    label: str
    """Between whom, or where: `alice → web`, `r1:eth0`."""
    value: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "time_ns": self.time_ns,
            "kind": self.kind,
            "label": self.label,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """What a scenario came to with one seed."""

    name: str
    file: str
    seed: int
    time: Time
    held: bool
    problem: str
    """Why it did not end by itself (it did not start, a limit, a deadlock); empty else."""
    steps: tuple[StepResult, ...]
    """In the order in which they began; of many that are alike and held, the first."""
    faults: tuple[FaultRecord, ...] = ()
    samples: tuple[Sample, ...] = ()
    errors: tuple[LogLine, ...] = ()
    """What programs logged as errors, expected ones among it."""
    logs: tuple[LogLine, ...] = ()
    """The last that nodes and programs logged, of any level, oldest first."""
    exits: tuple[Event, ...] = ()
    """Computers that their programs have ended with an exit code other than 0."""
    timers: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """Where they were watched: how long timers of programs ran, and when these were due, in ns."""
    timers_left_out: int = 0
    """More than are kept."""
    order: str = ""
    """Of the tasks that are ready at one instant, where the topology does not say it."""
    is_drawn: bool = False
    """That order is drawn, on some computer."""
    swaps: tuple[dict[str, Any], ...] = ()
    """Where the run did not hold: the last tasks that ran before others which had been ready for
    longer; time, computer, stacks."""
    choices: tuple[tuple[Choice, int], ...] = ()
    """Where it did not hold: all of them, as a script that repeats them."""
    open_choices: tuple[tuple[Choice, int], ...] = ()
    """Where the run had a script: between how many tasks the first was taken."""
    lengths: tuple[tuple[str, int], ...] = ()
    """With PCT: how many choices between tasks the run had, by computer."""
    course: int = 0
    """Equal in runs whose packets had the same lengths at the same times, and whose tasks ran in
    the same order."""
    happened: tuple[int, ...] = ()
    """Which of the scenario's `sometimes` were true at some time."""
    notices: tuple[str, ...] = ()
    """What will not repeat in another run, and such."""
    network_ns: int = 0
    """Network time at the end."""
    wall_seconds: float = 0.0

    @property
    def failures(self) -> tuple[StepResult, ...]:
        """What did not hold, innermost steps only."""
        failed = [step for step in self.steps if not step.held and step.role != "load"]
        return tuple(step for step in failed if step.expected or step.seen)

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "name": self.name,
            "seed": self.seed,
            "order": self.order,
            "time": self.time,
            "held": self.held,
            "problem": self.problem,
            "network_ns": self.network_ns,
            "wall_seconds": round(self.wall_seconds, 3),
            "steps": [step.as_dict() for step in self.steps],
            "faults": [fault.as_dict() for fault in self.faults],
            "samples": [sample.as_dict() for sample in self.samples],
            "swaps": list(self.swaps),
            "errors": [line.as_dict() for line in self.errors],
            "logs": [line.as_dict() for line in self.logs],
            "exits": [
                {"time_ns": each.time_ns, "node": each.node, "text": each.text}
                for each in self.exits
            ],
            "notices": list(self.notices),
        }
