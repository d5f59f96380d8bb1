from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netsim.control import control_client, shutdown
from netsim.control.process_watch import ProcessWatch
from netsim.control.state_directory import StateDirectory
from netsim.realtime.process_tree import Process, family

SUPERVISOR = """
import os, signal, subprocess, sys
from netsim.realtime.process_tree import family
from netsim.control.state_directory import StateDirectory
{before}
state = StateDirectory.claim("campus")
listener = state.listen()
node = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
state.publish({{"supervisor_pid": os.getpid(), "processes": family(os.getpid())}})
print("up", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(control_client, "STOP_TIMEOUT", 0.1)
    monkeypatch.setattr(shutdown, "_PATIENCE", 0.1)
    monkeypatch.setattr(shutdown, "_LAST_WORDS", 0.5)
    return tmp_path


@contextmanager
def supervisor(before: str = "") -> Iterator[subprocess.Popen[str]]:
    """A supervisor of one node that never answers its control socket."""
    program = SUPERVISOR.format(before=before)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process


def test_a_supervisor_that_hangs_is_killed_with_its_nodes(runtime_directory: Path) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with supervisor(ignore) as process:
        members = family(process.pid)
        assert len(members) == 2
        assert shutdown.shut_down(StateDirectory(runtime_directory / "netsim/campus")) == "killed"
        with ProcessWatch(members[1:]) as watch:
            assert watch.wait(0) == []
    assert list(runtime_directory.iterdir()) == []


def test_nodes_that_outlive_their_supervisor_are_killed(runtime_directory: Path) -> None:
    with supervisor() as process:
        node = family(process.pid)[1]
        process.kill()
        process.wait()
        assert node in family(node.pid)
        state = StateDirectory(runtime_directory / "netsim/campus")
        assert shutdown.shut_down(state) == "cleaned"
        with ProcessWatch([node]) as watch:
            assert watch.wait(0) == []
    assert list(runtime_directory.iterdir()) == []


def test_a_pid_that_means_another_process_is_left_alone() -> None:
    (this,) = [process for process in family(os.getpid()) if process.pid == os.getpid()]
    with ProcessWatch([Process(this.pid, this.started + 1)]) as watch:
        watch.signal(signal.SIGKILL)
        assert watch.wait(0) == []
    with ProcessWatch([this]) as watch:
        assert watch.wait(0) == [this]


def test_a_process_that_has_gone_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        (gone,) = family(process.pid)
    with ProcessWatch([gone]) as watch:
        assert watch.wait(60) == []
