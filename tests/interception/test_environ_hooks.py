"""Each computer has its own `os.environ`."""

from __future__ import annotations

import _posixsubprocess
import os
import subprocess
import sys
from collections.abc import Iterator
from os import environ, getenv
from threading import Thread
from typing import Any

import pytest
from computers import computer

from netsim.interception.environment import Environment
from netsim.interception.interception import Interception

NAME = "NETSIM_TEST_OF_ENVIRON"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interception]:
    monkeypatch.setenv(NAME, "process")
    with Interception() as interception:
        yield interception


def in_child_process() -> str:
    """What the C library passes on."""
    program = f"import os; print(os.environ.get({NAME!r}))"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_computer_sees_its_own_and_nothing_else(installed: Interception) -> None:
    installed.enter(computer(environ={NAME: "alice", "Ä": "ö"}))
    assert os.environ[NAME] == environ[NAME] == getenv(NAME) == "alice"
    assert dict(os.environ) == os.environ.copy() == {NAME: "alice", "Ä": "ö"}
    assert os.environb[NAME.encode()] == b"alice"
    assert len(environ) == 2
    assert "PATH" not in environ
    assert getenv("PATH", "nowhere") == "nowhere"
    assert "alice" in repr(os.environ)
    with pytest.raises(KeyError):
        os.environ["PATH"]


def test_what_one_sets_no_other_sees(installed: Interception) -> None:
    given = {NAME: "alice"}
    alice, bob = computer(environ=given), computer("bob", environ=given)
    installed.enter(alice)
    os.environ[NAME] = "changed"
    os.environ["NEW"] = "1"
    os.environ |= {"NEWER": "2"}
    os.environb[b"BYTES"] = b"3"
    os.putenv(NAME, "put")
    installed.leave()
    installed.enter(bob)
    assert dict(os.environ) == {NAME: "alice"}
    del os.environ[NAME]
    os.unsetenv(NAME)
    installed.leave()
    assert os.environ[NAME] == "process"
    assert "NEW" not in os.environ
    assert in_child_process() == "process"
    installed.enter(alice)
    assert dict(os.environ) == {NAME: "changed", "NEW": "1", "NEWER": "2", "BYTES": "3"}
    assert given == {NAME: "alice"}


def test_child_processes_of_a_computer_have_its_own(installed: Interception) -> None:
    installed.enter(computer(environ={NAME: "alice", "PATH": os.defpath}))
    assert in_child_process() == "alice"
    os.environ[NAME] = "changed"
    assert in_child_process() == "changed"
    shown = subprocess.run(["/usr/bin/env"], env={"ONLY": "this"}, capture_output=True, check=True)
    assert shown.stdout == b"ONLY=this\n"
    installed.leave()
    assert in_child_process() == "process"


def test_other_threads_have_that_of_the_process(installed: Interception) -> None:
    installed.enter(computer(environ={NAME: "alice"}))
    seen: list[str] = []
    thread = Thread(target=lambda: seen.append(os.environ[NAME]))
    thread.start()
    thread.join()
    assert seen == ["process"]


def test_code_on_no_computer_changes_that_of_the_process(installed: Interception) -> None:
    installed.enter(Environment(None, None, lambda: 0, None, None))
    os.environ[NAME] = "test"
    assert in_child_process() == "test"
    installed.uninstall()
    assert os.environ[NAME] == "test"


def test_values_are_strings(installed: Interception) -> None:
    installed.enter(computer())
    with pytest.raises(TypeError, match="str expected"):
        os.environ["NUMBER"] = 1  # type: ignore[assignment]
    assert "NUMBER" not in os.environ


def exchanged() -> list[Any]:
    data = [vars(each)["_data"] for each in (os.environ, os.environb)]
    starts = [vars(subprocess)["_fork_exec"], _posixsubprocess.fork_exec]
    return [os.putenv, os.unsetenv, *data, *starts]


def test_uninstall_puts_back_what_was() -> None:
    before = exchanged()
    with Interception() as interception:
        interception.enter(computer())
        assert os.putenv is not before[0]
    assert all(one is other for one, other in zip(before, exchanged(), strict=True))
