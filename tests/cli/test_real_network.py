"""The commands on a network with real node processes, over the real control API."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import Shell

PAIR = """\
name: pair
nodes:
  alice:
    kind: computer
    ports: ["127.0.0.1:0:web:80"]
  web:
    kind: computer
    services: {80: "netsim.services.httpbin:create_app"}
links:
  - {endpoints: [alice, web], delay: 1ms}
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    (tmp_path / "pair.yaml").write_text(PAIR)
    yield shell
    shell.close()


def test_a_session(shell: Shell) -> None:
    code, out, err = shell.run("up", "-d", "--json", "pair.yaml")
    assert (code, err) == (0, "")
    network = json.loads(out)
    assert [node["state"] for node in network["nodes"]] == ["running", "running"]
    alice = network["nodes"][0]["interfaces"][0]["addresses"][0].split("/")[0]

    (port,) = network["ports"]
    assert port["to"] == "web:80"
    with urllib.request.urlopen(f"http://{port['listen']}/ip", timeout=10) as response:
        assert json.load(response) == {"origin": alice}

    code, out, err = shell.run("exec", "alice", "ping", "-c", "1", "web")
    assert (code, err) == (0, "")
    assert "1 packets transmitted, 1 received" in out
    url = "http://web/bytes/100000"
    assert shell.run("exec", "alice", "curl", "-s", "-o", "here", url) == (0, "", "")
    assert (shell.folder / "here").stat().st_size == 100_000
    code, _, err = shell.run("exec", "alice", "nosuch")
    assert (code, err.count("\n")) == (127, 1)
    code, _, err = shell.run("exec", "alcie", "ping", "web")
    assert code == 1
    assert "alice" in err

    code, out, _ = shell.run("inspect", "web")
    assert code == 0
    assert "tcp.passive_opens" in out
    pids = [node["pid"] for node in network["nodes"]]
    assert shell.run("down") == (0, "pair is down\n", "")
    assert not any(is_alive(pid) for pid in pids)
    assert list((shell.folder / "run").iterdir()) == []


def test_ctrl_c_of_a_ping_prints_its_statistics(shell: Shell) -> None:
    assert shell.run("up", "-d", "pair.yaml")[0] == 0
    with shell.start("exec", "alice", "ping", "web") as ping:
        assert ping.stdout is not None
        assert ping.stdout.readline().startswith("PING web")
        assert "icmp_seq=1" in ping.stdout.readline()
        ping.send_signal(signal.SIGINT)
        out, err = ping.communicate()
        assert (ping.returncode, err) == (130, "")
        assert "0% packet loss" in out


def test_a_dead_node_is_an_event_and_a_state(shell: Shell) -> None:
    with shell.start("up", "--json", "pair.yaml") as up:
        assert up.stdout is not None
        network = json.loads(up.stdout.readline())
        os.kill(network["nodes"][1]["pid"], signal.SIGKILL)
        kinds = {}
        while "node-died" not in kinds:
            event = json.loads(up.stdout.readline())
            kinds[event["kind"]] = event
        assert kinds["node-died"]["node"] == "web"
        # The line that its log has is not told beside it.
        assert "error" not in kinds
        assert shell.run("logs", "web")[1].endswith("was killed by SIGKILL\n")
        states = json.loads(shell.run("ps", "--json")[1])
        assert [row["state"] for row in states] == ["degraded"]
        code, _, err = shell.run("exec", "web", "ip", "addr")
        assert code == 1
        assert "web" in err
        up.send_signal(signal.SIGINT)
        up.communicate()
        assert up.returncode == 0


def is_alive(pid: int) -> bool:
    """Whether a process exists; a zombie that waits for init does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
