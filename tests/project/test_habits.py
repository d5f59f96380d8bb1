"""What checks a change says the same wherever it is written down."""

from __future__ import annotations

import re
import runpy
import tomllib
from collections import Counter
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


def test_no_two_modules_have_one_name() -> None:
    """A tab of an editor, and a line of a traceback, show no more than that."""
    names = Counter(path.name for path in (ROOT / "netsim").rglob("*.py"))
    del names["__init__.py"]
    assert [name for name, number in names.items() if number > 1] == []


def test_what_fast_leaves_out_is_told() -> None:
    """A new folder of tests is either run by --fast, or named as left out."""
    script = (ROOT / "scripts/test").read_text()
    run = set(re.findall(r"\w+", ",".join(re.findall(r"^    tests/\{(.*)\}$", script, re.M))))
    left_out = set(re.findall(r"\w+", re.findall(r"left out: .*tests/\{(.*)\}", script)[0]))
    partly = set(re.findall(r"tests/(\w+)/test_\w+\.py", script))
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("**/test_*.py"))}
    assert run | left_out | partly == folders
    assert not run & left_out


def test_the_result_of_a_part_takes_the_place_of_its_last_one() -> None:
    nightly = runpy.run_path(str(ROOT / "scripts/nightly.py"))
    page = "<!-- nightly -->\n\nIt has not run yet.\n\n<!-- end of nightly -->\n"
    fuzz, soak = nightly["PARTS"]["fuzz"], nightly["PARTS"]["soak"]
    for part, held, date in (
        (soak, True, "2026-11-25"),
        (fuzz, False, "2026-11-25"),
        (fuzz, True, "2026-11-26"),
    ):
        result = nightly["Result"](part, held, 600.0, "9 passed")
        page = nightly["TABLE"].sub(
            lambda seen, result=result, date=date: nightly["table"](seen[0], result, date, "abc"),
            page,
        )
    rows = [row for row in page.splitlines() if row.startswith("| ") and "2026" in row]
    assert rows == [
        f"| {fuzz.name} | held | 2026-11-26 | abc | 10 min | 9 passed |",
        f"| {soak.name} | held | 2026-11-25 | abc | 10 min | 9 passed |",
    ]
    assert "not run yet" not in page


def test_what_a_part_said_is_its_last_line_as_a_cell() -> None:
    last_line = runpy.run_path(str(ROOT / "scripts/nightly.py"))["last_line"]
    assert last_line("a | b\n\n==== 1 passed | 2 s ====\n\n") == "1 passed / 2 s"
    assert last_line("") == "nothing"
