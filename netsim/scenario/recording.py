"""What has happened so far in a run: it is there whatever ends the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from netsim.core.time import Time
from netsim.network.events import Event
from netsim.network.log_lines import LogLine
from netsim.network.timing import TimingWatch, TimingWatches
from netsim.observe.frame_log import FrameRecord
from netsim.observe.request_trace import Trace
from netsim.scenario.measured_series import MeasuredSeries
from netsim.scenario.results import FaultRecord, Role, Sample, ScenarioResult, StepResult
from netsim.scenario.scenario_model import Step

_HELD_INNER: Final = 500
"""Inner steps that held which are kept; a `repeat` may have many."""
_SAMPLES: Final = 20_000


@dataclass(slots=True)
class OpenStep:
    """A step that has begun."""

    index: int
    result: StepResult
    watch: TimingWatch | None
    """In real time."""


class Recording:
    """Steps, faults and samples of one run, in the order in which they began.

    `timing` is of its network, in real time.
    """

    def __init__(self, timing: TimingWatches | None = None) -> None:
        self._timing = timing
        self.problem = ""
        self.errors: list[LogLine] = []
        self.logs: list[LogLine] = []
        self.exits: list[Event] = []
        self.notices: list[str] = []
        self.happened: set[int] = set()
        """Which of the scenario's `sometimes` were true."""
        self.network_ns = 0
        self.series = MeasuredSeries()
        self._steps: list[StepResult | None] = []
        self._open: dict[int, OpenStep] = {}
        self._cancelled: dict[int, OpenStep] = {}
        self._inner_held = 0
        self._faults: list[FaultRecord] = []
        self._samples: list[Sample] = []
        self._failed = False

    # Steps

    def begin(self, step: Step, now: int, *, role: Role = "step", depth: int = 0) -> OpenStep:
        result = StepResult(
            step.line, step.column, step.text, step.verb, role, depth, now, now, held=False
        )
        self._cancelled.clear()
        watch = None if self._timing is None else self._timing.begin()
        opened = OpenStep(len(self._steps), result, watch)
        self._steps.append(None)
        self._open[opened.index] = opened
        return opened

    def end(
        self,
        opened: OpenStep,
        now: int,
        *,
        held: bool,
        expected: str = "",
        seen: str = "",
        frames: Sequence[FrameRecord] = (),
        trace: Trace | None = None,
    ) -> None:
        """It has ended. One that held in the crowd is not kept."""
        self._open.pop(opened.index, None)
        untrusted = self._end_watch(opened)
        self._failed |= not held and opened.result.role != "load"
        if held and opened.result.depth:
            self._inner_held += 1
            if self._inner_held > _HELD_INNER:
                return
        self._steps[opened.index] = replace(
            opened.result,
            ended_ns=now,
            held=held,
            expected=expected,
            seen=seen,
            frames=tuple(frames),
            trace=trace,
            untrusted=untrusted,
        )

    def forget(self, opened: OpenStep) -> None:
        """It is as if it had not begun."""
        self._open.pop(opened.index, None)
        self._end_watch(opened)

    def cancel(self, opened: OpenStep) -> None:
        """It does not go on: another step failed, or the run is being interrupted."""
        if self._open.pop(opened.index, None) is not None:
            self._cancelled[opened.index] = opened
            self._end_watch(opened)

    def interrupt(self, now: int, reason: str) -> None:
        """Something ends the run: what was going on did not hold."""
        self.problem = reason
        going_on = self._cancelled | self._open
        innermost = max(going_on, default=-1)
        for index, opened in sorted(going_on.items()):
            if index == innermost:
                self.end(opened, now, held=False, expected="to come to an end", seen=reason)
            else:
                self.end(opened, now, held=False)

    def _end_watch(self, opened: OpenStep) -> str:
        """Why the timing of a step cannot be trusted; empty where it can."""
        if self._timing is None or opened.watch is None:
            return ""
        return self._timing.end(opened.watch).text

    # Faults and samples

    def fault_began(self, kind: str, subject: str, now: int) -> None:
        """From now on something is broken."""
        self._faults.append(FaultRecord(kind, subject, now, None))

    def fault_ended(self, kinds: Sequence[str], subject: str | None, now: int) -> None:
        """Faults of these kinds are over: of a subject (`a – b: loss 5%` is `a – b`), or all."""
        for index, fault in enumerate(self._faults):
            is_meant = subject is None or f"{fault.subject}: ".startswith(f"{subject}: ")
            if fault.ended_ns is None and fault.kind in kinds and is_meant:
                self._faults[index] = replace(fault, ended_ns=now)

    def sample(self, samples: Sequence[Sample]) -> None:
        """Keep measured values, within limits."""
        if len(self._samples) < _SAMPLES:
            self._samples.extend(samples)

    # The end

    def result(self, name: str, file: str, seed: int, time: Time, wall: float) -> ScenarioResult:
        """What the run came to."""
        return ScenarioResult(
            name=name,
            file=file,
            seed=seed,
            time=time,
            held=not self._failed and not self.problem,
            problem=self.problem,
            steps=tuple(step for step in self._steps if step is not None),
            faults=tuple(self._faults),
            samples=(*self._samples, *self.series.samples()),
            errors=tuple(self.errors),
            logs=tuple(self.logs),
            happened=tuple(sorted(self.happened)),
            exits=tuple(self.exits),
            notices=(*self.notices, *self.series.notices()),
            network_ns=self.network_ns,
            wall_seconds=wall,
        )
