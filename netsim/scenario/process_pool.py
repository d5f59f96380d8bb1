"""Runs of scenarios in parallel, each in a process of its own.

The processes are forked from a server that has imported everything once: a run costs milliseconds
to start, and finds nothing that another one left behind. What dies, hangs beyond its limit or does
not answer is the failure of its scenario only.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from netsim.core.time import SECOND
from netsim.core.units import format_duration
from netsim.realtime.process_tree import die_with_parent
from netsim.scenario.fault_steps import PlannedFault
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario

_PRELOADED: Final = [
    "netsim.scenario.scenario_run",
    "netsim.scenario.load_scenario",
    "netsim.virtual.virtual_backend",
    "netsim.virtual.loops",
    "netsim.services.httpbin",
    "aiohttp.web",
]
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
    process: ForkServerProcess
    results: Connection
    said: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float | None:
        """When it is killed, as `time.monotonic`."""
        limit = self.job.scenario.wall_limit_ns
        return None if limit is None else self.started + limit / SECOND + _GRACE

    def kill(self) -> None:
        """End it now; the processes of its network follow."""
        self.process.kill()
        self.process.join()
        self.results.close()


class Pool:
    """Runs jobs, `workers` at a time. Close it when done: nothing is left then."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        _start_server()
        self._folder = tempfile.TemporaryDirectory(prefix="netsim-test-")
        self._waiting: deque[tuple[int, Job]] = deque()
        self._running: list[_Run] = []

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, ScenarioResult]]:
        """The index of each job and its result, as they end."""
        self._waiting.extend(enumerate(jobs))
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._workers:
                self._start(*self._waiting.popleft())
            for run in self._ended():
                if run in self._running:  # not dropped by whoever took the result before it
                    self._running.remove(run)
                    yield run.index, self._result(run)

    def drop(self, unwanted: range) -> None:
        """Have jobs with these indexes not run, nor run on."""
        self._waiting = deque(each for each in self._waiting if each[0] not in unwanted)
        for run in [run for run in self._running if run.index in unwanted]:
            self._running.remove(run)
            run.kill()

    def close(self) -> None:
        """Kill what still runs."""
        self._waiting.clear()
        for run in self._running:
            run.kill()
        self._running.clear()
        self._folder.cleanup()

    def _start(self, index: int, job: Job) -> None:
        results, answers = self._context.Pipe(duplex=False)
        said = Path(self._folder.name, str(index))
        said.touch()
        process = self._context.Process(target=_work, args=(job, answers, said), daemon=False)
        process.start()
        answers.close()
        self._running.append(_Run(index, job, process, results, said))

    def _ended(self) -> list[_Run]:
        """Runs with a result, or without a process, or whose time is over."""
        deadlines = [run.deadline for run in self._running if run.deadline is not None]
        timeout = max(min(deadlines) - time.monotonic(), 0) if deadlines else None
        ready = set(wait([run.results for run in self._running], timeout))
        now = time.monotonic()
        return [
            run
            for run in self._running
            if run.results in ready or (run.deadline is not None and run.deadline <= now)
        ]

    def _result(self, run: _Run) -> ScenarioResult:
        answer: Any = None
        if run.results.poll():
            with contextlib.suppress(EOFError, OSError):
                answer = run.results.recv()
            run.process.join(_GRACE if answer is not None else None)
        wall = time.monotonic() - run.started
        code = run.process.exitcode
        run.kill()
        if isinstance(answer, ScenarioResult):
            return answer
        if isinstance(answer, str):
            return run.job.broken(answer, wall)
        if code is None:
            limit = run.job.scenario.wall_limit_ns or 0
            problem = f"the limit of {format_duration(limit)} of real time is over; it was killed"
            return run.job.broken(problem, wall)
        return run.job.broken(f"its process {_death(code)}{_last_words(run.said)}", wall)


def _start_server() -> None:
    """Start the server of the processes, deaf to Ctrl-C from its first moment.

    By itself it is so only when it has imported everything, and dies with a traceback till then.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def _death(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _last_words(said: Path) -> str:
    text = said.read_bytes()[-_TAIL:].decode(errors="replace").strip()
    return f"; it said: {text}" if text else ""


def _work(job: Job, answers: Connection, said: Path) -> None:
    """In a process of its own: one run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pool's business
    die_with_parent(os.getppid())
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        return  # the pool was closed while this process was being started
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    from netsim.scenario.scenario_run import execute  # what takes a while is imported already

    try:
        answers.send(execute(job.scenario, seed=job.seed, trace=job.trace, faults=job.faults))
    except Exception:  # noqa: BLE001  # a bug of ours must not look like a scenario that held
        answers.send(f"a bug in netsim: {traceback.format_exc().strip()}")
