"""The lessons in docs/lessons: every command of theirs is run, and every task has a solution."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from documented_examples import Example, examples_of, files_of, new_shell, normalised, run
from netsim_shell import Command, Shell
from networks import ROOT

LESSONS = ROOT / "docs" / "lessons"
PAGES = [page for page in sorted(LESSONS.glob("*.md")) if page.stem != "index"]
TASKS = sorted((LESSONS / "tasks").glob("*.yaml"))
PROGRAMS = ("curl", "kill", "netsim", "ps", "python3", "tshark")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = new_shell(tmp_path / "checkout")
    shutil.copytree(LESSONS, shell.folder / "docs" / "lessons")
    yield shell
    shell.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_lesson(page: Path, shell: Shell, tmp_path: Path) -> None:
    for name, text in files_of(page).items():
        (shell.folder / name).write_text(text)
    here = tmp_path / page.name
    here.write_text(as_in_this_run(page.read_text()))
    examples = examples_of(here, PROGRAMS)
    assert len(examples) == len(re.findall(r"^\$ ", page.read_text(), re.MULTILINE))
    with ExitStack() as stack:
        others: list[tuple[Example, str, Command]] = []
        for example in examples:
            if example.command.endswith(" &"):
                command = stack.enter_context(in_another_terminal(example, shell))
                assert command.stdout is not None
                began = command.stdout.readline()
                others.append((example, began, command))
            else:
                check(example, run(example, shell)[1], shell)
        for example, began, command in others:
            check(example, began + command.communicate()[0], shell)


def as_in_this_run(text: str) -> str:
    """A lesson with the processes and the port of the network that runs."""
    text = re.sub(
        r"^\$ kill (-\w+) \d+ +# (\w+)$",
        r"$ kill \1 $(netsim inspect \2 --json | jq .pid)",
        text,
        flags=re.MULTILINE,
    )
    door = "$(netsim inspect --json | jq -r .ports[0].listen)"
    return text.replace("$ curl http://127.0.0.1:8082", f"$ curl -s http://{door}")


def in_another_terminal(example: Example, shell: Shell) -> Command:
    """A command that the reader leaves running; its first line says that it has begun."""
    return Command(
        ["bash", "-c", f"exec {example.command.removesuffix(' &')}"],
        cwd=shell.folder,
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check(example: Example, output: str, shell: Shell) -> None:
    """Each line that is shown stands in the output, in this order; `…` ends one that is cut."""
    seen = iter([normalised(line, shell.folder) for line in output.splitlines()])
    for line in example.lines:
        shown, cut, _ = normalised(line, shell.folder).partition(" …")
        found = any(it.startswith(shown) if cut else it == shown for it in seen)
        assert found, f"$ {example.command}\nno {line!r} in\n{output}"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.stem)
def test_a_task_is_not_done_by_the_network_as_it_is(task: Path, shell: Shell) -> None:
    shutil.copy(shell.folder / "topologies" / "lecture.yaml", shell.folder / "mine.yaml")
    code, out, _ = shell.run("test", f"docs/lessons/tasks/{task.name}")
    assert code != 0
    assert "1 held" not in out


def test_every_lesson_ends_with_a_task() -> None:
    pages = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"tasks/(\S+\.yaml)", pages))
    assert named == {task.name for task in TASKS}
    assert len(PAGES) == len(TASKS) == 3
