"""What users are told to install exists, and what is built from here is whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "netsim").rglob("*.py")),
]
PUBLISHED = False
"""Whether PyPI has the distribution. Until then its name in a command would be a dead end."""
FOR_DEVELOPERS = {"pre-commit", "py-spy"}
"""What CONTRIBUTING.md offers beside the development environment."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def commands() -> list[tuple[str, str]]:
    """What follows each `pip install` of a page or a message, and where it stands."""
    found = []
    for page in PAGES:
        for target in re.findall(r"pip install ('[^']*'|[^\s`\"')]+)", page.read_text()):
            found.append((str(page.relative_to(ROOT)), target.strip("'")))
    return [(page, target) for page, target in found if target != "a"]  # "you can pip install: a"


def test_every_pip_install_names_what_can_be_installed(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    packages = {re.split(r"[^\w.-]", it)[0] for extra in extras.values() for it in extra}
    ours = {".", *(f".[{extra}]" for extra in extras)}
    if PUBLISHED:
        ours |= {project["name"], *(f"{project['name']}[{extra}]" for extra in extras)}
    told = [
        (page, each)
        for page, target in commands()
        for each in _each_extra(re.sub(r"[<>=].*", "", target))
    ]
    assert {target for _, target in told} >= {".", ".[test]", "pytest-asyncio"}
    assert [it for it in told if it[1] not in ours | packages | FOR_DEVELOPERS] == []


def _each_extra(target: str) -> list[str]:
    """`.[asgi]` and `.[test]` of `../netsim[asgi,test]`, which is a checkout elsewhere."""
    place, bracket, extras = re.sub(r"^\.{1,2}/netsim\b", ".", target).partition("[")
    return [f"{place}[{each}]" for each in extras.rstrip("]").split(",")] if bracket else [place]


def test_the_wheel_is_whole(tmp_path: Path, project: dict[str, Any]) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(tmp_path)], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"netsim_internet-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("netsim/")}
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "netsim"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert packed == {name for name in tracked.stdout.split() if (ROOT / name).exists()}


def test_an_installed_checkout_is_not_installed_again(tmp_path: Path) -> None:
    """`scripts/netsim` costs a moment; only what an installation depends on starts another one."""
    for name in ("pyproject.toml", "constraints.txt", "scripts/netsim", "scripts/command.py"):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy)
    environment = tmp_path / "scripts" / "environment"
    text = (ROOT / "scripts" / "environment").read_text()
    environment.write_text(text.replace("mkdir -p", "echo installing; exit 9\nmkdir -p", 1))
    environment.chmod(0o755)
    command = tmp_path / ".venv" / "bin" / "netsim"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho it runs\n")
    command.chmod(0o755)

    def netsim() -> tuple[int, str]:
        done = subprocess.run(
            [tmp_path / "scripts" / "netsim"], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    assert netsim() == (9, "installing\n")
    parts = ("pyproject.toml", "constraints.txt", "scripts/command.py")
    stamp = f"{tmp_path}\n" + "".join((tmp_path / part).read_text() for part in parts)
    (tmp_path / ".venv" / ".installed-run").write_text(stamp)
    assert netsim() == (0, "it runs\n")
    for part in parts:
        before = (tmp_path / part).read_text()
        (tmp_path / part).write_text(before + "# changed\n")
        assert netsim() == (9, "installing\n")
        (tmp_path / part).write_text(before)
