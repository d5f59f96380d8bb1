"""Closed or full streams, a directory that is gone, a full disk: no bugs of netsim's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import HOME, Shell

from netsim.cli.outcome import explain

NETSIM = f"{sys.executable} -m netsim"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def bash(shell: Shell, command: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 1, "netsim: standard output is closed; write > /dev/null to see nothing\n"),
        (">&- 2>&-", 1, ""),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
        ("> /dev/full", 1, "netsim: No space left on device; make room where this command writes"),
        ("2> /dev/full", 0, ""),
    ],
)
def test_standard_streams(shell: Shell, redirection: str, code: int, said: str) -> None:
    found, _, err = bash(shell, f"{NETSIM} schema topology {redirection}")
    assert found == code
    assert err.startswith(said)
    assert err.count("\n") == (said != "")


def test_nobody_can_hear_an_error(shell: Shell) -> None:
    assert bash(shell, f"{NETSIM} nonsense 2> /dev/full") == (2, "", "")


def test_a_working_directory_that_is_gone(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = "mkdir gone; cd gone; rmdir ../gone;"
    code, out, err = bash(shell, f"{gone} {NETSIM} validate home.yaml")
    assert (code, out) == (2, "")
    assert err == "home.yaml:1:1: there is no such file; check the path\n"
    (shell.folder / "gone").mkdir()
    monkeypatch.chdir(shell.folder / "gone")
    (shell.folder / "gone").rmdir()
    assert explain(FileNotFoundError(errno.ENOENT, "No such file or directory")) == (
        "netsim: the working directory is gone; change to one that exists",
        1,
    )


def test_a_charset_without_our_characters(shell: Shell) -> None:
    shell.environment |= {"PYTHONIOENCODING": "iso-8859-1"}
    code, out, err = bash(shell, f"{NETSIM} validate home–2.yaml")
    assert (code, out) == (2, "")
    assert err.startswith(r"home\u20132.yaml:1:1: there is no such file")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENOMEM])
def test_what_the_machine_lacks_is_no_bug(number: int) -> None:
    text, code = explain(OSError(number, "some words"))
    assert code == 1
    assert text.startswith("netsim: some words; ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "No such file or directory"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by"),
        (TimeoutError(), "TimeoutError"),
        (PermissionError(errno.EACCES, "Permission denied", "a\x1b"), r"a\x1b: Permission denied"),
    ],
)
def test_what_the_system_refuses_is_no_bug(error: OSError, said: str) -> None:
    text, code = explain(error)
    assert code == 1
    assert text.startswith(f"netsim: {said}")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become somebody else")
@pytest.mark.parametrize(("limit", "method"), [(1, "fork"), (2, "fork"), (3, "fork"), (2, "spawn")])
def test_a_limit_on_processes_is_named(shell: Shell, limit: int, method: str) -> None:
    # Root is not bound by it. Whoever it becomes has no other process, and reads what root does.
    user, reads = 60_000 + os.getpid() % 5_000, "-all,+dac_read_search"
    capabilities = f"--bounding-set {reads} --inh-caps {reads} --ambient-caps {reads}"
    for path in (shell.folder, shell.folder / "run"):
        os.chown(path, user, user)
    (shell.folder / "home.yaml").write_text(HOME)
    options = f"--start-method {method} home.yaml"
    begin = f"setpriv --reuid {user} --regid {user} --clear-groups {capabilities}"
    code, out, err = bash(shell, f"{begin} prlimit --nproc={limit} {NETSIM} up {options}")
    assert (code, out) == (1, "")
    assert "`ulimit -u` and the control group's pids.max" in err
    assert err.startswith("netsim: ")
    assert err.count("\n") == 1
