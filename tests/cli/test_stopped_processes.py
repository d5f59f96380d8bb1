"""A supervisor or a zygote that stands still: no command waits for it for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import psutil
import pytest
from netsim_shell import Prompt, Shell

PAIR = """\
name: pair
nodes:
  alice: {kind: computer}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links: [[alice, web]]
"""
COMMANDS = [
    ["inspect"],
    ["logs"],
    ["pingall"],
    ["repair"],
    ["drop", "alice", "web"],
    ["exec", "alice", "ping", "-c1", "web"],
    ["isolate", "alice", "web"],
    ["link", "alice", "web"],
    ["link", "alice", "web", "--down"],
    ["node", "web", "kill"],
    ["node", "web", "restart"],
    ["partition", "alice", "web"],
]


class Pair(NamedTuple):
    shell: Shell
    supervisor: psutil.Process
    zygote: psutil.Process


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    shell = Shell(folder)
    (folder / "pair.yaml").write_text(PAIR)
    code, out, err = shell.run("up", "-d", "--json", "pair.yaml")
    assert (code, err) == (0, "")
    zygote = psutil.Process(json.loads(out)["nodes"][0]["pid"]).parent()
    assert zygote is not None
    supervisor = zygote.parent()
    assert supervisor is not None
    yield Pair(shell, supervisor, zygote)
    for process in (supervisor, zygote):
        process.resume()
    shell.close()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_stopped_supervisor_is_told(
    pair: Pair,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", pair.shell.environment["XDG_RUNTIME_DIR"])
    monkeypatch.setattr("netsim.control.control_client.ANSWER_TIMEOUT", 0.2)
    pair.supervisor.suspend()
    try:
        code, out, err = Prompt(capsys).run(*command)
    finally:
        pair.supervisor.resume()
    assert (code, out) == (1, "")
    assert err.endswith("pair does not answer; netsim down pair ends it\n")


def test_a_stopped_zygote_is_told(pair: Pair) -> None:
    pair.zygote.suspend()
    try:
        code, out, err = pair.shell.run("node", "web", "kill")
    finally:
        pair.zygote.resume()
    assert (code, out) == (1, "")
    assert f"the zygote (pid {pair.zygote.pid})" in err
