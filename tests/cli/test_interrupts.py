"""Ctrl-C: while the command line is still being imported, and at a node that is frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import ROOT, Shell

PAIR = """\
name: pair
nodes:
  alice: {kind: computer}
  web: {kind: computer}
links: [[alice, web]]
"""


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
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


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
        _, err = ping.communicate(timeout=30)
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
        out, err = ping.communicate(timeout=30)
        assert (ping.returncode, out, err) == (130, "", "")


def test_a_dead_node_says_what_starts_it(pair: tuple[Shell, int]) -> None:
    shell, _ = pair
    assert shell.run("node", "web", "kill")[0] == 0
    code, _, err = shell.run("exec", "web", "ip", "addr")
    assert (code, err) == (1, "web is not running; netsim node web start starts it\n")
