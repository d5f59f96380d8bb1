"""Sets of faults: what is drawn, in which order, and how they become rounder."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import integers

from netsim.scenario.fault_draws import FaultSet, fault_sets, polished, tick_of
from netsim.scenario.scenario_model import ExploreBudget, PlannedFault

MS = 1_000_000
SECOND = 1000 * MS
LINK = ("r1", "r2:eth1")
BUDGET = ExploreBudget(
    links=(LINK,), nodes=("web",), kinds=("down", "crash"), at_most=3, lasting_ns=7 * SECOND
)
ALL = (("crash", ("web",)), ("down", LINK))


def crash(at_ms: int, lasting_ms: int = 100) -> PlannedFault:
    return PlannedFault(at_ms * MS, "crash", ("web",), lasting_ms * MS)


def down(at_ms: int, lasting_ms: int = 100) -> PlannedFault:
    return PlannedFault(at_ms * MS, "down", LINK, lasting_ms * MS)


@given(integers(0, 2**32))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_draws_keep_to_the_budget(seed: int) -> None:
    seen: list[FaultSet] = []

    def fails(faults: FaultSet) -> bool:
        seen.append(faults)
        return False

    with pytest.raises(NoSuchExample):
        find(
            fault_sets(BUDGET, 5 * SECOND),
            fails,
            settings=settings(max_examples=100, database=None),
            random=Random(seed),
        )
    assert {(fault.kind, fault.subject) for faults in seen for fault in faults} == set(ALL)
    assert {len(faults) for faults in seen} == {1, 2, 3}
    for faults in seen:
        for one, other in combinations(faults, 2):
            # The same thing does not break while it is broken.
            assert one.kind != other.kind or one.healed_ns < other.at_ns
        assert list(faults) == sorted(faults)
        assert all(0 <= fault.at_ns <= 5 * SECOND for fault in faults)
        assert all(0 < fault.lasting_ns <= 7 * SECOND for fault in faults)
        assert all(fault.at_ns % (10 * MS) == 0 for fault in faults)


@pytest.mark.parametrize("seed", range(3))
def test_shrinking_leaves_what_is_needed(seed: int) -> None:
    def fails(faults: FaultSet) -> bool:
        late = {fault.kind for fault in faults if fault.healed_ns > 2345 * MS}
        return late == {"crash", "down"}

    smallest = find(
        fault_sets(BUDGET, 5 * SECOND),
        fails,
        settings=settings(max_examples=500, database=None, deadline=None),
        random=Random(seed),
    )
    assert len(polished(smallest, 7 * SECOND, 5 * SECOND, fails)) == 2
    assert {fault.lasting_ns for fault in smallest} == {10 * MS}


@pytest.mark.parametrize(
    ("faults", "earliest", "expected"),
    [
        ((crash(1237, 130),), 1000, (crash(1000, 200),)),
        ((crash(1237, 130),), 1050, (crash(2000, 200),)),
        ((crash(4990, 130),), 4991, None),
        ((crash(2000, 100),), 0, (crash(2000, 100),)),
        ((down(100), crash(1250)), 1000, (crash(1000),)),
    ],
)
def test_times_become_rounder_while_it_fails(
    faults: FaultSet, earliest: int, expected: FaultSet | None
) -> None:
    def fails(tried: FaultSet) -> bool:
        return any(fault.kind == "crash" and fault.at_ns >= earliest * MS for fault in tried)

    result = polished(faults, 7 * SECOND, 5 * SECOND, fails)
    assert result == (expected or (crash(5000, 200),))


def test_roundness_stays_within_the_budget() -> None:
    assert polished((crash(4700, 6500),), 6800 * MS, 4800 * MS, lambda faults: True) == (
        crash(4000, 6500),
    )


def test_times_are_finer_in_short_scenarios() -> None:
    ticks = [tick_of(duration) for duration in (0, MS, SECOND, 9 * SECOND, 3600 * SECOND)]
    assert ticks == [1000, 10_000, 10 * MS, 10 * MS, 100 * MS]
