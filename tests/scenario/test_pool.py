"""Runs in processes of their own: in parallel, and whatever becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario
from netsim.scenario.seed_sweep import Runs

LAN = """\
name: lan
nodes:
  alice: {kind: computer}
  web: {kind: computer, run: PROGRAM}
links:
  - {endpoints: [alice, web], delay: 1ms}
"""
PROGRAMS = """\
import asyncio, ctypes, logging, os, random, sys

async def nothing():
    pass

async def unlucky():
    # Random numbers are the computer's own, below the seed.
    await asyncio.sleep(1)
    if random.random() < 0.4:
        logging.error("bad luck")

async def leaves():
    print("goodbye", file=sys.__stderr__, flush=True)
    ctypes.CDLL(None)._exit(3)  # as a library in C does; `os._exit` is refused

async def killed():
    ctypes.string_at(0)  # a signal that it sent itself would end its computer alone

async def busy():
    while True:
        pass
"""


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.close()


def scenario(folder: Path, program: str, *, more: str = "", name: str = "x") -> Scenario:
    folder.mkdir(exist_ok=True)
    (folder / "own_programs.py").write_text(PROGRAMS)
    (folder / "lan.yaml").write_text(LAN.replace("PROGRAM", f"own_programs:{program}"))
    file = folder / f"{name}.yaml"
    file.write_text(f"name: {name}\ntopology: lan.yaml\nsteps:\n  - wait: 2s\n{more}")
    return load_scenario(file)


def test_runs_in_parallel_and_all_end(tmp_path: Path, pool: Pool) -> None:
    jobs = [Job(scenario(tmp_path, "nothing"), seed) for seed in range(5)]
    results = dict(pool.run(jobs))
    assert sorted(results) == list(range(5))
    assert [results[index].seed for index in range(5)] == list(range(5))
    assert all(result.held for result in results.values()), results
    assert {result.network_ns for result in results.values()} == {2 * 10**9}


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("leaves", "its process ended with exit code 3; it said: goodbye"),
        ("killed", "its process was killed by SIGSEGV"),
    ],
)
def test_a_process_that_dies_is_a_scenario_that_fails(
    tmp_path: Path, pool: Pool, program: str, problem: str
) -> None:
    jobs = [Job(scenario(tmp_path / name, name)) for name in (program, "nothing")]
    results = dict(pool.run(jobs))
    assert not results[0].held
    assert problem in results[0].problem
    assert results[1].held


def test_a_process_that_hangs_is_killed_when_its_time_is_over(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsim.scenario.process_pool._GRACE", 0.2)
    job = Job(scenario(tmp_path, "busy", more="limits: {wall: 100ms}\n"))
    ((_, result),) = pool.run([job])
    assert result.problem == "the limit of 100ms of real time is over; it was killed"


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    pool = Pool(2)
    busy = Job(scenario(tmp_path / "busy", "busy"))
    quick = Job(scenario(tmp_path / "quick", "nothing"))
    runs = pool.run([busy, quick, busy])
    assert next(runs)[0] == 1
    workers = [run.process.pid for run in pool._running]
    assert all(psutil.pid_exists(pid) for pid in workers if pid is not None)
    pool.close()
    assert not any(psutil.pid_exists(pid) for pid in workers if pid is not None)


def test_the_first_failing_seed_is_the_result(tmp_path: Path) -> None:
    lucky = [
        result.held for _, result in sorted(_all(tmp_path, range(12)), key=lambda each: each[0])
    ]
    assert True in lucky
    assert False in lucky
    first = lucky.index(False)
    with Runs([scenario(tmp_path, "unlucky")], range(12), trace=None, workers=3) as runs:
        (result,) = runs.results(lambda: None)
        assert runs.done == runs.total == 12
    assert (result.seed, result.held) == (first, False)
    seen = [step.seen for step in result.failures]
    assert seen == ["web: bad luck"]


def _all(folder: Path, seeds: range) -> list[tuple[int, ScenarioResult]]:
    pool = Pool(2)
    try:
        return list(pool.run([Job(scenario(folder, "unlucky"), seed) for seed in seeds]))
    finally:
        pool.close()


def test_results_come_in_the_order_of_the_files_and_traces_are_named(tmp_path: Path) -> None:
    names = ["b", "a", "c"]
    scenarios = [scenario(tmp_path, "nothing", name=name) for name in names]
    trace = tmp_path / "traces"
    with Runs(scenarios, [1, 2], trace=str(trace), workers=4) as runs:
        results = list(runs.results(lambda: None))
    assert [result.name for result in results] == names
    written = sorted(file.name for file in trace.iterdir())
    assert written == [f"{name}-{seed}.jsonl" for name in "abc" for seed in (1, 2)]
