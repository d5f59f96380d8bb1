"""Runs of scenarios in parallel, each in a process of its own.

The processes are forked from one that has imported everything once, the libraries of the
scenario's programs as well (`run_server`): a run costs milliseconds to start, and finds memory as
any other run did. What dies, hangs beyond its
limit or does not answer is the failure of its scenario only.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final

from netsim.core.process_end import how_it_ended
from netsim.core.time import SECOND
from netsim.core.units import format_duration
from netsim.interception.drawn_order import Choice
from netsim.scenario.fault_steps import PlannedFault
from netsim.scenario.results import ScenarioResult
from netsim.scenario.run_processes import RunOrder, RunProcess, RunServer
from netsim.scenario.scenario_model import Scenario

_GRACE: Final = 10.0
"""Seconds beyond the limit of a run until it is killed; it should have ended itself by then."""
_TAIL: Final = 2_000
"""Bytes of what a process said that died."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a scenario with a seed, and with faults beside its steps."""

    scenario: Scenario
    seed: int | None = None
    trace: str | None = None
    faults: tuple[PlannedFault, ...] = ()
    time_limit_ns: int | None = None
    """Instead of the scenario's."""
    watches_timers: bool = False
    script: tuple[tuple[Choice, int], ...] | None = None
    """Choices to be made, and no others."""
    has_own_files: bool = False
    """What it captures and records goes to files with its seed in their names."""
    keeps_files: bool = True
    """False: what it captures and records goes nowhere, as other runs do the same."""
    lengths: tuple[tuple[str, int], ...] = ()
    """How many choices a run has, for PCT."""

    @property
    def order(self) -> RunOrder:
        return RunOrder(
            self.seed,
            self.faults,
            self.time_limit_ns,
            self.watches_timers,
            self.script,
            self.has_own_files,
            self.keeps_files,
            self.lengths,
        )

    def broken(self, problem: str, wall: float) -> ScenarioResult:
        """The result where the process gave none."""
        scenario = self.scenario
        seeds = (self.seed, scenario.seed, scenario.topology.seed, 0)
        return ScenarioResult(
            name=scenario.name,
            file=scenario.file,
            seed=next(seed for seed in seeds if seed is not None),
            time=scenario.time,
            held=False,
            problem=problem,
            steps=(),
            wall_seconds=wall,
        )


@dataclass(slots=True)
class _Run:
    index: int
    job: Job
    process: RunProcess
    said: Path
    is_second: bool
    """The first had to compile modules, and so its memory lay otherwise."""
    started: float = field(default_factory=time.monotonic)
    answer: Any = None
    """A result and whether anything was compiled for it, or what went wrong."""
    is_late: bool = False

    @property
    def deadline(self) -> float | None:
        """When it is killed, as `time.monotonic`."""
        limit = self.job.scenario.wall_limit_ns
        return None if limit is None else self.started + limit / SECOND + _GRACE

    @property
    def must_run_again(self) -> bool:
        """Now that the modules are compiled, as it would the next time."""
        has_compiled = isinstance(self.answer, tuple) and self.answer[1]
        return has_compiled and not self.is_second and not sys.dont_write_bytecode


class Pool:
    """Runs jobs, `workers` at a time. Close it when done: nothing is left then."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._folder = tempfile.TemporaryDirectory(prefix="netsim-test-")
        self._server = RunServer(Path(self._folder.name))
        self._waiting: deque[tuple[int, Job, bool]] = deque()
        self._running: list[_Run] = []

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, ScenarioResult]]:
        """The index of each job and its result, as they end."""
        self._waiting.extend((index, job, False) for index, job in enumerate(jobs))
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self.workers:
                self._start(*self._waiting.popleft())
            for run in self._ended():
                if run in self._running:  # not dropped by whoever took the result before it
                    self._running.remove(run)
                    result = self._result(run)
                    if run.must_run_again:
                        self._server.forget(run.job.scenario)
                        self._waiting.appendleft((run.index, run.job, True))
                    else:
                        yield run.index, result

    def drop(self, unwanted: Container[int]) -> None:
        """Have jobs with these indexes not run, nor run on."""
        self._waiting = deque(each for each in self._waiting if each[0] not in unwanted)
        for run in [run for run in self._running if run.index in unwanted]:
            self._running.remove(run)
            run.process.kill()

    def close(self) -> None:
        """Kill what still runs."""
        self._waiting.clear()
        for run in self._running:
            run.process.kill()
        self._running.clear()
        self._server.close()
        self._folder.cleanup()

    def _start(self, index: int, job: Job, is_second: bool) -> None:
        said = Path(self._folder.name, str(index))
        process = self._server.start(job.scenario, said, job.trace)
        with suppress(OSError):  # it has ended, and is found so
            process.connection.send(job.order)
        self._running.append(_Run(index, job, process, said, is_second))

    def _ended(self) -> list[_Run]:
        """Runs with a result, or without a process, or whose time is over."""
        deadlines = [run.deadline for run in self._running if run.deadline is not None]
        timeout = max(min(deadlines) - time.monotonic(), 0) if deadlines else None
        ready = set(wait([run.process.connection for run in self._running], timeout))
        now = time.monotonic()
        for run in self._running:
            run.is_late = run.deadline is not None and run.deadline <= now
        return [
            run
            for run in self._running
            if (run.process.connection in ready and self._has_answered(run)) or run.is_late
        ]

    def _has_answered(self, run: _Run) -> bool:
        try:
            run.answer = run.process.receive()
        except (EOFError, OSError):
            return True
        return run.answer is not None

    def _result(self, run: _Run) -> ScenarioResult:
        answer = run.answer
        # Who has closed the connection without an answer is about to end.
        run.process.join(0 if run.is_late else _GRACE)
        wall = time.monotonic() - run.started
        code = run.process.exit_code
        run.process.kill()
        if isinstance(answer, tuple):
            result: ScenarioResult = answer[0]
            return result
        if isinstance(answer, str):
            return run.job.broken(answer, wall)
        if code is None and not run.is_late:
            return run.job.broken("the server of the processes has ended", wall)
        if code is None:
            limit = run.job.scenario.wall_limit_ns or 0
            problem = f"the limit of {format_duration(limit)} of real time is over; it was killed"
            return run.job.broken(problem, wall)
        return run.job.broken(f"its process {how_it_ended(code)}{_last_words(run.said)}", wall)


def _last_words(said: Path) -> str:
    text = said.read_bytes()[-_TAIL:].decode(errors="replace").strip()
    return f"; it said: {text}" if text else ""
