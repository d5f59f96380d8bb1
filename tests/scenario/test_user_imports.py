"""What programs import is found in their text, and imported once for all runs of a scenario."""

from __future__ import annotations

from pathlib import Path

from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool
from netsim.scenario.scenario_model import Scenario
from netsim.scenario.user_imports import libraries

NETWORK = """\
name: lan
nodes: {alice: {kind: computer, run: "shop.server:serve"}, web: {kind: computer}}
links: [[alice, web]]
"""
SCENARIO = """\
name: x
topology: lan.yaml
steps:
  - run: {host: web, call: "checks:are_there", expect: {returns: [true, false]}}
"""
SERVER = """\
from typing import TYPE_CHECKING
from .parts import wait
if TYPE_CHECKING:
    import turtledemo

async def serve():
    import colorsys
    await wait()
"""
PARTS = """\
import chunk_of_shop, sndhdr_of_nobody
from xml import sax

async def wait():
    pass
"""
CHECKS = """\
import sys
THERE = ["colorsys" in sys.modules, "chunk_of_shop" in sys.modules]

async def are_there():
    return THERE
"""


def write(folder: Path) -> Scenario:
    (folder / "lan.yaml").write_text(NETWORK)
    (folder / "x.yaml").write_text(SCENARIO)
    (folder / "shop").mkdir()
    (folder / "shop/server.py").write_text(SERVER)
    (folder / "shop/parts.py").write_text(PARTS.replace(", sndhdr_of_nobody", ""))
    (folder / "chunk_of_shop.py").write_text("import wave\n")
    (folder / "checks.py").write_text(CHECKS)
    return load_scenario(str(folder / "x.yaml"))


def test_libraries_are_found_in_functions_and_through_modules_of_programs(tmp_path: Path) -> None:
    scenario = write(tmp_path)
    (tmp_path / "shop/parts.py").write_text(PARTS)
    assert libraries(scenario) == (
        *("colorsys", "sys", "typing", "typing.TYPE_CHECKING"),
        *("wave", "xml", "xml.sax"),
    )


def test_what_cannot_be_read_is_no_mistake_here(tmp_path: Path) -> None:
    scenario = write(tmp_path)
    (tmp_path / "shop/server.py").write_text("import colorsys(\n")
    assert libraries(scenario) == ("sys",)


def test_libraries_are_there_before_a_run_and_modules_of_programs_are_not(tmp_path: Path) -> None:
    text = NETWORK.replace('run: "shop.server:serve"', "env: {A: b}")
    scenario = write(tmp_path)
    (tmp_path / "lan.yaml").write_text(text)
    (tmp_path / "checks.py").write_text(CHECKS + "import colorsys, chunk_of_shop\n")
    pool = Pool(1)
    try:
        ((_, result),) = pool.run([Job(load_scenario(scenario.file))])
    finally:
        pool.close()
    assert result.held, result.failures
    assert not result.notices
