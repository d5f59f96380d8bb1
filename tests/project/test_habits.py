"""What checks a change says the same wherever it is written down."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_hooks_before_a_commit_are_what_the_suite_checks_and_fetch_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    checks = re.findall(
        r'^check "(.*)" ((?:ruff|mypy|lint-imports).*)$', (ROOT / "scripts/test").read_text(), re.M
    )
    assert [(hook["name"], hook["entry"]) for hook in hooks] == [
        (name, f".venv/bin/{command.removesuffix(' .')}") for name, command in checks
    ]


def test_ci_of_others_runs_every_python_that_we_promise() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    with (ROOT / "pyproject.toml").open("rb") as file:
        classifiers = tomllib.load(file)["project"]["classifiers"]
    promised = {it.rpartition(" ")[2] for it in classifiers if " :: Python :: 3." in it}
    (job,) = workflow["jobs"].values()
    assert promised <= set(job["strategy"]["matrix"]["python"])
    assert job["steps"][-1]["run"].endswith("scripts/test")


def test_what_fast_leaves_out_is_told() -> None:
    """A new folder of tests is either run by --fast, or named as left out."""
    script = (ROOT / "scripts/test").read_text()
    run = set(re.findall(r"\w+", ",".join(re.findall(r"^    tests/\{(.*)\}$", script, re.M))))
    left_out = set(re.findall(r"\w+", re.findall(r"left out: .*tests/\{(.*)\}", script)[0]))
    partly = set(re.findall(r"tests/(\w+)/test_\w+\.py", script))
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("**/test_*.py"))}
    assert run | left_out | partly == folders
    assert not run & left_out


def test_the_result_of_the_night_takes_the_place_of_the_last_one() -> None:
    nightly = runpy.run_path(str(ROOT / "scripts/nightly.py"))
    page = (ROOT / "docs/testing.md").read_text()
    part = nightly["PARTS"][0]
    results = [nightly["Result"](part, held, 600.0, "9 passed") for held in (True, False)]
    for _ in range(2):
        table = nightly["table"](results, "2026-11-26", "abc")
        page = nightly["TABLE"].sub(lambda _, table=table: table, page)
    assert page.count("2026-11-26, at abc:") == 1
    assert page.count(f"| {part.name} | held | 10 min | 9 passed |\n") == 1
    assert page.count(f"| {part.name} | **failed** | 10 min | 9 passed |\n") == 1


def test_what_a_part_said_is_its_last_line_as_a_cell() -> None:
    last_line = runpy.run_path(str(ROOT / "scripts/nightly.py"))["last_line"]
    assert last_line("a | b\n\n==== 1 passed | 2 s ====\n\n") == "1 passed / 2 s"
    assert last_line("") == "nothing"
