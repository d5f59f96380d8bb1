"""Ctrl-C: while the command line is still being imported, and at a node that is frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from netsim_shell import Shell
from networks import ROOT

from netsim.cli import detach, outcome, root
from netsim.cli.outcome import FINE, INTERRUPTED
from netsim.cli.supervision import Watcher

PAIR = """\
name: pair
nodes:
  alice: {kind: computer}
  web: {kind: computer}
links: [[alice, web]]
"""


def run_program(program: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["netsim.cli.completion", "netsim.cli.outcome", "click"])
def test_ctrl_c_right_after_enter(module: str) -> None:
    program = (
        "import signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "from netsim.cli import main\n"
        "sys.argv[1:] = ['ps']\n"
        "main()\n"
    )
    done = run_program(program)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_that_waited_for_the_interpreter_ends_the_command_in_silence() -> None:
    # As scripts/netsim starts it. The signal is there before anything else is.
    command = [sys.executable, str(ROOT / "scripts" / "command.py"), "ps"]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    with process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (-signal.SIGINT, b"", b"")


def test_ctrl_c_when_the_command_is_done_changes_nothing_of_what_it_says() -> None:
    program = (
        "import atexit, signal, sys\n"
        "from netsim.cli import main\n"
        "atexit.register(signal.raise_signal, signal.SIGINT)\n"
        "sys.argv[1:] = ['--version']\n"
        "main()\n"
    )
    done = run_program(program)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
    assert done.stdout.startswith(b"netsim ")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Shell, int]]:
    """A running network, and the process of its alice, which is awake again at the end."""
    shell = Shell(tmp_path)
    (tmp_path / "pair.yaml").write_text(PAIR)
    code, out, err = shell.run("up", "-d", "--json", "pair.yaml")
    assert (code, err) == (0, "")
    pid = json.loads(out)["nodes"][0]["pid"]
    yield shell, pid
    try:
        os.kill(pid, signal.SIGCONT)
    finally:
        shell.close()


def test_one_ctrl_c_is_enough_when_the_node_freezes_under_a_tool(pair: tuple[Shell, int]) -> None:
    shell, pid = pair
    with shell.start("exec", "alice", "ping", "web") as ping:
        assert ping.stdout is not None
        assert ping.stdout.readline().startswith("PING web")
        assert "icmp_seq=1" in ping.stdout.readline()
        os.kill(pid, signal.SIGSTOP)
        ping.send_signal(signal.SIGINT)
        _, err = ping.communicate()
        assert (ping.returncode, err) == (130, "")


def test_a_frozen_node_is_named_and_one_ctrl_c_gives_up(pair: tuple[Shell, int]) -> None:
    shell, pid = pair
    os.kill(pid, signal.SIGSTOP)
    with shell.start("exec", "alice", "ping", "web") as ping:
        assert ping.stderr is not None
        said = ping.stderr.readline()
        assert said.startswith("netsim: alice does not respond, this waits for it; kill -CONT ")
        assert str(pid) in said
        ping.send_signal(signal.SIGINT)
        out, err = ping.communicate()
        assert (ping.returncode, out, err) == (130, "", "")


def test_a_dead_node_says_what_starts_it(pair: tuple[Shell, int]) -> None:
    shell, _ = pair
    assert shell.run("node", "web", "kill")[0] == 0
    code, _, err = shell.run("exec", "web", "ip", "addr")
    assert (code, err) == (1, "web is not running; netsim node web start starts it\n")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Stands for a supervisor in the background."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


class Heard(Watcher):
    """Counts how often it is told that the network is up; Ctrl-C comes as it is."""

    def __init__(self) -> None:
        self.ups = 0

    def progress(self, ready: int, total: int) -> None:
        signal.raise_signal(signal.SIGINT)

    def ready(self, network: dict[str, Any]) -> None:
        signal.raise_signal(signal.SIGINT)
        self.ups += 1

    def warned(self, text: str) -> None:
        raise NotImplementedError

    def event(self, event: dict[str, Any]) -> None:
        raise NotImplementedError

    def look_after(self, log: Path, announce: Callable[[str], None]) -> None:
        raise NotImplementedError

    def down(self, name: str) -> None:
        raise NotImplementedError


def test_ctrl_c_before_the_network_is_up_leaves_nothing(sleeper: subprocess.Popen[bytes]) -> None:
    heard = Heard()
    reports = [b'{"progress": [1, 2]}\n', b'{"ready": {}}\n']
    assert detach._follow(iter(reports), sleeper.pid, heard) == INTERRUPTED
    assert heard.ups == 0
    with pytest.raises(ProcessLookupError):
        os.kill(sleeper.pid, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_when_it_is_up_is_too_late(sleeper: subprocess.Popen[bytes]) -> None:
    heard = Heard()
    assert detach._follow(iter([b'{"ready": {}}\n']), sleeper.pid, heard) == FINE
    assert heard.ups == 1
    assert sleeper.poll() is None


def test_ctrl_c_in_the_making_of_a_class_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("Error calling __set_name__") from error

    monkeypatch.setattr(root.netsim, "make_context", interrupted)
    assert outcome.run(["ps"]) == INTERRUPTED
