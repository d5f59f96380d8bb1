"""The file of tested versions says the same when it is read again, and it is what is installed."""

from __future__ import annotations

import re
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def constraints() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "constraints.py"))


TESTED = {
    "3.9": {"same": "1", "older": "1.5", "backport": "3"},
    "3.10": {"same": "1", "older": "1.5"},
    "3.11": {"same": "1", "older": "2", "added": "0.1"},
}


def test_each_python_gets_its_versions_back(constraints: dict[str, Any]) -> None:
    assert constraints["read"](constraints["write"](TESTED)) == TESTED


def test_versions_differ_by_marker_and_the_newest_python_speaks_for_later_ones(
    constraints: dict[str, Any],
) -> None:
    lines = constraints["write"](TESTED).splitlines()
    assert lines[-5:] == [
        'added==0.1 ; python_version >= "3.11"',
        'backport==3 ; python_version < "3.10"',
        'older==1.5 ; python_version < "3.11"',
        'older==2 ; python_version >= "3.11"',
        "same==1",
    ]


def test_what_differs_is_told_by_name(constraints: dict[str, Any]) -> None:
    before, after = (
        {"same": "1", "other": "1", "gone": "1"},
        {"same": "1", "other": "2", "new": "3"},
    )
    assert constraints["compare"](before, after) == [
        "gone 1 → not there",
        "new not there → 3",
        "other 1 → 2",
    ]


def test_everything_that_the_project_asks_for_has_a_tested_version(
    constraints: dict[str, Any],
) -> None:
    tested = constraints["read"]((ROOT / "constraints.txt").read_text())
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    versions = tested.get(release) or tested[max(tested, key=constraints["as_key"])]
    with (ROOT / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    groups = pyproject["dependency-groups"]
    requirements = [
        *pyproject["project"]["dependencies"],
        *(each for each in [*groups["dev"], *groups["docs"]] if isinstance(each, str)),
    ]
    names = {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}
    assert {constraints["canonical"](name) for name in names} <= versions.keys()
