"""A dozen libraries on simulated computers; scripts/compatibility tries them all."""

from __future__ import annotations

import ast
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trial

ROOT = Path(__file__).resolve().parents[2]
DOZEN = (
    *("aiohttp", "aiosmtp", "django", "dnspython", "fastapi", "flask", "http_server", "httpx"),
    *("redis", "requests", "starlette", "websockets"),
)
AT_A_TIME = 2
LIMIT = 300
"""Seconds for each, on a machine that does other things, too."""
pytestmark = pytest.mark.timeout(6 * LIMIT)


def tried(time: str) -> dict[str, dict[str, Any]]:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return dict(
            zip(DOZEN, pool.map(lambda name: trial.attempt(name, time, LIMIT), DOZEN), strict=True)
        )


def failures(said: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in said.items() if not each["ok"]}


def test_they_work_in_real_time() -> None:
    assert failures(tried("real")) == {}


def test_they_work_in_virtual_time_and_repeat() -> None:
    one, other = tried("virtual"), tried("virtual")
    assert failures(one) == {}
    if shutil.which("setarch"):
        assert {name: each["trace"] for name, each in one.items() if not each["notices"]} == {
            name: each["trace"] for name, each in other.items() if not each["notices"]
        }


@pytest.mark.parametrize("name", trial.names())
def test_what_is_tried_is_pinned_and_on_the_page(name: str) -> None:
    """From the text of the module: most libraries are not installed here."""
    text = (trial.HERE / "libraries" / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 80
    module = ast.parse(text)
    title = (ast.get_docstring(module) or "").split(":")[0].rstrip(".")
    assert f"| {title}" in (ROOT / "docs" / "compatibility.md").read_text()
    (packages,) = (
        ast.literal_eval(each.value)
        for each in module.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "PACKAGES"
    )
    pinned = (trial.HERE / "requirements.txt").read_text()
    for package in packages:
        assert re.search(rf"^{re.escape(package)}(\[.*\])?==", pinned, re.M | re.I), package
