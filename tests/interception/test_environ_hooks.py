"""Each computer has its own `os.environ`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from os import environ, getenv
from threading import Thread

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


def test_uninstall_puts_back_what_was() -> None:
    before = vars(os.environ)["_data"], vars(os.environb)["_data"], os.putenv, os.unsetenv
    with Interception() as interception:
        interception.enter(computer())
        assert os.putenv is not before[2]
    after = vars(os.environ)["_data"], vars(os.environb)["_data"], os.putenv, os.unsetenv
    assert all(one is other for one, other in zip(before, after, strict=True))
