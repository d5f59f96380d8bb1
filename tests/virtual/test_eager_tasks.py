"""Eager tasks came with Python 3.12: where this one is older, a newer one runs them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import networkx
import pytest
from plans import plan_of

PROGRAM = Path(__file__).with_name("eager_program.py")
TESTS = PROGRAM.parents[1]
ROOT = TESTS.parent
PACKAGES = Path(networkx.__file__).parents[1]
PURE = ("AIOHTTP", "FROZENLIST", "MULTIDICT", "PROPCACHE", "YARL")
"""Libraries that do without what was compiled for another Python, if they are told to."""


def newer_python() -> str:
    """This one or another from 3.12 on, of PATH or of pyenv."""
    if sys.version_info >= (3, 12):
        return sys.executable
    found = [shutil.which(f"python3.{minor}") for minor in range(12, 20)]
    found += map(str, sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")))
    for candidate in filter(None, found):
        probe = [candidate, "-c", "import asyncio; asyncio.eager_task_factory"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip("there is no Python from 3.12 on, with which eager tasks came")


def test_eager_tasks_are_numbered_and_run_as_in_asyncio() -> None:
    done = subprocess.run(
        [newer_python(), PROGRAM],
        input=pickle.dumps(plan_of("alice web delay=1ms")),
        env={
            **os.environ,
            **{f"{name}_NO_EXTENSIONS": "1" for name in PURE},
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT, TESTS, TESTS / "aio", PACKAGES])),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    names, rises, for_a_test, on_a_computer = json.loads(done.stdout)
    assert names == ["Task-2", "Task-3", "Task-4"]
    assert rises
    assert for_a_test == on_a_computer == [1, 2, 0, -1, -2]
