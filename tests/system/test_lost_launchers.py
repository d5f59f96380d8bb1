"""Whoever starts and reaps the nodes is gone, is stopped, or may not start any: it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
from networks import Curl, lines_of, tool, url

from netsim import Network, NotRespondingError, StartError, Zygote
from netsim.network import iperf_run
from netsim.realtime import fleet, node_handle, process_backend, zygote
from netsim.realtime.fleet import Fleet
from netsim.realtime.launcher import START_METHODS, StartMethod

SMALL = """
name: small
nodes:
  alice: {kind: computer, ports: ["0:web:80"]}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links: [[alice, web]]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def zygote_of(network: Network) -> psutil.Process:
    pid = network.describe("alice")["pid"]
    return psutil.Process(pid).parent() or pytest.fail("a node has a parent")


@pytest.mark.asyncio
async def test_after_the_zygote_was_killed_nodes_start_with_a_new_one(
    small: Path, curl: Curl
) -> None:
    async with Network(small) as network, asyncio.timeout(60):
        events = network.subscribe()
        zygote = zygote_of(network)
        zygote.kill()
        told, dead = "", set[str]()
        async for event in events:
            if event["kind"] == "error":
                told = event["text"]
            elif event["kind"] == "node-died":
                dead.add(event["node"])
            if told and dead == {"alice", "web"}:
                break
        assert told == (
            f"the zygote (pid {zygote.pid}) has ended, and all nodes with it; "
            "`netsim node NAME start` starts one again, with a new zygote"
        )
        assert network.state == "degraded"
        for name in ("alice", "web"):
            await network.start_node(name)
        assert network.summary()["state"] == "running"
        assert zygote_of(network).pid != zygote.pid
        assert "origin" in json.loads(await curl(url(network, "/ip")))
        for account in await network.accounts():
            account.check()


@pytest.mark.asyncio
async def test_a_stopped_zygote_holds_nobody_up_for_ever(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "KILL_TIMEOUT", 0.1)
    async with Network(small) as network, asyncio.timeout(60):
        events = network.subscribe()
        zygote = zygote_of(network)
        zygote.suspend()
        told = rf"web has not ended yet: the zygote \(pid {zygote.pid}\), which kills and reaps"
        with pytest.raises(NotRespondingError, match=told):
            await network.crash("web")
        zygote.resume()
        async for event in events:
            if event["kind"] == "node-died":
                break
        assert event["node"] == "web"
        zygote.suspend()
        with monkeypatch.context() as brief:
            brief.setattr(fleet, "START_TIMEOUT", 0.1)
            with pytest.raises(StartError, match=rf"nor did the zygote \(pid {zygote.pid}\)"):
                await network.start_node("web")
        zygote.resume()
        await network.start_node("web")
        assert (await tool(network, "alice", "ping", "-c1", "web"))[0] == 0


@pytest.mark.asyncio
async def test_a_node_that_a_stopped_zygote_has_not_reaped_is_not_called_up(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "KILL_TIMEOUT", 0.1)
    async with Network(small) as network, asyncio.timeout(60):
        zygote = zygote_of(network)
        zygote.suspend()
        for change in (network.stop_node, network.start_node):
            with pytest.raises(NotRespondingError, match=r"web has not ended yet: the zygote"):
                await change("web")
        zygote.resume()
        monkeypatch.undo()
        await network.start_node("web")
        assert (await tool(network, "alice", "ping", "-c1", "web"))[0] == 0


@pytest.mark.asyncio
async def test_a_node_that_stands_still_is_named_by_whatever_needs_it(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_handle, "ANSWER_TIMEOUT", 0.1)
    monkeypatch.setattr(process_backend, "ANSWER_TIMEOUT", 0.1)
    monkeypatch.setattr(iperf_run, "_ANSWER", 0.1)
    monkeypatch.setattr(Fleet, "start_limit", 0.1)
    async with Network(small) as network, asyncio.timeout(60):
        pid = network.describe("web")["pid"]
        os.kill(pid, signal.SIGSTOP)
        for needs_it in (
            network.trace("web", "http://alice/"),
            network.iperf("alice", "web", seconds=0.1),
            network.kill_program("web"),
            network.start_program("web"),
            network.pause("web"),
            network.resume("web"),
            network.capture("web", small.with_name("web.pcapng")),
        ):
            with pytest.raises(NotRespondingError, match="web does not respond"):
                await needs_it
        os.kill(pid, signal.SIGCONT)


@pytest.mark.asyncio
async def test_a_fork_that_is_refused_fails_that_start_alone(small: Path) -> None:
    """RLIMIT_NPROC does not bind root, so the kernel's refusal is played in the zygote."""
    refusing = (
        "import os, sys, netsim.realtime.zygote_process as z\n"
        "fork, flag = os.fork, sys.argv.pop()\n"
        "def refuse():\n"
        "    if os.path.exists(flag):\n"
        "        raise BlockingIOError(11, os.strerror(11))\n"
        "    return fork()\n"
        "os.fork = refuse\n"
        "z.main()\n"
    )
    flag = small.with_name("no-more-processes")
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", refusing, str(theirs.fileno()), str(flag)],
            pass_fds=[theirs.fileno()],
        )
    async with Network(small, launcher=Zygote(process.pid, ours)) as network:
        await network.crash("web")
        flag.touch()
        with pytest.raises(StartError, match=r"web: no process for it: .*`ulimit -u`"):
            await network.start_node("web")
        assert network.describe("alice")["state"] == "running"
        # Whoever did not start it is told, too.
        events = network.logs("web", events=True)["lines"]
        assert events[-1]["text"].startswith("web did not start: no process for it: ")
        flag.unlink()
        await network.start_node("web")
        assert (await tool(network, "alice", "ping", "-c1", "web"))[0] == 0
    process.wait()


