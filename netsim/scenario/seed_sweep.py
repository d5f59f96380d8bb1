"""Runs of several scenarios with one or many seeds, and which of them are worth reporting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType

from netsim.scenario.one_run import host_jitter_worth_writing, one_run_notice
from netsim.scenario.order_search import with_lengths
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario


class Runs:
    """Every scenario with every seed. Of one with a seed that fails the later seeds are left out,
    unless it is to `keep_going`.

    `trace` is a file, or a directory where there are several runs. When the `budget` is over
    (seconds of real time), no run begins but the first of each scenario.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        seeds: Sequence[int | None],
        *,
        trace: str | None,
        workers: int,
        keep_going: bool = False,
        budget: float | None = None,
    ) -> None:
        several = len(scenarios) * len(seeds) > 1
        names = _names_of_traces(scenarios, seeds) if several else {}
        if trace is not None and several:
            os.makedirs(trace, exist_ok=True)
        self._seeds = len(seeds)
        self._jobs = [
            Job(
                scenario,
                seed,
                _trace(trace, names.get((index, seed))),
                has_own_files=len(seeds) > 1,
            )
            for index, scenario in enumerate(scenarios)
            for seed in seeds
        ]
        self._scenarios = scenarios
        self._keep_going = keep_going
        self._deadline = None if budget is None else time.monotonic() + budget
        self._pool = Pool(min(workers, len(self._jobs)))
        self._results: dict[int, ScenarioResult] = {}
        self._unwanted: set[int] = set()

    def __enter__(self) -> Runs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    @property
    def total(self) -> int:
        return len(self._jobs)

    @property
    def done(self) -> int:
        """Runs that have ended, or are not needed any more."""
        return len(self._results.keys() | self._unwanted)

    @property
    def made(self) -> int:
        """Runs that have ended."""
        return len(self._results)

    def results(self, on_progress: Callable[[], None]) -> Iterator[ScenarioResult]:
        """One for each scenario, in their order: of the first seed that fails, or of the last.

        With `keep_going` one for each seed that fails.
        """
        next_scenario = 0
        for index, result in self._pool.run(with_lengths(self._pool, self._jobs)):
            self._results[index] = result
            if not result.held and not self._keep_going:
                self._drop(range(index + 1, self._first(index // self._seeds + 1)))
            if self._deadline is not None and time.monotonic() > self._deadline:
                rest = {each for each in range(self.total) if each % self._seeds}
                self._drop(rest - self._results.keys())
            on_progress()
            while next_scenario < len(self._scenarios) and self._is_known(next_scenario):
                yield from self._verdicts(next_scenario)
                next_scenario += 1
        while next_scenario < len(self._scenarios):
            # What was left out ended the wait without a result of its own.
            yield from self._verdicts(next_scenario)
            next_scenario += 1

    def _drop(self, unwanted: Collection[int]) -> None:
        self._unwanted.update(unwanted)
        self._pool.drop(unwanted)

    def _first(self, scenario: int) -> int:
        return scenario * self._seeds

    def _indexes(self, scenario: int) -> range:
        return range(self._first(scenario), self._first(scenario + 1))

    def _is_known(self, scenario: int) -> bool:
        return all(
            index in self._results or index in self._unwanted for index in self._indexes(scenario)
        )

    def _verdicts(self, scenario: int) -> Iterator[ScenarioResult]:
        results = [
            self._results[index] for index in self._indexes(scenario) if index in self._results
        ]
        failed = [result for result in results if not result.held]
        if failed and not self._keep_going:
            yield failed[0]
            return
        *first, last = failed or results[-1:]
        yield from first
        of_runs = chain.from_iterable(result.notices for result in results)
        notices = sweep_notices(self._scenarios[scenario], results, self._seeds)
        yield replace(last, notices=tuple(dict.fromkeys((*last.notices, *of_runs, *notices))))


def sweep_notices(
    scenario: Scenario, results: Sequence[ScenarioResult], wanted: int
) -> Iterator[str]:
    """What can be said of all runs of a scenario only."""
    count = len(results)
    runs = "1 run" if count == 1 else f"{count} runs"
    if count < wanted:
        yield f"{runs} of {wanted}: the budget is over"
    same = len({result.course for result in results}) == 1
    if count > 1 and same and scenario.time == "virtual" and all(each.held for each in results):
        links = scenario.topology.layout.links
        jitter = host_jitter_worth_writing(
            way for each in links for way in (each.a_to_b, each.b_to_a)
        )
        yield one_run_notice(count, "`order: random`", jitter)
    happened = {index for result in results for index in result.happened}
    yield from never_happened(scenario, happened, count)


def never_happened(scenario: Scenario, happened: Collection[int], count: int) -> Iterator[str]:
    """What was to be true sometimes, and was not in so many runs."""
    runs = "1 run" if count == 1 else f"{count} runs"
    for index, step in enumerate(scenario.sometimes):
        if index not in happened:
            yield f"sometimes, but never in {runs}: {step.text}"


def _names_of_traces(
    scenarios: Sequence[Scenario], seeds: Sequence[int | None]
) -> dict[tuple[int, int | None], str]:
    """A file for each run: the scenario's name in the file system, and the seed where many."""
    stems = [Path(scenario.file).stem for scenario in scenarios]
    names = {}
    for index, stem in enumerate(stems):
        unique = stem if stems.count(stem) == 1 else f"{stem}-{index + 1}"
        for seed in seeds:
            suffix = "" if len(seeds) == 1 else f"-{seed}"
            names[index, seed] = f"{unique}{suffix}.jsonl"
    return names


def _trace(trace: str | None, name: str | None) -> str | None:
    return trace if trace is None or name is None else os.path.join(trace, name)
