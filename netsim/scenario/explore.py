"""A search for the faults under which a scenario's invariants break.

Sets of faults are drawn from what the scenario allows and its run without faults shows. They are
tried in parallel, each on a fresh network in virtual time, in a process of its own; the first that
fails is shrunk. The steps are load: what a fault does to them counts for nothing. What must hold,
after every step and when all faults are over, are the invariants.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final

from netsim.core.errors import NetsimError
from netsim.core.time import SECOND
from netsim.scenario.fault_draws import FaultSet, draw_sets, shrunk, targets
from netsim.scenario.faultless_run import FaultlessRun, learn
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import FAULT_KINDS, Scenario
from netsim.topology.make_plan import make_plan

Progress = Callable[[int, bool], None]
"""Told how many sets of faults were tried, and whether one that fails is being shrunk."""

_MINUTE: Final = 60 * SECOND
MOST_TO_SHRINK: Final = 200
"""Sets of faults, after one has failed."""


class NothingToBreakError(NetsimError, ValueError):
    """No fault fits what a scenario allows."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What a search came to."""

    seed: int
    faultless: ScenarioResult
    """The run without faults. Where it did not hold there was no search."""
    tried: int
    """Different sets of faults, up to the first that failed."""
    kinds: tuple[str, ...]
    """Those that were tried."""
    span_ns: int
    """Within which they began."""
    limit_ns: int
    """Of network time, for the steps beside faults."""
    faults: FaultSet
    """The smallest set that fails; empty where none was found."""
    result: ScenarioResult | None
    """What the run with these faults came to."""
    left_out: tuple[str, ...] = ()
    """Of the run without faults, what was more than a search looks at, in words."""
    is_cut_short: bool = False
    """Time was over before all sets were tried, or before the smallest that fails was known."""
    is_shrunk_enough: bool = True
    """False: as many sets were tried to shrink what was found as are; smaller ones may do."""


def explore(
    scenario: Scenario,
    pool: Pool,
    *,
    seed: int | None,
    examples: int,
    progress: Progress,
    deadline: float | None = None,
) -> Exploration:
    """Try up to `examples` sets of faults of what the scenario's `explore` allows.

    Equal seeds draw and find the same, however many are tried at a time; unless `deadline`
    (`time.monotonic`) ends the search. NothingToBreakError where nothing fits what is allowed.
    """
    budget = scenario.explore
    assert budget is not None
    faultless, learnt = _faultless(scenario, pool, seed)
    duration = learnt.duration_ns
    limit = scenario.time_limit_ns or _round_up(2 * (duration + budget.lasting_ns) + _MINUTE)
    exploration = Exploration(
        *(faultless.seed, faultless, 0, (), duration, limit, (), None), left_out=learnt.left_out
    )
    if not faultless.held:
        return exploration
    if not targets(budget, learnt):
        raise NothingToBreakError(
            f"{scenario.file}: nothing breaks that `explore` allows: without faults nobody talks "
            "to its nodes, and they are no computers; write other `nodes` or `kinds`"
        )
    trials = _Trials(scenario, faultless, limit, pool, progress, deadline)
    trials.try_all(draw_sets(budget, learnt, Random(faultless.seed), examples))
    kinds = tuple(
        kind for kind in FAULT_KINDS if any(kind == each.kind for each in chain(*trials.tried))
    )
    exploration = replace(
        exploration, tried=len(trials.tried), kinds=kinds, is_cut_short=trials.is_cut_short
    )
    if not trials.failed:
        return exploration
    (first,) = trials.failed
    smallest = trials.smallest(partial(shrunk, first, budget.lasting_ns, duration))
    return replace(
        exploration,
        faults=smallest,
        result=trials.failed[smallest],
        is_shrunk_enough=trials.is_shrunk_enough,
        is_cut_short=trials.is_cut_short,
    )


def _faultless(
    scenario: Scenario, pool: Pool, seed: int | None
) -> tuple[ScenarioResult, FaultlessRun]:
    with tempfile.TemporaryDirectory(prefix="netsim-explore-") as folder:
        trace = Path(folder, "trace.jsonl")
        job = Job(scenario, seed, trace=os.fspath(trace), watches_timers=True, keeps_files=False)
        result = _run(pool, job)
        plan = make_plan(scenario.topology, seed=result.seed)
        return result, learn(result, trace, plan)


