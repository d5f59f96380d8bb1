"""The Python of README and docs/python.md does what it says: each block as a file of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from networks import ROOT

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
PROGRAMS = {
    f"{page.stem}-{index}": program
    for page in (ROOT / "README.md", ROOT / "docs" / "python.md")
    for index, program in enumerate(_BLOCK.findall(page.read_text()))
}


def test_both_pages_have_a_program_and_a_test() -> None:
    assert len(PROGRAMS) == 6
    assert sum("def test_" in program for program in PROGRAMS.values()) == 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "topologies", tmp_path / "topologies")
    program = PROGRAMS[name]
    (tmp_path / "test_it.py").write_text(program)
    command = [sys.executable, "-W", "error", "test_it.py"]
    if "def test_" in program:
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
        )
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
