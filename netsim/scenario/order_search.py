"""Orders of tasks under which a scenario does not hold: all of them in turn, and the fewest swaps.

A run is repeated with a script: the choices that are made, all others being those without a swap.
For PCT, whose points are drawn from the length of a run, one run shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, TypeVar

from netsim.core.order_words import FIFO, pct_depth
from netsim.interception.drawn_order import Choice
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario

Result = TypeVar("Result")
Script = tuple[tuple[Choice, int], ...]

MOST_ORDERS: Final = 1_000
"""That are tried in an exhaustive search."""
_MOST_TO_SHRINK: Final = 200
"""Runs, after one has failed."""
_MOST_WITH_FEWER: Final = 100


def with_lengths(pool: Pool, jobs: Sequence[Job]) -> list[Job]:
    """Where PCT draws the order, the jobs with the lengths of a run without faults.

    It is one of the scenario's own seed, so that a seed is the same run alone and among others.
    """
    drawn = {id(job.scenario): job for job in jobs if _draws_by_pct(job.scenario)}
    first = [Job(replace(job.scenario, faults=()), keeps_files=False) for job in drawn.values()]
    shown = {index: result.lengths for index, result in pool.run(first)}
    lengths = {key: shown[index] for index, key in enumerate(drawn)}
    return [replace(job, lengths=lengths.get(id(job.scenario), ())) for job in jobs]


def _draws_by_pct(scenario: Scenario) -> bool:
    nodes = scenario.topology.layout.nodes.values()
    orders = [scenario.order] if scenario.order else [node.order for node in nodes]
    return any(order is not None and pct_depth(order) is not None for order in orders)


@dataclass(frozen=True, slots=True)
class OrderSearch:
    """What a search through all orders came to."""

    result: ScenarioResult
    """Of the first order that fails, with the fewest swaps; else of the last."""
    tried: int
    is_complete: bool
    """There is no order more."""
    happened: frozenset[int]
    """Which of the scenario's `sometimes` were true in some run."""


def search_orders(
    pool: Pool,
    scenario: Scenario,
    *,
    seed: int | None,
    most: int = MOST_ORDERS,
    deadline: float | None = None,
    progress: Callable[[int], None],
) -> OrderSearch:
    """Try every order of tasks, those with fewer swaps first, up to the first that fails.

    The same is tried and found however many run at a time; `deadline` (as `time.monotonic`) ends it
    earlier.
    """
    level: list[Script] = [()]
    tried = 0
    happened: set[int] = set()
    while True:
        jobs = [Job(scenario, seed, script=script) for script in level]
        results: dict[int, ScenarioResult] = {}
        end = len(jobs)
        is_over = False
        for index, result in pool.run(jobs):
            results[index] = result
            happened.update(result.happened)
            if not result.held and index < end:
                pool.drop(range(index + 1, end))
                end = index
            progress(tried + len(results))
            if deadline is not None and time.monotonic() > deadline:
                pool.drop(range(len(jobs)))
                is_over = True
        tried += len(results)
        if end in results:
            return OrderSearch(results[end], tried, False, frozenset(happened))
        last = results[max(results)]
        following = _next_level(level, results)
        level = list(islice(following, most - tried))
        if is_over or not level:
            is_complete = not is_over and next(following, None) is None
            return OrderSearch(last, tried, is_complete, frozenset(happened))


def _next_level(level: Sequence[Script], results: Mapping[int, ScenarioResult]) -> Iterator[Script]:
    for index in sorted(results):
        yield from _with_one_swap_more(level[index], results[index])


def _with_one_swap_more(script: Script, result: ScenarioResult) -> Iterator[Script]:
    """Scripts that go on from this one: its open choices come after its own."""
    for choice, ready in result.open_choices:
        for position in range(1, ready):
            yield (*script, (choice, position))


@dataclass(frozen=True, slots=True)
class ShrunkOrder:
    """The fewest swaps found with which a run fails as it did."""

    result: ScenarioResult
    """Of the run with these swaps."""
    of: int
    """Swaps that there were."""
    fails_in_fifo: bool
    """It fails in asyncio's order, too: the order is not what breaks it."""


def shrink(
    pool: Pool, scenario: Scenario, failed: ScenarioResult, progress: Callable[[int], None]
) -> ShrunkOrder | None:
    """Leave out swaps of a run that failed with a drawn order; None where it does not repeat.

    What breaks stays the same step. Where several swaps are left, it looks whether other orders
    with fewer do it.
    """
    all_swaps = failed.choices
    runs = 0

    def run(job: Job) -> ScenarioResult:
        nonlocal runs
        runs += 1
        progress(runs)
        ((_, result),) = pool.run([job])
        return result

    def fails(script: Script) -> ScenarioResult | None:
        result = run(Job(scenario, failed.seed, script=script))
        return result if _breaks(result) == _breaks(failed) else None

    in_fifo = run(Job(replace(scenario, order=FIFO), failed.seed))
    if _breaks(in_fifo) == _breaks(failed):
        return ShrunkOrder(in_fifo, len(all_swaps), fails_in_fifo=True)
    smallest = with_fewest_swaps(all_swaps, fails)
    if smallest is None:
        return None
    if len(smallest.choices) > 1:
        fewer = search_orders(
            pool,
            scenario,
            seed=failed.seed,
            most=_MOST_WITH_FEWER,
            progress=lambda tried: progress(runs + tried),
        ).result
        if _breaks(fewer) == _breaks(failed) and len(fewer.choices) < len(smallest.choices):
            smallest = fewer
    return ShrunkOrder(replace(smallest, order=failed.order), len(all_swaps), fails_in_fifo=False)


def with_fewest_swaps(all_swaps: Script, fails: Callable[[Script], Result | None]) -> Result | None:
    """What `fails` says of the fewest swaps with which a run fails; None if not even all do it.

    `fails` runs with a script and no other swaps; None: it holds. The search takes the last swap
    without which a prefix of them holds, then the last one that is needed beside it, and so on.
    """
    smallest = fails(all_swaps)
    if smallest is None:
        return None
    runs = 1
    needed: Script = ()
    others = all_swaps
    while others and runs < _MOST_TO_SHRINK:
        alone = fails(needed)
        runs += 1
        if alone is not None:
            return alone
        low, high = 0, len(others)  # a prefix of `high` is enough, one of `low` is not
        while high - low > 1 and runs < _MOST_TO_SHRINK:
            middle = (low + high) // 2
            enough = fails((*others[:middle], *needed))
            runs += 1
            if enough is None:
                low = middle
            else:
                high, smallest = middle, enough
        needed = (others[high - 1], *needed)
        others = others[: high - 1]
    return smallest


def _breaks(result: ScenarioResult) -> Sequence[object]:
    """What does not hold: the places in the file, or that the run did not end by itself."""
    if result.held:
        return ()
    return [(step.line, step.column, step.role) for step in result.failures] or ["a problem"]
