"""Textbook bugs that short and well-timed faults break are found within few sets of faults.

`scripts/planted_bugs` tries ten seeds; here it is one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from planted_bugs import (
    client_without_a_timeout,
    mended_client,
    retry_across_a_crash,
    retry_after_a_timeout,
)

from netsim.scenario.explore import Exploration, explore
from netsim.scenario.found_scenario import found_text
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool

SEEDS = range(int(os.environ.get("NETSIM_PLANTED_SEEDS", "1")))
SETS = 30


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.close()


def search(file: Path, pool: Pool, seed: int) -> Exploration:
    scenario = load_scenario(file)
    return explore(scenario, pool, seed=seed, examples=SETS, progress=lambda *_: None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("bug", "kinds"),
    [
        (retry_after_a_timeout, set()),
        (retry_across_a_crash, {"crash", "kill_program"}),
        (client_without_a_timeout, {"hold", "drop"}),
    ],
)
def test_it_is_found_and_fails_by_itself(
    tmp_path: Path, pool: Pool, bug: Callable[[Path], Path], kinds: set[str], seed: int
) -> None:
    file = bug(tmp_path)
    found = search(file, pool, seed)
    assert found.faultless.held, found.faultless.problem
    # One mostly; some seeds find two that only together do it, of two kinds even.
    assert 1 <= len(found.faults) <= 2
    assert not kinds or {fault.kind for fault in found.faults} <= kinds
    written = file.with_name("found.yaml")
    written.write_text(found_text(load_scenario(file), found, tmp_path))
    ((_, again),) = pool.run([Job(load_scenario(written))])
    assert found.result is not None
    assert [(step.role, step.text, step.seen) for step in again.failures] == [
        (step.role, step.text, step.seen) for step in found.result.failures
    ]


def test_what_is_mended_holds_and_it_is_said_what_was_tried(tmp_path: Path, pool: Pool) -> None:
    found = search(mended_client(tmp_path), pool, 0)
    assert (found.faults, found.result) == ((), None)
    assert (found.tried, found.kinds, found.span_ns) == (SETS, ("hold", "drop"), 8_000_000_000)


def test_as_many_at_a_time_as_one_likes_find_the_same(tmp_path: Path) -> None:
    finds = []
    for workers in (1, 3):
        pool = Pool(workers)
        try:
            found = search(retry_across_a_crash(tmp_path), pool, 1)
        finally:
            pool.close()
        finds.append((found.tried, found.faults))
    assert finds[0] == finds[1]
