"""Same file, seed and versions: the same trace of every frame, byte for byte."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import netsim

PLAY: Final = Path(__file__).with_name("repeated_play.py")
ROOT: Final = Path(netsim.__file__).parent.parent
VERSIONS: Final = ("3.11", "3.12", "3.13")

APP: Final = """
import asyncio, datetime, os, random, secrets, time, uuid
from aiohttp import web

served = 0

def blocking():
    time.sleep(0.01)
    return time.monotonic()

def create_app():
    async def everything(request):
        global served
        served += 1
        loop = asyncio.get_running_loop()
        await asyncio.sleep(random.random() / 10)
        slow = await loop.run_in_executor(None, blocking)
        tasks = {asyncio.create_task(asyncio.sleep(random.random() / 50, n)) for n in range(8)}
        first, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        order = [task.result() for task in first] + [await task for task in rest]
        async with asyncio.TaskGroup() as group:
            pairs = {group.create_task(asyncio.to_thread(secrets.token_hex, 3)) for _ in range(3)}
        return web.json_response({
            "clock": [time.time(), time.monotonic_ns(), time.perf_counter(), loop.time()],
            "now": [str(datetime.datetime.now()), str(datetime.datetime.now(datetime.UTC))],
            "random": [random.random(), random.sample(range(99), 5), random.Random().random()],
            "uuid": [str(uuid.uuid4()), str(uuid.uuid1())],
            "secret": [secrets.token_hex(8), os.urandom(4).hex(), secrets.randbelow(1 << 40)],
            "tokens": [pair.result() for pair in pairs],
            "environ": [os.environ.get("WHO"), os.getenv("TEST_SECRET")],
            "slow": slow, "order": order, "served": served,
        })
    app = web.Application()
    app.router.add_get("/", everything)
    return app
"""
TOPOLOGY: Final = """
name: repeated
seed: 5
defaults: {link: {delay: 2ms, bandwidth: 10mbit, jitter: 1ms, loss: 1%}}
nodes:
  alice: {kind: computer}
  bob: {kind: computer, env: {WHO: bob}}
  web:
    kind: computer
    env: {WHO: web, TEST_SECRET: none}
    services: {80: "repeated_app:create_app"}
  r1: {kind: router}
links: [[alice, r1], [bob, r1], [r1, web]]
"""


@dataclass(frozen=True)
class Run:
    trace: bytes
    seen: bytes


@dataclass(frozen=True)
class Stage:
    """A folder with the topology, and the application beside it."""

    folder: Path

    def write(self, *, app: str = APP, topology: str = TOPOLOGY) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "repeated_app.py").write_text(app)
        (self.folder / "repeated.yaml").write_text(topology)

    def play(self, number: int, *, python: str = sys.executable, seed: str = "-") -> Run:
        """In a process of its own, whose hash seed and secrets are its own too."""
        trace = self.folder / f"trace-{number}"
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(random.SystemRandom().randrange(1 << 32)),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TEST_SECRET": str(number),
        }
        command = [python, str(PLAY), str(self.folder / "repeated.yaml"), str(trace), seed]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stderr == b""
        return Run(trace.read_bytes(), done.stdout)

    def play_often(self, count: int, *, python: str = sys.executable) -> list[Run]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda number: self.play(number, python=python), range(count)))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path / "stage")
    stage.write()
    return stage


def test_ten_runs_are_one(stage: Stage, tmp_path: Path) -> None:
    first, *others = stage.play_often(10)
    assert first.trace.count(b"\n") > 500
    answers, _, errors, unrepeatable, _ = json.loads(first.seen)
    outcomes = [answer if isinstance(answer, str) else "ok" for of in answers for answer in of]
    assert outcomes.count("ok") > 15, outcomes
    assert len(set(outcomes)) > 1, "a fault was felt"
    assert errors == []
    assert all(cause.startswith("the order of sets of ") for cause in unrepeatable), unrepeatable
    assert b"carrier" in first.trace
    assert b'"loss"' in first.trace
    for other in others:
        assert other.seen == first.seen
        assert other.trace == first.trace

    # In another folder it is the same; with another seed, or another byte, it is not.
    elsewhere = Stage(tmp_path / "elsewhere")
    elsewhere.write()
    assert elsewhere.play(0) == first
    assert elsewhere.play(1, seed="6").trace != first.trace
    assert elsewhere.play(2, seed="5") == first
    elsewhere.write(app=APP.replace('"slow": slow', '"slov": slow'))
    changed = elsewhere.play(3)
    assert changed.trace != first.trace
    assert len(changed.trace.splitlines()[0]) == len(first.trace.splitlines()[0])


def test_a_node_at_the_end_of_the_file_changes_nothing_for_the_others(
    stage: Stage, tmp_path: Path
) -> None:
    before = stage.play(0)
    stage.write(
        topology=TOPOLOGY.replace(
            "  r1: {kind: router}\n", "  r1: {kind: router}\n  zoe: {kind: computer}\n"
        ).replace("[r1, web]]", "[r1, web], [zoe, r1]]")
    )
    after = stage.play(1)
    answers = [_without_identity(each) for each in (before, after)]
    assert answers[0] == answers[1]


def _without_identity(run: Run) -> list[Any]:
    """What programs saw of their randomness and of time."""
    answers: list[Any] = json.loads(run.seen)[0]
    return answers


def test_every_other_interpreter_repeats_itself(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = []
    for version in VERSIONS:
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            continue
        python = _interpreter(version)
        if python is None:
            missing.append(version)
            continue
        first, second = stage.play_often(2, python=python)
        assert first == second, python
        assert first.trace.count(b"\n") > 500
    if missing:
        text = f"no Python {' or '.join(missing)} with netsim's dependencies: not tried"
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")


def _interpreter(version: str) -> str | None:
    """One that can run netsim: of $NETSIM_PYTHONS (a path list), of PATH, of pyenv."""
    found = os.environ.get("NETSIM_PYTHONS", "").split(os.pathsep)
    found.append(shutil.which(f"python{version}") or "")
    found += map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in filter(None, found):
        probe = "import sys, netsim.virtual.virtual_backend;print('%d.%d' % sys.version_info[:2])"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([candidate, "-c", probe], env=environment, capture_output=True)
        if done.stdout.decode().strip() == version:
            return candidate
    return None