CHILDREN = """
import asyncio, subprocess, sys

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]

async def main():
    subprocess.Popen(SLEEP)
    subprocess.Popen(SLEEP, start_new_session=True)
    # Its parent ends at once, as that of a daemon.
    code = f"import subprocess; subprocess.Popen({{SLEEP!r}}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", code])
    print("three children")
    await asyncio.Event().wait()
"""


def with_mark(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if mark in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def parents(folder: Path) -> tuple[Path, str]:
    """A network with a program that starts three processes, and what they have in common."""
    mark = f"child-of-{uuid.uuid4()}"
    (folder / "parents.py").write_text(CHILDREN.format(mark=mark))
    file = folder / "parents.yaml"
    file.write_text(SMALL.replace("web: {", 'web: {run: "parents:main", '))
    return file, mark


async def three_children(network: Network) -> None:
    async with aclosing(lines_of(network)) as lines:
        async for line in lines:
            if line == "three children":
                return


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("end", "method"),
    [
        *((end, "fork") for end in ("crash", "stop_node", "stop", "kill")),
        *(("crash", "spawn"), ("stop", "spawn"), ("stop_node", "forkserver"), ("kill", "spawn")),
    ],
)
async def test_what_programs_have_started_ends_with_their_node(
    end: str, method: StartMethod, tmp_path: Path
) -> None:
    file, mark = parents(tmp_path)
    network = Network(file, start_method=method)
    async with asyncio.timeout(60):
        starting = asyncio.create_task(network.start())
        await three_children(network)
        await starting
        assert len(with_mark(mark)) == 3
        if end in ("crash", "stop_node"):
            await getattr(network, end)("web")
            assert with_mark(mark) == []
        elif end == "kill":
            network.kill()
        await network.stop()
    assert with_mark(mark) == []


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens, nobody waits for it for ever."""
    try:
        yield
    finally:
        process.kill()


SUPERVISOR = """
import asyncio, sys
from netsim import Network
from networks import lines_of

async def main():
    async with Network(sys.argv[1], start_method=sys.argv[2]) as network:
        async for line in lines_of(network):
            if line == "three children":
                print("up", flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_what_programs_have_started_ends_with_a_killed_supervisor(
    tmp_path: Path, method: StartMethod
) -> None:
    file, mark = parents(tmp_path)
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(file), method],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert supervisor.stdout is not None
    with supervisor, supervisor.stdout, ended(supervisor):
        assert supervisor.stdout.readline() == b"up\n"
        everybody = [*psutil.Process(supervisor.pid).children(recursive=True), *with_mark(mark)]
        assert len(everybody) >= 3 + 2, "two nodes, and what the program has started"
        supervisor.kill()
        _, left = psutil.wait_procs(everybody, timeout=30)
        assert left == []


DAEMONS = """
import asyncio, subprocess, sys, time

async def main():
    for _ in range(3):
        code = "import subprocess; subprocess.Popen(['true'], start_new_session=True)"
        subprocess.run([sys.executable, "-c", code])
    own = subprocess.Popen(["sh", "-c", "exit 7"])
    await asyncio.sleep(2.5)
    print(f"own child: {own.wait()}")
    await asyncio.Event().wait()
"""


@pytest.mark.asyncio
async def test_daemons_leave_no_zombies_and_own_children_are_the_program_s(tmp_path: Path) -> None:
    (tmp_path / "daemons.py").write_text(DAEMONS)
    file = tmp_path / "net.yaml"
    file.write_text(SMALL.replace("web: {", 'web: {run: "daemons:main", '))
    network = Network(file)
    async with asyncio.timeout(60):
        starting = asyncio.create_task(network.start())
        async with aclosing(lines_of(network)) as lines:
            assert await anext(lines) == "own child: 7"
        await starting
        node = psutil.Process(network.describe("web")["pid"])
        _, left = await asyncio.to_thread(psutil.wait_procs, node.children(), 30)
        assert left == []
        await network.stop()


@pytest.mark.asyncio
async def test_a_zygote_that_cannot_get_ready_says_why(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_descriptors(sock: socket.socket) -> int:
        code = (
            "import resource; from netsim.realtime import zygote_process; "
            "resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6)); zygote_process.main()"
        )
        sock.set_inheritable(True)
        command = [sys.executable, "-c", code, str(sock.fileno())]
        return os.posix_spawn(sys.executable, command, os.environ)

    for each in ("_fork_zygote", "_spawn_zygote"):
        monkeypatch.setattr(zygote, each, without_descriptors)
    with pytest.raises(StartError) as caught:
        await Network(small, launcher=Zygote.start()).start()
    assert str(caught.value) == (
        "alice: cannot be launched: the zygote could not get ready: Too many open files; "
        "ulimit -n raises the limit"
    )
