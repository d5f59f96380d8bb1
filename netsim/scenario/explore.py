"""A search for the faults under which a scenario's invariants break.

hypothesis draws sets of faults and shrinks the first that fails; each is tried on a fresh network
in virtual time, in a process of its own. The steps are load: what a fault does to them counts for
nothing. What must hold, after every step and when all faults are over, are the invariants.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from netsim.core.errors import NetsimError
from netsim.core.time import SECOND
from netsim.scenario.fault_draws import FaultSet, fault_sets, polished
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario

Progress = Callable[[int, bool], None]
"""Told how many sets of faults were tried, and whether one that fails is being shrunk."""

_MINUTE: Final = 60 * SECOND


class MissingHypothesisError(NetsimError, ValueError):
    """The package that draws and shrinks is not installed."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What a search came to."""

    seed: int
    faultless: ScenarioResult
    """The run without faults. Where it did not hold there was no search."""
    tried: int
    """Different sets of faults, before one failed."""
    limit_ns: int
    """Of network time, for the steps beside faults."""
    faults: FaultSet
    """The smallest set that fails; empty where none was found."""
    result: ScenarioResult | None
    """What the run with these faults came to."""


def explore(
    scenario: Scenario, pool: Pool, *, seed: int | None, examples: int, progress: Progress
) -> Exploration:
    """Try up to `examples` sets of faults of what the scenario's `explore` allows.

    Equal seeds draw and find the same. MissingHypothesisError where hypothesis is not installed.
    """
    try:
        import hypothesis
    except ImportError:
        message = "a search for faults needs hypothesis; pip install hypothesis"
        raise MissingHypothesisError(message) from None
    budget = scenario.explore
    assert budget is not None
    faultless = _run(pool, Job(scenario, seed))
    began = faultless.steps[0].started_ns if faultless.steps else 0
    duration = faultless.network_ns - began
    limit = scenario.time_limit_ns or _round_up(2 * (duration + budget.lasting_ns) + _MINUTE)
    if not faultless.held:
        return Exploration(faultless.seed, faultless, 0, limit, (), None)
    trials = _Trials(replace(scenario, time_limit_ns=limit), faultless.seed, pool, progress)
    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        verbosity=hypothesis.Verbosity.quiet,
    )
    try:
        with _no_files_left():
            smallest = hypothesis.find(
                fault_sets(budget, duration),
                trials.fails,
                settings=settings,
                random=Random(faultless.seed),
            )
    except hypothesis.errors.NoSuchExample:
        return Exploration(faultless.seed, faultless, trials.tried, limit, (), None)
    smallest = polished(smallest, budget.lasting_ns, duration, trials.fails)
    result = trials.failed[smallest]
    return Exploration(faultless.seed, faultless, trials.tried, limit, smallest, result)


class _Trials:
    """Runs of a scenario under sets of faults, each set once."""

    def __init__(self, scenario: Scenario, seed: int, pool: Pool, progress: Progress) -> None:
        self.failed: dict[FaultSet, ScenarioResult] = {}
        self.tried = 0
        self._held: set[FaultSet] = set()
        self._scenario = scenario
        self._seed = seed
        self._pool = pool
        self._progress = progress

    def fails(self, faults: FaultSet) -> bool:
        """Whether the scenario does not hold under these faults."""
        if faults not in self.failed and faults not in self._held:
            result = _run(self._pool, Job(replace(self._scenario, faults=faults), self._seed))
            self.tried += not self.failed
            if result.held:
                self._held.add(faults)
            else:
                self.failed[faults] = result
            done = self.tried if not self.failed else len(self._held) + len(self.failed)
            self._progress(done, bool(self.failed))
        return faults in self.failed


def _run(pool: Pool, job: Job) -> ScenarioResult:
    ((_, result),) = pool.run([job])
    return result


def _round_up(ns: int) -> int:
    """To whole minutes."""
    return -(-ns // _MINUTE) * _MINUTE


@contextmanager
def _no_files_left() -> Iterator[None]:
    """hypothesis would keep notes on the modules around it in `.hypothesis` where it is started."""
    from hypothesis.configuration import set_hypothesis_home_dir

    with tempfile.TemporaryDirectory(prefix="netsim-explore-") as folder:
        set_hypothesis_home_dir(os.fspath(folder))
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)
