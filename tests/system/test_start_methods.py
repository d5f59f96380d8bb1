"""The start methods of multiprocessing, on a small network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from networks import Curl, url

from netsim import Network
from netsim.realtime.launcher import START_METHODS, StartMethod

SMALL = """
name: small
defaults: {link: {delay: 1ms}}
nodes:
  alice: {kind: computer, ports: ["127.0.0.1:0:web:80"]}
  r1: {kind: router}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links: [[alice, r1], [r1, web]]
"""


@pytest.mark.asyncio
@pytest.mark.parametrize("method", START_METHODS)
async def test_a_small_network_runs_and_ends(
    method: StartMethod, tmp_path: Path, curl: Curl
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    async with Network(tmp_path / "small.yaml", start_method=method) as network:
        assert "origin" in json.loads(await curl(url(network, "/ip")))
        for account in await network.accounts():
            account.check()
        events = network.subscribe()
        await network.crash("web")
        async for event in events:
            if event["kind"] == "node-died":
                assert "SIGKILL" in event["text"]
                break
    states = [(await network.inspect_node(node.name))["state"] for node in network.plan.nodes]
    assert states == ["stopped", "stopped", "dead"]


@pytest.mark.parametrize("method", START_METHODS)
def test_the_command_as_it_is_installed_knows_them_all(method: StartMethod, tmp_path: Path) -> None:
    """`spawn` and `forkserver` import the main module, which is the command, in every child."""
    (tmp_path / "small.yaml").write_text(SMALL)
    with subprocess.Popen(
        [Path(sys.executable).with_name("netsim"), "up", "--start-method", method, "small.yaml"],
        cwd=tmp_path,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        seen = ""
        for line in up.stdout:
            seen += line
            if " is up: " in line:
                up.send_signal(signal.SIGINT)
    assert " is up: " in seen, seen
    assert up.returncode == 0, seen
