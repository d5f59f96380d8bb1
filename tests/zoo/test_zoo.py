"""Ordinary programs, ten runs of each under load: they have one trace, and nothing is told.

A dozen of them, unless NETSIM_ZOO=all.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import animals_of_chance
import animals_of_order
import pytest

from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool

RUNS: Final = 10
SEED: Final = 57
DOZEN: Final = frozenset(
    {
        *("strings_in_a_set", "bytes_in_a_set", "objects_in_a_set", "shards_by_hash"),
        *("objects_in_a_weak_set", "a_broadcast_over_websockets", "as_completed", "identifiers"),
        *("temporary_files", "the_host_name", "a_log_with_the_process", "a_served_file"),
    }
)
NETWORK: Final = """\
name: zoo
nodes:
  alice: {{kind: computer, run: "zoo_keeper:show", env: {{PROGRAM: {program}}}}}
  web: {{kind: computer, env: {{FOLDER: {folder}}}, services: {{80: "zoo_keeper:create_app"}}}}
links: [{{endpoints: [alice, web], delay: 1ms, jitter: 1ms}}]
"""
SCENARIO: Final = """\
name: {program}
topology: {program}-net.yaml
steps:
  - wait: 6s
"""


def everybody() -> Iterator[str]:
    for module in (animals_of_order, animals_of_chance):
        for name, value in vars(module).items():
            if inspect.isasyncgenfunction(value):
                yield name


PROGRAMS: Final = sorted(everybody())
SHOWN: Final = PROGRAMS if os.environ.get("NETSIM_ZOO") == "all" else sorted(DOZEN)


def test_the_zoo_has_who_is_shown() -> None:
    assert set(PROGRAMS) > DOZEN
    assert len(PROGRAMS) >= 30


pytestmark = pytest.mark.timeout(1_200)  # whoever asks first for the runs waits for them all


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """For each program, of each run: the hash of its trace, and what was told."""
    folder = tmp_path_factory.mktemp("zoo")
    for name in ("animals_of_order", "animals_of_chance", "zoo_keeper"):
        shutil.copy(Path(__file__).with_name(f"{name}.py"), folder)
    (folder / "found.txt").write_text("hello")
    for program in SHOWN:
        network = NETWORK.format(program=program, folder=folder)
        (folder / f"{program}-net.yaml").write_text(network)
        (folder / f"{program}.yaml").write_text(SCENARIO.format(program=program))
    # Program by program in each round: no two runs of one program are under way at a time, which
    # would find each other's temporary files.
    places = [(program, number) for number in range(RUNS) for program in SHOWN]
    jobs = [
        Job(load_scenario(str(folder / f"{program}.yaml")), SEED, str(folder / f"{program}-{run}"))
        for program, run in places
    ]
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    pool = Pool(2)
    try:
        for index, result in pool.run(jobs):
            program, number = places[index]
            assert result.held, (program, result)
            trace = (folder / f"{program}-{number}").read_bytes()
            assert b"the end".hex().encode() in trace, f"{program} did not come to its end"
            found[program].append((hashlib.sha256(trace).hexdigest(), result.notices))
            (folder / "found.txt").touch()
    finally:
        pool.close()
    return found


@pytest.mark.parametrize("program", SHOWN)
def test_ten_runs_have_one_trace(
    runs: dict[str, list[tuple[str, tuple[str, ...]]]], program: str
) -> None:
    assert len(runs[program]) == RUNS
    assert len({trace for trace, _ in runs[program]}) == 1
    assert {notices for _, notices in runs[program]} == {()}
