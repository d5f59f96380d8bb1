"""What the shell is offered, asked in the way in which its function asks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import FAKE_NETSIM, HOME, Shell, network_up
from networks import NETSIM, ROOT


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """With a network called home."""
    with network_up(tmp_path_factory.mktemp("running"), HOME, FAKE_NETSIM) as shell:
        yield shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path, up=FAKE_NETSIM)
    (tmp_path / "home.yaml").write_text(HOME)
    yield shell
    shell.close()


def ask(
    shell: Shell, line: str, instruction: str = "zsh_complete"
) -> subprocess.CompletedProcess[str]:
    words = line.split(" ")
    return subprocess.run(
        NETSIM,
        env={
            **shell.environment,
            "_NETSIM_COMPLETE": instruction,
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def offered(shell: Shell, line: str) -> list[str]:
    """The words for the last of `line`; what has no words (files) as its type."""
    answer = ask(shell, line)
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.strip("\n").splitlines()
    kinds, words = lines[::3], lines[1::3]
    return [word if kind == "plain" else kind for kind, word in zip(kinds, words, strict=True)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("netsim pin", ["pingall"]),
        ("netsim exec alice p", ["ping"]),
        ("netsim exec ", ["alice", "web"]),
        ("netsim exec --name home w", ["web"]),
        ("netsim exec --name ", ["home"]),
        ("netsim exec alice ping w", ["web"]),
        ("netsim exec --js", ["--json"]),
        ("netsim exec alice,", ["alice,web"]),
        ("netsim exec --kind sw", ["switch"]),
        ("netsim exec --kind computer tr", ["traceroute"]),
        ("netsim exec --all ping w", ["web"]),
        ("netsim inspect a", ["alice"]),
        ("netsim logs ", ["alice", "web"]),
        ("netsim link ", ["alice", "web"]),
        ("netsim link alice ", ["web"]),
        ("netsim link --name home web:eth0 ", ["alice"]),
        ("netsim link nobody ", []),
        ("netsim link alice web --from w", ["web"]),
        ("netsim link --be", []),
        ("netsim link --del", ["--delay"]),
        ("netsim partition ", ["alice", "web"]),
        ("netsim partition alice,", ["alice,web"]),
        ("netsim partition alice w", ["web"]),
        ("netsim node w", ["web"]),
        ("netsim node web st", ["stop", "start"]),
        ("netsim down h", ["home"]),
        ("netsim down x", []),
        ("netsim up --start-method s", ["spawn"]),
        ("netsim up ", ["file"]),
        ("netsim validate ", ["file"]),
        ("netsim exec --name nosuch a", []),
    ],
)
def test_words(running: Shell, line: str, words: list[str]) -> None:
    assert offered(running, line) == words


def test_commands_come_with_what_they_do(shell: Shell) -> None:
    answer = ask(shell, "netsim vali").stdout
    assert answer == "plain\nvalidate\nCheck topology and scenario files; nothing starts.\n"


def test_nothing_is_offered_and_nothing_said_when_no_network_runs(shell: Shell) -> None:
    for line in ("netsim exec ", "netsim exec alice ", "netsim down "):
        answer = ask(shell, line)
        assert "alice" not in answer.stdout
        assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("name", ["zsh", "fish", "bash"])
def test_the_functions_of_the_shells(shell: Shell, name: str) -> None:
    answer = ask(shell, "netsim", f"{name}_source")
    assert answer.returncode == 0
    assert "_NETSIM_COMPLETE" in answer.stdout
    page = (ROOT / "docs" / "completion.md").read_text()
    assert f"_NETSIM_COMPLETE={name}_source netsim" in page
