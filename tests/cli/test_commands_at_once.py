"""Commands at the same time, and while the network goes down: each says what came of it, once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest
from netsim_shell import Shell, network_up, of_the_network

PAIR = """\
name: pair
nodes:
  alice: {kind: computer}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
  s1: {kind: switch}
links: [[alice, s1], [web, s1]]
"""
Ended = tuple[int, str, str]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with network_up(tmp_path_factory.mktemp("pair"), PAIR) as shell:
        yield shell


def at_once(shell: Shell, *commands: str) -> list[Ended]:
    """All of them, and how each has ended."""
    with ExitStack() as stack:
        running = [stack.enter_context(shell.start(*command.split())) for command in commands]
        ended = []
        for command in running:
            out, err = command.communicate(timeout=60)
            ended.append((command.returncode, out, of_the_network(err)))
    assert not [err for _, _, err in ended if "a bug" in err or "Traceback" in err]
    return ended


def test_of_two_that_start_the_same_network_one_is_told_that_it_runs(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        (tmp_path / "pair.yaml").write_text(PAIR)
        ended = sorted(at_once(shell, "up -d pair.yaml", "up -d pair.yaml"))
        assert [code for code, _, _ in ended] == [0, 1]
        assert "netsim: pair is already running (pid " in ended[1][2]
        assert len(json.loads(shell.run("ps", "--json")[1])) == 1
        ended = at_once(shell, "down pair", "down pair")
        assert {out for code, out, _ in ended if code == 0} == {"pair is down\n"}
        assert shell.run("ps", "--json")[1].strip() == "[]"
    finally:
        shell.close()


def test_changes_of_one_link_come_one_after_the_other(pair: Shell) -> None:
    delays = [f"{number}ms" for number in range(1, 7)]
    ended = at_once(pair, *(f"link alice s1 --delay {delay}" for delay in delays))
    assert [code for code, _, _ in ended] == [0] * len(delays)
    # Each has found what another one had left: a chain that begins with what is in the file.
    changes = dict(re.findall(r"delay (\w+) → (\w+)", "".join(out for _, out, _ in ended)))
    at = ["0s"]
    while at[-1] in changes:
        at.append(changes.pop(at[-1]))
    assert sorted(at[1:]) == delays
    now = json.loads(pair.run("link", "alice", "s1", "--json")[1])["now"]
    assert {each["delay"] for each in now} == {at[-1]}
    assert pair.run("link", "alice", "s1", "--reset")[0] == 0


def test_verbs_for_one_node_leave_it_in_a_state_that_it_has(pair: Shell) -> None:
    verbs = ("kill", "start", "restart", "stop", "pause", "resume", "kill-program")
    for code, _, err in at_once(pair, *(f"node web {verb}" for verb in verbs)):
        assert (code == 0) == (err == "")
    assert pair.run("node", "web", "stop")[0] == 0
    for verb in ("pause", "resume", "kill-program"):
        code, _, err = pair.run("node", "web", verb)
        assert (code, err) == (1, "netsim: web is not running; start it first\n")
    code, _, err = pair.run("node", "web", "start")
    assert (code, err) == (0, "")
    assert "1 received" in pair.run("exec", "alice", "ping", "-c1", "web")[1]


def test_measurements_at_once_do_not_disturb_each_other(pair: Shell) -> None:
    ended = at_once(
        pair, "pingall", "pingall", "exec --all ip -br addr", "trace alice http://web/ip"
    )
    assert [code for code, _, _ in ended] == [0] * 4
    for _, out, _ in ended[:2]:
        assert "0% dropped (2/2 received)" in out


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        ("exec alice ping web", 1, "PING web", "the network is stopping"),
        ("exec --all ping web", 1, "PING web", "the network is stopping"),
        ("capture alice", 0, "", "pair is down; the capture ends with it"),
        ("iperf alice web -t 60", 1, "Connecting to host web", "the network is stopping"),
        ("top", 0, "directions busy", ""),
        ("logs -f --events", 0, "s1:eth0 carrier up", ""),
    ],
)
def test_what_runs_when_the_network_goes_down_ends_and_says_so(
    tmp_path: Path, command: str, code: int, out: str, err: str
) -> None:
    with ExitStack() as stack:
        shell = stack.enter_context(network_up(tmp_path, PAIR))
        for verb in ("--down", "--up"):  # of which there is a log
            assert shell.run("link", "alice", "s1", verb)[0] == 0
        running = stack.enter_context(shell.start(*command.split()))
        assert running.stdout is not None
        assert running.stderr is not None
        if out:
            read_until(running.stdout, out)
        if "capture" in command:
            read_until(running.stderr, "capturing at alice:eth0")
        assert shell.run("down") == (0, "pair is down\n", "")
        rest = running.communicate(timeout=60)[1]
        assert running.returncode == code
        assert err in rest
        assert "a bug" not in rest


def read_until(stream: IO[str], words: str) -> None:
    seen = ""
    while words not in seen:
        line = stream.readline()
        assert line, seen
        seen += line