class _Trials:
    """Runs of a scenario under sets of faults, each set once."""

    def __init__(
        self,
        scenario: Scenario,
        faultless: ScenarioResult,
        limit_ns: int,
        pool: Pool,
        progress: Progress,
        deadline: float | None,
    ) -> None:
        self.failed: dict[FaultSet, ScenarioResult] = {}
        self.tried: list[FaultSet] = []
        """In the order in which they were drawn, up to the first that failed."""
        self._held: set[FaultSet] = set()
        self._scenario = scenario
        self._seed = faultless.seed
        self._lengths = faultless.lengths
        self._limit_ns = limit_ns
        self._pool = pool
        self._progress = progress
        self._deadline = deadline
        self.is_cut_short = False
        self.is_shrunk_enough = True

    def try_all(self, sets: Sequence[FaultSet]) -> None:
        """Several at a time, until one fails and all that were drawn before it are done."""
        end = len(sets)
        results: dict[int, ScenarioResult] = {}
        for index, result in self._pool.run([self._job(faults) for faults in sets]):
            results[index] = result
            if not result.held and index < end:
                self._pool.drop(range(index + 1, end))
                end = index
            if self._is_time_over() and len(results) < end:
                self.is_cut_short = True
                self._pool.drop(set(range(len(sets))) - results.keys())
            self._progress(len(results), False)
        made = sorted(index for index in results if index <= end)
        self.tried = [sets[index] for index in made]
        for index, faults in zip(made, self.tried, strict=True):
            if results[index].held:
                self._held.add(faults)
            else:
                self.failed[faults] = results[index]

    def smallest(self, shrink: Callable[[Callable[[FaultSet], bool]], FaultSet]) -> FaultSet:
        """What `shrink` comes to, told whether sets fail; none does where enough were tried.

        Several are tried at a time: what it would ask next as well, whatever the answers are. What
        comes out is the same for any number.
        """
        known = dict.fromkeys(self.failed, True) | dict.fromkeys(self._held, False)
        before = frozenset(known)
        while True:
            smallest, asked, is_enough = _questions(shrink, before, known, self._pool.workers)
            if smallest is not None:
                self.is_shrunk_enough = is_enough
                return smallest
            for index, result in self._pool.run([self._job(faults) for faults in asked]):
                known[asked[index]] = not result.held
                if not result.held:
                    self.failed[asked[index]] = result
                self._progress(len(known) - len(before), True)
            if self._is_time_over():
                self.is_cut_short = True
                return shrink(lambda faults: known.get(faults, False))

    def _is_time_over(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _job(self, faults: FaultSet) -> Job:
        return Job(
            self._scenario,
            self._seed,
            faults=faults,
            time_limit_ns=self._limit_ns,
            lengths=self._lengths,
            keeps_files=False,
        )


class _UnknownError(Exception):
    def __init__(self, faults: FaultSet) -> None:
        super().__init__()
        self.faults = faults


def _questions(
    shrink: Callable[[Callable[[FaultSet], bool]], FaultSet],
    free: Set[FaultSet],
    known: Mapping[FaultSet, bool],
    count: int,
) -> tuple[FaultSet | None, list[FaultSet], bool]:
    """What `shrink` comes to, or up to `count` sets that it may ask about next, most likely first.

    Sets that are not `free` count as tried; the last of the answer is whether it could ask about
    all that it wanted to.
    """
    found: dict[FaultSet, None] = {}
    guesses: deque[dict[FaultSet, bool]] = deque([{}])
    while guesses and len(found) < count:
        guess = guesses.popleft()
        tried: set[FaultSet] = set()
        refused: set[FaultSet] = set()

        def fails(
            faults: FaultSet,
            guess: dict[FaultSet, bool] = guess,
            tried: set[FaultSet] = tried,
            refused: set[FaultSet] = refused,
        ) -> bool:
            if faults not in free and faults not in tried:
                if len(tried) >= MOST_TO_SHRINK:
                    refused.add(faults)
                    return False
                tried.add(faults)
            answer = known.get(faults, guess.get(faults))
            if answer is None:
                raise _UnknownError(faults)
            return answer

        try:
            smallest = shrink(fails)
        except _UnknownError as unknown:
            found[unknown.faults] = None
            guesses += ({**guess, unknown.faults: answer} for answer in (False, True))
        else:
            if not guess:
                return smallest, [], not refused
    return None, list(found), True


def _run(pool: Pool, job: Job) -> ScenarioResult:
    ((_, result),) = pool.run([job])
    return result


def _round_up(ns: int) -> int:
    """To whole minutes."""
    return -(-ns // _MINUTE) * _MINUTE
