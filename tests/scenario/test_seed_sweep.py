"""What is said of all runs of a scenario: how many, whether they differ, what never happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from plans import plan_of
from planted_orders import in_one_program
from played_network import World

from netsim import Network, run
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_run import execute
from netsim.scenario.seed_sweep import Runs, sweep_notices

LAN = """\
name: lan
nodes: {alice: {kind: computer}, web: {kind: computer}}
links: [{endpoints: [alice, web], delay: 1ms, WORDS}]
"""
PINGS = "name: x\ntopology: lan.yaml\nsteps:\n  - ping: {from: alice, to: web}\n"


def notices(folder: Path, lan: str, order: str | None = None) -> list[str]:
    (folder / "lan.yaml").write_text(lan)
    (folder / "pings.yaml").write_text(PINGS)
    scenario = replace(load_scenario(folder / "pings.yaml"), order=order)
    results = [execute(scenario, seed=seed) for seed in range(3)]
    assert all(result.held for result in results)
    return list(sweep_notices(scenario, results, 3))


def test_seeds_that_are_one_run_are_told(tmp_path: Path) -> None:
    (notice,) = notices(tmp_path, LAN.replace(", WORDS", ""))
    assert notice.startswith("all 3 seeds are one run: ")
    assert "write `order: random` or `host_jitter: 20us`" in notice


def test_the_jitter_that_is_named_is_a_packets_time_on_the_slowest_link(tmp_path: Path) -> None:
    (notice,) = notices(tmp_path, LAN.replace("WORDS", "bandwidth: 10mbit"))
    assert "`host_jitter: 1.2ms`" in notice


@pytest.mark.parametrize("words", ["jitter: 100us", "loss: 20%"])
def test_where_packets_differ_nothing_is_told(tmp_path: Path, words: str) -> None:
    assert notices(tmp_path, LAN.replace("WORDS", words)) == []


def test_host_jitter_makes_seeds_differ(tmp_path: Path) -> None:
    assert notices(tmp_path, LAN.replace(", WORDS", "") + "host_jitter: 20us\n") == []


def test_an_order_that_is_drawn_makes_seeds_differ(tmp_path: Path) -> None:
    file = in_one_program(tmp_path)
    scenario = replace(load_scenario(file), order="random")
    assert len({execute(scenario, seed=seed).course for seed in range(6)}) > 1


SOMETIMES = """\
  - wait: 1s
  - down: {link: [alice, r1]}
sometimes:
  - http: {from: alice, url: "http://web/", expect: {status: 503}}
  - http: {from: alice, url: "http://web/", expect: {error: refused}}
  - log: {node: web, text: trying again}
  - log: {node: alice, text: trying again}
"""


def test_what_never_happened_in_any_run_is_told(tmp_path: Path) -> None:
    def play(seed: int) -> ScenarioResult:
        def status(network: object) -> int:
            if seed == 1:
                network.log(20, "I am trying again")  # type: ignore[attr-defined]
            return 503 if seed == 2 else 200

        return World(status=status).run(tmp_path, SOMETIMES, seed=seed)

    results = [play(seed) for seed in range(3)]
    assert all(result.held for result in results), "what is not true breaks nothing"
    assert [result.happened for result in results] == [(1,), (1, 2), (0, 1)]
    scenario = load_scenario(tmp_path / "scenario.yaml")
    (never,) = (each for each in sweep_notices(scenario, results, 3) if "never" in each)
    assert never == "sometimes, but never in 3 runs: log `trying again` at alice"


def test_whoever_keeps_going_gets_every_seed_that_fails(tmp_path: Path) -> None:
    scenario = replace(load_scenario(in_one_program(tmp_path)), order="random")
    with Runs([scenario], range(1, 13), trace=None, workers=2, keep_going=True) as runs:
        failed = list(runs.results(lambda: None))
        assert runs.made == runs.total == 12
    assert len(failed) > 1
    assert [result.held for result in failed] == [False] * len(failed)
    seeds = [result.seed for result in failed]
    assert seeds == sorted(seeds)


def test_when_the_budget_is_over_no_run_begins(tmp_path: Path) -> None:
    scenario = load_scenario(in_one_program(tmp_path))
    with Runs([scenario] * 2, range(50), trace=None, workers=2, budget=0) as runs:
        results = list(runs.results(lambda: None))
        assert 2 <= runs.made < 10
        assert runs.done == 100
    assert all(result.held for result in results)
    assert all(
        any("of 50: the budget is over" in notice for notice in result.notices)
        for result in results
    )


RECORDED = """\
name: x
topology: lan.yaml
steps:
  - record: {at: [alice], to: out.csv}
  - capture: {at: alice, to: out.pcapng}
  - transfer: {from: alice, to: web, size: 100KiB}
"""


def test_each_of_several_seeds_has_files_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "lan.yaml").write_text(LAN.replace("WORDS", "loss: 5%"))
    (tmp_path / "recorded.yaml").write_text(RECORDED)
    scenario = load_scenario(tmp_path / "recorded.yaml")
    with Runs([scenario], [1, 2, 3], trace=None, workers=3) as runs:
        assert all(result.held for result in runs.results(lambda: None))
    swept = sorted(file.name for file in tmp_path.glob("out*"))
    names = [f"out.seed-{seed}" for seed in (1, 2, 3)]
    assert swept == [f"{name}.{kind}" for name in names for kind in ("csv", "pcapng")]
    # Each is what the seed alone writes, to the name that the scenario has.
    for name, seed in zip(names, (1, 2, 3), strict=True):
        execute(scenario, seed=seed)
        for kind in ("csv", "pcapng"):
            alone = (tmp_path / f"out.{kind}").read_bytes()
            assert alone == (tmp_path / f"{name}.{kind}").read_bytes()


def test_recordings_of_runs_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    async def both() -> None:
        with (tmp_path / "out.csv").open("w") as before:
            before.write("old")
        plan = plan_of("alice web delay=1ms")
        async with Network(plan, time="virtual") as one, Network(plan, time="virtual") as other:
            await one.record("alice", to=tmp_path / "out.csv")
            await other.record("web", to=tmp_path / "out.csv")
            await asyncio.sleep(1)
            assert (tmp_path / "out.csv").read_text() == "old"
        lines = (tmp_path / "out.csv").read_text().splitlines()
        assert {line.split(",")[1] for line in lines[1:]} == {"alice"}

    run(both())
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]
