"""Sets of faults: what is drawn, and how they become smaller and rounder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from plans import chain

from netsim.scenario.fault_draws import FaultSet, draw_sets, shrunk, targets, tick_of
from netsim.scenario.faultless_run import FaultlessRun, learn
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import FAULT_KINDS, ExploreBudget, PlannedFault
from netsim.virtual.timeline import TimersSeen

MS = 1_000_000
SECOND = 1000 * MS
LINK = ("r1", "r2:eth1")
BUDGET = ExploreBudget(
    links=(LINK,), nodes=("web",), kinds=("down", "crash"), at_most=3, lasting_ns=7 * SECOND
)
ALL = (("crash", ("web",)), ("down", LINK))
RUN = FaultlessRun(
    5 * SECOND,
    moments=(1234 * MS, 1250 * MS),
    timers_ns=(2 * SECOND,),
    talks=(("alice", "web"), ("bob", "alice"), ("web", "alice")),
    services=(("web", 80), ("alice", 22)),
    computers=("alice", "web"),
)


def crash(at_ms: int, lasting_ms: int = 100) -> PlannedFault:
    return PlannedFault(at_ms * MS, "crash", ("web",), lasting_ms * MS)


def down(at_ms: int, lasting_ms: int = 100) -> PlannedFault:
    return PlannedFault(at_ms * MS, "down", LINK, lasting_ms * MS)


@pytest.mark.parametrize("seed", range(5))
def test_draws_keep_to_the_budget(seed: int) -> None:
    seen = draw_sets(BUDGET, RUN, Random(seed), 100)
    assert len(set(seen)) == 100
    assert {(fault.kind, fault.subject) for faults in seen for fault in faults} == set(ALL)
    assert {len(faults) for faults in seen} == {1, 2, 3}
    for faults in seen:
        for one, other in combinations(faults, 2):
            # The same thing does not break while it is broken.
            assert one.kind != other.kind or one.healed_ns < other.at_ns
        assert list(faults) == sorted(faults)
        assert all(0 <= fault.at_ns <= 5 * SECOND for fault in faults)
        assert all(0 < fault.lasting_ns <= 7 * SECOND for fault in faults)
    assert seen == draw_sets(BUDGET, RUN, Random(seed), 100)


def test_most_faults_begin_between_events_and_last_about_as_long_as_timers() -> None:
    faults = [each for some in draw_sets(BUDGET, RUN, Random(0), 200) for each in some]
    starts = Counter(fault.at_ns for fault in faults)
    lastings = Counter(fault.lasting_ns for fault in faults)
    assert sum(starts[moment] for moment in RUN.moments) > len(faults) / 2
    around = (SECOND, 2200 * MS, 3 * SECOND, 5 * SECOND)
    assert sum(lastings[length] for length in around) > len(faults) / 3


def test_every_kind_comes_and_only_where_it_can() -> None:
    budget = replace(BUDGET, kinds=FAULT_KINDS)
    faults = [each for some in draw_sets(budget, RUN, Random(0), 60) for each in some]
    kinds = Counter(fault.kind for fault in faults)
    assert set(kinds) == set(FAULT_KINDS)
    assert min(kinds.values()) > len(faults) / len(FAULT_KINDS) / 2
    places = {kind: {fault.subject for fault in faults if fault.kind == kind} for kind in kinds}
    assert places["drop"] == {("alice", "web"), ("web", "alice")}
    assert places["isolate"] == {("web", "alice")}
    assert places["cut_connections"] == places["refuse_connections"] == {("web", "80")}
    assert places["pause"] == places["kill_program"] == {("web",)}


def test_a_router_runs_no_program_and_what_nobody_talks_to_has_no_connections() -> None:
    budget = replace(BUDGET, links=(), nodes=("r3",), kinds=("pause", "crash", "stall_connections"))
    ((crash,),) = targets(budget, RUN)
    assert (crash.kind, crash.subject) == ("crash", ("r3",))
    assert targets(replace(budget, kinds=("pause",)), RUN) == ()


@pytest.mark.parametrize("seed", range(3))
def test_shrinking_leaves_what_is_needed(seed: int) -> None:
    def fails(faults: FaultSet) -> bool:
        late = {fault.kind for fault in faults if fault.healed_ns > 2345 * MS}
        return late == {"crash", "down"}

    failing = next(faults for faults in draw_sets(BUDGET, RUN, Random(seed), 500) if fails(faults))
    smallest = shrunk(failing, 7 * SECOND, 5 * SECOND, fails)
    assert fails(smallest)
    assert len(smallest) == 2
    assert all(fault.at_ns % (100 * MS) == 0 for fault in smallest)


@pytest.mark.parametrize(
    ("faults", "earliest", "expected"),
    [
        ((crash(1237, 130),), 1000, crash(1000, 10)),
        ((crash(1237, 130),), 1050, crash(2000, 10)),
        ((crash(4990, 130),), 4990, crash(5000, 10)),
        ((crash(2000, 100),), 0, crash(0, 10)),
        ((down(100), crash(1250)), 1000, crash(1000, 10)),
    ],
)
def test_times_become_earlier_shorter_and_rounder_while_it_fails(
    faults: FaultSet, earliest: int, expected: PlannedFault
) -> None:
    def fails(tried: FaultSet) -> bool:
        return any(fault.kind == "crash" and fault.at_ns >= earliest * MS for fault in tried)

    assert shrunk(faults, 7 * SECOND, 5 * SECOND, fails) == (expected,)


def test_roundness_stays_within_the_budget() -> None:
    def fails(tried: FaultSet) -> bool:
        return all(fault.at_ns > 4600 * MS and fault.lasting_ns > 6400 * MS for fault in tried)

    assert shrunk((crash(4700, 6500),), 6800 * MS, 4800 * MS, fails) == (crash(4700, 6500),)


def test_times_are_finer_in_short_scenarios() -> None:
    ticks = [tick_of(duration) for duration in (0, MS, SECOND, 9 * SECOND, 3600 * SECOND)]
    assert ticks == [1000, 10_000, 10 * MS, 10 * MS, 100 * MS]


def test_what_is_too_much_to_draw_around_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsim.scenario.faultless_run._MOST_FRAMES", 2)
    monkeypatch.setattr("netsim.scenario.faultless_run._MOMENTS", 1)
    trace = tmp_path / "trace.jsonl"
    frames = [{"time_ns": at * MS, "frame": ""} for at in (1, 5, 9)]
    trace.write_text("".join(f"{json.dumps(frame)}\n" for frame in frames))
    result = ScenarioResult(
        *("x", "x.yaml", 0, "virtual", True, "", ()),
        wall_seconds=0,
        network_ns=SECOND,
        timers=((SECOND, (3 * MS,)),),
        timers_left_out=7,
    )
    run = learn(result, trace, chain())
    assert len(run.moments) == 1
    assert run.left_out == (
        *("1 of 3 frames", "3 of 4 moments between events", "7 timers of programs"),
    )


def test_timers_that_are_not_kept_are_counted() -> None:
    seen = TimersSeen()
    for due in range(150):
        seen.note(SECOND, due)
    seen.note(0, 1)
    assert (len(seen.dues[SECOND]), seen.left_out) == (100, 50)
