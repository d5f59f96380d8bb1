"""Every `$ netsim …` of the pages of the commands and of the README does what is printed there.

A page that starts a network itself (`netsim up -d`) is a story: it begins with nothing running.
The others are about the campus, which runs. Files that a page shows, with their name in a comment
on the first line, are there. Each printed line has to be among what the command says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from documented_examples import Example, examples_of, files_of, new_shell, normalised, run
from netsim_shell import Shell
from networks import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "coming-from.md",
    ROOT / "docs" / "scenarios.md",
    *sorted((ROOT / "docs" / "commands").glob("*.md")),
]


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = new_shell(tmp_path_factory.mktemp("campus"))
    assert shell.run("up", "-d", "topologies/campus.yaml")[0] == 0
    yield shell
    shell.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page(page: Path, campus: Shell, tmp_path: Path) -> None:
    examples = examples_of(page)
    assert examples, f"{page} shows no command"
    is_story = any(" up -d" in example.command for example in examples)
    own = new_shell(tmp_path / "own")
    try:
        for example in examples:
            shell = own if is_story or example.stays_in_the_foreground else campus
            for name, text in files_of(page).items():
                (shell.folder / name).write_text(text)
            check(example, shell)
    finally:
        own.close()


def check(example: Example, shell: Shell) -> None:
    code, output = run(example, shell)
    assert (code != 0) == example.fails, f"$ {example.command}\n{output}"
    seen = {normalised(line, shell.folder) for line in output.splitlines()}
    expected = example.lines
    if example.stays_in_the_foreground:
        end = next(number for number, line in enumerate(expected, 1) if " is up: " in line)
        expected = expected[:end]
    missing = [line for line in expected if normalised(line, shell.folder) not in seen]
    assert not missing, f"$ {example.command}\nnever said:\n{missing}\nbut:\n{output}"


def test_numbers_do_not_matter_but_names_and_addresses_do() -> None:
    def same(a: str, b: str) -> bool:
        return normalised(a, Path("/x")) == normalised(b, Path("/x"))

    assert same("r1   up 12.5 ms", "r1 up 7 ms")
    assert same("/x/a.yaml (pid 7)", "/srv/a.yaml (pid 12)")
    assert same("02:00:00:19:00:00", "02:00:00:01:00:0a")
    assert not same("r1 up", "r2 up")
    assert not same("10.0.0.1", "10.0.0.2")
    assert not same("7 lines", "7 files")
