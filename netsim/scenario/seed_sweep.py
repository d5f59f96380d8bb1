"""Runs of several scenarios with one or many seeds, and which of them are worth reporting."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario


class Runs:
    """Every scenario with every seed. Of one with a seed that fails the later seeds are left out.

    `trace` is a file, or a directory where there are several runs.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        seeds: Sequence[int | None],
        *,
        trace: str | None,
        workers: int,
    ) -> None:
        several = len(scenarios) * len(seeds) > 1
        names = _names_of_traces(scenarios, seeds) if several else {}
        if trace is not None and several:
            os.makedirs(trace, exist_ok=True)
        self._seeds = len(seeds)
        self._jobs = [
            Job(scenario, seed, _trace(trace, names.get((index, seed))))
            for index, scenario in enumerate(scenarios)
            for seed in seeds
        ]
        self._scenarios = len(scenarios)
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

    def results(self, on_progress: Callable[[], None]) -> Iterator[ScenarioResult]:
        """One for each scenario, in their order: of the first seed that fails, or of the last."""
        next_scenario = 0
        for index, result in self._pool.run(self._jobs):
            self._results[index] = result
            if not result.held:
                rest = range(index + 1, self._first(index // self._seeds + 1))
                self._unwanted.update(rest)
                self._pool.drop(rest)
            on_progress()
            while next_scenario < self._scenarios and self._is_known(next_scenario):
                yield self._verdict(next_scenario)
                next_scenario += 1
        while next_scenario < self._scenarios:
            # What was left out ended the wait without a result of its own.
            yield self._verdict(next_scenario)
            next_scenario += 1

    def _first(self, scenario: int) -> int:
        return scenario * self._seeds

    def _indexes(self, scenario: int) -> range:
        return range(self._first(scenario), self._first(scenario + 1))

    def _is_known(self, scenario: int) -> bool:
        return all(
            index in self._results or index in self._unwanted for index in self._indexes(scenario)
        )

    def _verdict(self, scenario: int) -> ScenarioResult:
        results = [
            self._results[index] for index in self._indexes(scenario) if index in self._results
        ]
        return next((result for result in results if not result.held), results[-1])


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
