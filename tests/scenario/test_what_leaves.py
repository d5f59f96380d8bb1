"""Runs in virtual time are in an empty network, too, where their processes are netsim's own."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.process_pool import Job, Pool

LAN = """\
name: lan
nodes: {alice: {kind: computer, run: "clients:tell", env: {PORT: "%d", SAID: "%s"}}}
"""
CLIENT = """\
import asyncio, ctypes, json, os, socket, struct, subprocess

PORT = int(os.environ["PORT"])

def in_c():
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", PORT, b"\\x7f\\0\\0\\1")
    failed = libc.connect(descriptor, address, len(address))
    return ctypes.get_errno() if failed else 0

def started():
    command = ["curl", "--silent", "--max-time", "5", f"http://127.0.0.1:{PORT}/"]
    return subprocess.run(command, stdout=subprocess.DEVNULL).returncode

async def tell():
    said = in_c(), await asyncio.to_thread(started), os.stat("/proc/self/ns/net").st_ino
    with open(os.environ["SAID"], "a") as file:
        file.write(json.dumps(said) + "\\n")
"""
REFUSED = [111, 7]
"""ECONNREFUSED; and curl's "Failed to connect to host"."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """With a network whose computer asks for a port at which this process would accept."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "clients.py").write_text(CLIENT)
        lan = LAN % (server.getsockname()[1], tmp_path / "said")
        (tmp_path / "lan.yaml").write_text(lan)
        yield tmp_path


def said_in(folder: Path) -> list[list[int]]:
    return [json.loads(line) for line in (folder / "said").read_text().splitlines()]


def test_programs_of_a_scenario_reach_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "ask.yaml").write_text("name: ask\ntopology: lan.yaml\nsteps:\n  - wait: 1s\n")
    scenario = load_scenario(str(folder / "ask.yaml"))
    pool = Pool(2)
    try:
        assert all(result.held for _, result in pool.run([Job(scenario, 1), Job(scenario, 2)]))
    finally:
        pool.close()
    one, two = said_in(folder)
    assert one[:2] == two[:2] == REFUSED
    assert len({one[2], two[2], os.stat("/proc/self/ns/net").st_ino}) == 3
