"""Races that one order of tasks, one jitter, or only both together bring to light.

Runs are in processes, as those of a sweep: programs keep what they know in globals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from planted_orders import across_a_network, in_one_program, in_threads, of_both

from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.order_search import search_orders, shrink, with_lengths
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.seed_sweep import Runs


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.close()


def failing(
    pool: Pool, file: Path, order: str | None, seeds: Iterable[int]
) -> dict[int, ScenarioResult]:
    """By the seeds that fail what came of them."""
    scenario = replace(load_scenario(file), order=order)
    results = [result for _, result in pool.run([Job(scenario, seed) for seed in seeds])]
    for result in results:
        assert result.held or result.failures, result.problem
    return {result.seed: result for result in results if not result.held}


def test_a_lost_update_in_one_program_is_found_with_an_order_that_is_drawn(
    tmp_path: Path, pool: Pool
) -> None:
    file = in_one_program(tmp_path)
    assert failing(pool, file, "random", range(1, 21))
    assert not failing(pool, file, None, range(1, 21))


def test_the_change_points_of_pct_are_within_the_length_of_a_run(
    tmp_path: Path, pool: Pool
) -> None:
    file = in_one_program(tmp_path)
    scenario = replace(load_scenario(file), order="pct:2")
    jobs = [Job(scenario, seed) for seed in range(1, 21)]
    told = with_lengths(pool, jobs)
    assert 0 < dict(told[0].lengths)["app"] < 10
    assert with_lengths(pool, [Job(scenario, 7)]) == [told[6]], "a seed alone is the same run"
    assert any(result.failures for _, result in pool.run(told))


def test_the_run_that_counts_choices_leaves_no_files(tmp_path: Path) -> None:
    file = in_one_program(tmp_path)
    text = file.read_text().replace("steps:\n", "steps:\n  - record: {at: [app], to: out.csv}\n", 1)
    file.write_text(text)
    scenario = replace(load_scenario(file), order="pct:2")
    with Runs([scenario], [3, 4], trace=None, workers=2, keep_going=True) as runs:
        assert list(runs.results(lambda: None))
    assert sorted(each.name for each in tmp_path.glob("*.csv")) == [
        "out.seed-3.csv",
        "out.seed-4.csv",
    ]


def test_threads_that_are_ready_at_one_instant_are_drawn_as_tasks_are(
    tmp_path: Path, pool: Pool
) -> None:
    file = in_threads(tmp_path)
    assert not failing(pool, file, None, range(1, 6))
    for order in ("random", "pct:2"):
        assert 0 < len(failing(pool, file, order, range(1, 21))) < 20
    found = search_orders(pool, load_scenario(file), seed=1, progress=lambda runs: None)
    assert not found.result.held
    (swap,) = found.result.swaps
    assert swap["ran"]["task"].startswith("thread ")
    assert swap["ran"]["stack"][-1] == "bank.py:15 in withdraw"
    assert [each["stack"][-1] for each in swap["before"]] == ["bank.py:9 in deposit"]


def test_across_a_network_it_is_found_with_jitter(tmp_path: Path, pool: Pool) -> None:
    assert failing(pool, across_a_network(tmp_path, "8ms"), None, range(1, 21))
    assert not failing(pool, across_a_network(tmp_path, "0ms"), "random", range(1, 11))


def test_one_that_needs_both_is_found_with_both(tmp_path: Path, pool: Pool) -> None:
    assert failing(pool, of_both(tmp_path, "1.5ms"), "random", range(1, 31))
    assert not failing(pool, of_both(tmp_path, "1.5ms"), None, range(1, 21))
    assert not failing(pool, of_both(tmp_path, "0ms"), "random", range(1, 21))


def test_every_order_is_tried_and_the_fewest_swaps_found(tmp_path: Path, pool: Pool) -> None:
    scenario = load_scenario(in_one_program(tmp_path))
    told: list[int] = []
    found = search_orders(pool, scenario, seed=1, progress=told.append)
    assert not found.result.held
    (swap,) = found.result.swaps
    assert swap["ran"]["stack"] == ["bank.py:8 in deposit"]
    assert [each["stack"] for each in swap["before"]] == [["bank.py:10 in deposit"]]
    assert found.tried == told[-1] < 20

    file = in_one_program(tmp_path)
    program = file.with_name("bank.py")
    program.write_text(program.read_text().replace("await asyncio.sleep(0)", "pass"))
    found = search_orders(pool, load_scenario(file), seed=1, progress=told.append)
    assert found.result.held
    assert found.is_complete
    few = search_orders(pool, load_scenario(file), seed=1, most=3, progress=told.append)
    assert (few.tried, few.is_complete) == (3, False)


def test_swaps_that_are_not_needed_are_left_out(tmp_path: Path, pool: Pool) -> None:
    file = in_one_program(tmp_path)
    program = file.with_name("bank.py")
    others = "deposit(20), *(asyncio.sleep(1) for _ in 'xx')"  # whose order does not matter
    program.write_text(program.read_text().replace("deposit(20)", others))
    scenario = replace(load_scenario(file), order="random")
    failed = next(iter(failing(pool, file, "random", range(1, 13)).values()))
    assert len(failed.choices) > 3
    shrunk = shrink(pool, scenario, failed, lambda runs: None)
    assert shrunk is not None
    assert not shrunk.fails_in_fifo
    assert shrunk.of == len(failed.choices)
    assert len(shrunk.result.swaps) == len(shrunk.result.choices) == 1
    assert [step.text for step in shrunk.result.failures] == ["run bank:total at app"]


def test_what_fails_in_asyncios_order_too_is_said_to(tmp_path: Path, pool: Pool) -> None:
    file = in_one_program(tmp_path)
    file.write_text(file.read_text().replace("30", "31"))
    scenario = replace(load_scenario(file), order="pct:3")
    ((_, failed),) = pool.run([Job(scenario, 1)])
    shrunk = shrink(pool, scenario, failed, lambda runs: None)
    assert shrunk is not None
    assert shrunk.fails_in_fifo
