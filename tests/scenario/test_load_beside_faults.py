"""Faults in a scenario file: its steps are load, and what counts are its invariants."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from played_network import LAN, World

from netsim import InvalidFileError
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import PlannedFault
from netsim.scenario.scenario_words import scenario_schema
from netsim.topology.yaml_source import read_yaml

SECOND = 10**9
HTTP = 'http: {from: alice, url: "http://web/ip"}'
DOWN = "faults:\n  - {at: 1s, down: {link: [alice, r1]}, lasting: 3s}\n"
PATIENT = f"invariants:\n  - eventually: {{within: 10s, {HTTP}}}\n"
STRICT = f"invariants:\n  - {HTTP}\n"


def failures(result: ScenarioResult) -> list[tuple[str, str, float]]:
    """Role, step and seconds of what counts."""
    return [(step.role, step.verb, round(step.ended_ns / 1e9, 3)) for step in result.failures]


def test_a_step_that_fails_beside_a_fault_counts_for_nothing(tmp_path: Path) -> None:
    steps = f"  - wait: 2s\n  - {HTTP}\n  - wait: 100ms\n{PATIENT}"
    result = World().run(tmp_path, steps + DOWN)
    assert (result.held, result.failures) == (True, ())
    assert [(step.role, step.verb, step.held) for step in result.steps] == [
        ("load", "wait", True),
        ("load", "http", True),  # the invariant after `wait` has waited for the cable
        ("load", "wait", True),
    ]
    result = World().run(tmp_path, f"  - repeat: {{times: 300, steps: [{HTTP}]}}\n{PATIENT}{DOWN}")
    assert result.held
    # The one that was on its way when the cable was cut.
    assert [step.role for step in result.steps if not step.held] == ["load"]


def test_a_fault_at_the_start_is_in_force_before_the_first_step(tmp_path: Path) -> None:
    world = World()
    cut = DOWN.replace("1s", "0s")
    result = world.run(tmp_path, f"  - {HTTP}\n  - wait: 4s\n{PATIENT}{cut}")
    (broken,) = result.faults
    assert broken.started_ns <= result.steps[0].started_ns
    assert world.done[0][1] == "down alice r1"


@pytest.mark.parametrize(
    "steps",
    [
        f"  - parallel: [wait: 2s, always: {{every: 500ms, steps: [{HTTP}], while: {{wait: 3s}}}}]",
        f"  - always: {{every: 500ms, steps: [{HTTP}], while: [wait: 1500ms, {HTTP}, wait: 1s]}}",
    ],
)
def test_also_inside_of_other_steps(tmp_path: Path, steps: str) -> None:
    world = World()
    calm = "invariants:\n  - eventually: {within: 10s, ping: {from: alice, to: web, count: 1}}\n"
    result = world.run(tmp_path, f"{steps}\n{calm}{DOWN}")
    assert result.held, result.failures
    failed = [step for step in result.steps if not step.held]
    assert failed
    assert {step.role for step in failed} == {"load"}
    assert all(step.frames == () for step in failed)
    # The same without faults beside it is a failure.
    alone = steps.replace("wait: 1500ms", "down: {link: [r2, web]}")
    if alone != steps:
        assert not World().run(tmp_path, f"{alone}\n").held


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ("  - wait: 2s\n  - wait: 5s\n", 2.01),
        ("  - repeat: {times: 4, steps: [wait: 2s]}\n", 2.01),
        ("  - parallel: [repeat: {times: 4, steps: [wait: 2s]}, wait: 20s]\n", 2.01),
    ],
)
def test_an_invariant_that_breaks_ends_it(tmp_path: Path, steps: str, seconds: float) -> None:
    result = World().run(tmp_path, f"{steps}{STRICT}{DOWN}")
    assert not result.held
    assert failures(result) == [("invariant", "http", seconds)]
    assert result.network_ns == round(seconds * SECOND)


def test_invariants_are_checked_when_all_is_over(tmp_path: Path) -> None:
    calm = World().run(tmp_path, f"  - wait: 500ms\n{STRICT}{DOWN}")
    assert calm.held
    assert calm.network_ns > 4 * SECOND
    late = "  - {at: 5s, crash: {node: web}, lasting: 1s}\n"
    world = World(status=lambda network: 500 if network.now() > 5 * SECOND else 200)
    invariant = STRICT.replace("}", ", expect: {status: 200}}")
    result = world.run(tmp_path, f"  - wait: 500ms\n{invariant}{DOWN}{late}")
    assert failures(result) == [("invariant", "http", 6.01)]


def test_an_invariant_may_have_time(tmp_path: Path) -> None:
    steps = "  - wait: 2s\n"
    assert World().run(tmp_path, steps + PATIENT + DOWN).held
    result = World().run(tmp_path, steps + PATIENT.replace("10s", "1s") + DOWN)
    assert failures(result) == [("invariant", "eventually", 2.91)]
    assert result.failures[0].expected == "a response, within 1s"


def test_errors_of_programs_beside_faults_are_kept_and_do_not_count(tmp_path: Path) -> None:
    def status(network: object) -> int:
        network.log_error("oh dear")  # type: ignore[attr-defined]
        return 200

    steps = f"  - {HTTP}\n{PATIENT}"
    assert not World(status=status).run(tmp_path, steps).held
    result = World(status=status).run(tmp_path, steps + DOWN)
    assert result.held
    assert result.errors


def test_the_limit_of_time_ends_the_steps_and_not_the_scenario(tmp_path: Path) -> None:
    steps = f"  - wait: 1000s\n{STRICT}limits: {{time: 2s}}\n"
    result = World().run(tmp_path, steps + DOWN)
    assert result.held, result.failures
    assert result.network_ns == 4_012_000_000  # the cable, and one request
    # Invariants have as much again.
    slow = World(response=100.0)
    result = slow.run(tmp_path, steps + DOWN)
    assert (result.held, result.problem) == (False, "the limit of 6s of network time is over")
    assert failures(result) == [("invariant", "http", 6.0)]


def test_faults_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "lan.yaml").write_text(LAN)
    file = tmp_path / "x.yaml"
    text = f"name: x\ntopology: lan.yaml\nsteps: [wait: 1s]\n{PATIENT}{DOWN}"
    file.write_text(
        f"{text}  - hold: {{link: [r1:eth1, r2]}}\n    at: 0s\n    lasting: 1min\n"
        "  - {crash: {node: r2}, at: 2s, lasting: 10ms}\n"
    )
    assert load_scenario(file).faults == (
        PlannedFault(SECOND, "down", ("alice", "r1"), 3 * SECOND),
        PlannedFault(0, "hold", ("r1:eth1", "r2"), 60 * SECOND),
        PlannedFault(2 * SECOND, "crash", ("r2",), SECOND // 100),
    )
    Draft7Validator(scenario_schema()).validate(read_yaml(file).data)


@pytest.mark.parametrize(
    ("fault", "column", "message"),
    [
        ("{at: 1s, lasting: 1s}", 5, "a fault is missing; write one of down, hold, crash"),
        (
            "{at: 1s, lasting: 1s, crash: {node: r1}, hold: {link: [alice, r1]}}",
            5,
            "`hold` and `crash` are 2 faults; write each by itself",
        ),
        (
            "{at: 1s, lasting: 0s, crash: {node: r1}}",
            23,
            "this cannot be 0; write for example `1s`",
        ),
        (
            "{lasting: 1s, crash: {node: r1}}",
            5,
            "the key `at` is missing; write for example `at: 2s`",
        ),
        (
            "{at: 1s, lasting: 1s, crash: {node: r9}}",
            41,
            "there is no node `r9`; write one of `alice`, `web`, `r1`, `r2`",
        ),
        (
            "{at: 1s, lasting: 1s, down: {link: [alice, web]}}",
            40,
            "no link joins `alice` and `web`; write `[alice, r1]`",
        ),
        ("{at: 1s, lasting: 1s, flap: {link: [alice, r1]}}", 27, "unknown key `flap`"),
    ],
)
def test_mistakes(tmp_path: Path, fault: str, column: int, message: str) -> None:
    (tmp_path / "lan.yaml").write_text(LAN)
    file = tmp_path / "x.yaml"
    file.write_text(
        f"name: x\ntopology: lan.yaml\nsteps: [wait: 1s]\n{PATIENT}faults:\n  - {fault}\n"
    )
    with pytest.raises(InvalidFileError) as caught:
        load_scenario(file)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert (problem.line, problem.column) == (7, column)


def test_faults_without_invariants_would_show_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="and there are none; write some"):
        World().run(tmp_path, f"  - wait: 1s\n{DOWN}")
