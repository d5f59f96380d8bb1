"""The same seed is the same run: alone and among others, whatever programs keep by address."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from memory_programs import PROGRAMS

from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.seed_sweep import Runs

LAN = """\
name: lan
nodes: {alice: {kind: computer, run: "clients:tell"}, web: {kind: computer}}
links: [{endpoints: [alice, web], delay: 1ms, jitter: 1ms}]
"""


def traces(file: Path, seeds: Sequence[int], workers: int) -> list[str]:
    """Of one pool, in the order of the seeds."""
    pool = Pool(workers)
    paths = [file.with_name(f"trace-{seed}.jsonl") for seed in seeds]
    jobs = [
        Job(load_scenario(str(file)), seed, str(path))
        for seed, path in zip(seeds, paths, strict=True)
    ]
    try:
        assert all(result.held for _, result in pool.run(jobs))
    finally:
        pool.close()
    assert min(path.read_bytes().count(b"\n") for path in paths) > 500
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "clients.py").write_text(PROGRAMS)
    (tmp_path / "lan.yaml").write_text(LAN)
    file = tmp_path / "zoo.yaml"
    file.write_text("name: zoo\ntopology: lan.yaml\nsteps:\n  - wait: 3s\n")
    return file


def test_a_seed_is_the_same_run_alone_and_among_others(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(file.parent))
    (alone,) = traces(file, [304], 1)
    file.with_name("a-report-that-lies-there-now.html").touch()
    among = traces(file, range(301, 307), 3)
    assert among[3] == alone
    assert len(set(among)) == 6


def test_a_seed_is_the_same_run_alone_and_in_a_sweep_of_the_command(file: Path) -> None:
    def trace(seeds: Sequence[int], name: str, written: str) -> bytes:
        path = file.with_name(name)
        scenarios = [load_scenario(str(file))]
        with Runs(scenarios, seeds, trace=str(path), workers=2) as runs:
            assert all(result.held for result in runs.results(lambda: None))
        return (path / written).read_bytes()

    alone = trace([304], "alone.jsonl", "")
    assert alone.count(b"\n") > 500
    assert trace(range(302, 306), "sweep", "zoo-304.jsonl") == alone


def test_a_seed_is_the_same_run_in_every_terminal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = traces(file, [304], 1)
    for number in range(30):
        monkeypatch.setenv(f"GITHUB_{number}", "x" * number)
    assert traces(file, [304], 1) == [one]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_scenario_is_the_same_bytes_in_every_process(file: Path, hash_seed: str) -> None:
    """Where it is read must not reach the memory of its runs."""
    code = (
        "import pickle, sys; from netsim.scenario.load_scenario import load_scenario; "
        "sys.stdout.buffer.write(pickle.dumps(load_scenario(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(file)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    told = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    assert told == pickle.dumps(load_scenario(str(file)))


def test_where_addresses_differ_it_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsim.interception.memory_order.personality", lambda wanted: -1)
    pool = Pool(1)
    ((_, result),) = pool.run([Job(load_scenario(str(file)))])
    pool.close()
    (notice,) = (each for each in result.notices if "memory" in each)
    assert notice.startswith("another run may differ: ")
