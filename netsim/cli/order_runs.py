"""`netsim test --order`: every order of tasks in turn, and the fewest swaps of one that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netsim.cli.progress import ProgressBar

if TYPE_CHECKING:
    from netsim.scenario.results import ScenarioResult
    from netsim.scenario.scenario_model import Scenario


def with_fewest_swaps(scenario: Scenario, failed: ScenarioResult, jobs: int) -> ScenarioResult:
    """The run that fails likewise with the fewest swaps of tasks, of those that were drawn."""
    from netsim.scenario.order_search import shrink
    from netsim.scenario.process_pool import Pool

    if not failed.is_drawn:
        return failed
    pool = Pool(jobs)
    bar = ProgressBar("leaving out swaps of tasks")
    try:
        shrunk = shrink(pool, scenario, failed, lambda runs: bar.show(runs, None))
    finally:
        bar.close()
        pool.close()
    if shrunk is None:
        return _noted(failed, "it does not repeat with its swaps of tasks alone; all are shown")
    if shrunk.fails_in_fifo:
        return _noted(failed, "it fails in asyncio's order, too: with `--order fifo`", swaps=())
    left = len(shrunk.result.choices)
    if not left:
        return _noted(
            shrunk.result, "no swap of tasks is needed, only that all of one instant comes together"
        )
    return _noted(shrunk.result, f"enough: {_count(left)} of tasks, where the run had {shrunk.of}")


def _noted(
    result: ScenarioResult, notice: str, swaps: tuple[dict[str, object], ...] | None = None
) -> ScenarioResult:
    swaps = result.swaps if swaps is None else swaps
    return replace(result, swaps=swaps, notices=(*result.notices, notice))


def _count(swaps: int) -> str:
    return "1 swap" if swaps == 1 else f"{swaps} swaps"


def search_all(
    scenarios: Sequence[Scenario], *, seed: int | None, jobs: int, budget: float | None
) -> Iterator[tuple[ScenarioResult, int]]:
    """Every order of tasks of each scenario: what came of it, and how many runs that took."""
    from netsim.scenario.order_search import search_orders
    from netsim.scenario.process_pool import Pool
    from netsim.scenario.seed_sweep import never_happened

    if not scenarios:
        return
    deadline = None if budget is None else time.monotonic() + budget
    pool = Pool(jobs)
    bar = ProgressBar("trying orders", "runs")
    try:
        for scenario in scenarios:
            found = search_orders(
                pool,
                scenario,
                seed=seed,
                deadline=deadline,
                progress=lambda runs: bar.show(runs, None),
            )
            bar.close()
            orders = "1 order" if found.tried == 1 else f"{found.tried} orders"
            result = found.result
            if not result.held:
                notice = f"found in {orders} of tasks, those with fewer swaps first"
            elif found.is_complete:
                notice = f"held in all orders of tasks that there are: {found.tried}"
            else:
                notice = f"held in {orders} of tasks, those with fewer swaps first; there are more"
            never = never_happened(scenario, found.happened, found.tried) if result.held else ()
            yield replace(result, notices=(*result.notices, notice, *never)), found.tried
    finally:
        bar.close()
        pool.close()
