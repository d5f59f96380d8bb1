"""Whatever dies or fails on the way, a network ends at once, says why, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import subprocess
import sys
from pathlib import Path
from typing import Literal

import psutil
import pytest
from networks import two_computers

from netsim import Network, StartError, Zygote
from netsim.realtime import fleet

pytestmark = pytest.mark.asyncio

SMALL = """
name: small
nodes:
  alice: {kind: computer}
  s1: {kind: switch}
  web: {kind: computer}
links: [[alice, s1], [s1, web]]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_starting_again_and_again_costs_nothing_that_stays(small: Path) -> None:
    async with Network(small):
        pass
    before = descriptors()
    for _ in range(3):
        async with Network(small):
            pass
    assert descriptors() == before
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
async def test_a_stop_without_grace(
    method: Literal["fork", "forkserver", "spawn"], small: Path
) -> None:
    network = Network(small, start_method=method)
    await network.start()
    await network.stop(grace=0)
    assert network.state == "stopped"


async def test_the_reason_is_heard_behind_much_output(tmp_path: Path) -> None:
    program = "for _ in range(4000): print('x' * 100)\nraise RuntimeError('no stock')\n"
    file = two_computers(tmp_path, web="services: {80: {app: 'loud:app'}}", loud=program)
    for _ in range(3):
        with pytest.raises(StartError, match="web: loud:app: RuntimeError: no stock"):
            await Network(file).start()


@pytest.mark.parametrize(
    "start", ["os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')", "os.fork() or time.sleep(60)"]
)
async def test_what_a_program_has_started_ends_with_the_network(start: str, tmp_path: Path) -> None:
    program = (
        "import asyncio, logging, os, time\nasync def run():\n"
        f"    logging.getLogger().info({start})\n    await asyncio.Event().wait()\n"
    )
    file = two_computers(tmp_path, alice="run: 'program:run'", program=program)
    network = Network(file)
    lines = network.subscribe_to_logs()
    async with network, asyncio.timeout(10):
        descriptor = os.pidfd_open(int((await anext(lines))["text"]))
        lines.close()
    assert select.select([descriptor], [], [], 5)[0]
    os.close(descriptor)


async def test_a_program_s_process_does_not_keep_the_cable_of_a_dead_node_up(
    tmp_path: Path,
) -> None:
    program = (
        "import asyncio, logging, os\nasync def run():\n    os.system('sleep 60 &')\n"
        "    logging.getLogger().info('started')\n    await asyncio.Event().wait()\n"
    )
    file = two_computers(tmp_path, alice="run: 'program:run'", program=program)
    network = Network(file)
    events = network.subscribe()
    async with network, asyncio.timeout(10):
        async for event in events:
            if event["text"].endswith("started"):
                await network.crash("alice")
            if event["kind"] == "carrier":
                break
        assert event["node"] == "web"


async def test_a_supervisor_with_more_files_than_select_takes(small: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        async with Network(small) as network:
            assert network.state == "running"
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_zygote_that_is_gone_is_not_killed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    zygote = Zygote.start()
    await zygote.end()

    def kill(pid: int, _: int) -> None:
        raise AssertionError(f"{pid} may be a stranger by now")

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(os, "killpg", kill)
    zygote.kill()


async def test_an_interrupt_while_the_zygote_is_forked_is_not_lost() -> None:
    """What is raised in functions that are called at a fork, as `logging` has one, is swallowed."""
    program = """if True:
        import os, signal
        from netsim import Zygote
        os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
        try:
            Zygote.start()
        except KeyboardInterrupt:
            os.wait()  # it ends by itself: nobody holds the other end of its channel
            print("interrupted")
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert await process.communicate() == (b"interrupted\n", b"")


async def test_a_service_that_keeps_its_computer_from_starting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "START_TIMEOUT", 5.0)
    spin = "def create_app():\n    while True:\n        pass\n"
    file = two_computers(tmp_path, web="services: {80: 'spin:create_app'}", spin=spin)
    with pytest.raises(StartError, match=r"web did not answer within 5 s; it stands at spin\.py:"):
        await Network(file).start()


async def test_stopped_nodes_and_a_stopped_zygote_end(small: Path) -> None:
    others = set(psutil.Process().children(recursive=True))
    network = Network(small)
    await network.start()
    for process in set(psutil.Process().children(recursive=True)) - others:
        process.suspend()
    await network.stop(grace=0.1)
    assert network.state == "stopped"
