"""Work in real time, in many processes: operations for a CPU second of all of them (workloads.py).

A child runs the network, and what it and all its children have used is counted when they have
ended. What starting and ending takes is measured in turn, and taken off where it does not belong.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from virtual_workloads import CAMPUS, request_often

Test = Callable[[Any], Awaitable[None]]


def used() -> float:
    """CPU seconds of the children that have ended, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def adopt_orphans() -> None:
    """Processes that lose their parent become ours, so that their CPU time is counted."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def cpu_of(work: Callable[[], None]) -> float:
    """CPU seconds of `work` in a child process, with every process that it starts."""
    adopt_orphans()
    before = used()
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 0, "the network of this round did what it should"
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # whoever lost its parent
    return used() - before


async def nothing(_: Any) -> None:
    """Up and down again."""


def network_cpu(topology: Any, test: Test = nothing) -> float:
    """CPU seconds of a network from nothing to its end, with `test` in between."""

    def work() -> None:
        from netsim import Network

        async def main() -> None:
            async with Network(topology) as network:
                await test(network)

        asyncio.run(main())

    return cpu_of(work)


def write_campus(folder: str) -> Path:
    """The example's file, with any free port of this machine."""
    file = Path(folder) / "campus.yaml"
    text = CAMPUS.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
    file.write_text(text.replace("./site", str(CAMPUS.parent / "site")))
    return file


def campus_cpu(test: Test) -> float:
    """CPU seconds of `test` on the campus, without its start and end."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_campus(folder)
        idle = network_cpu(file)
        return network_cpu(file, test) - idle


def tree(nodes: int) -> Any:
    """Four routers in a ring, each with a switch full of computers."""
    import networkx

    graph: networkx.Graph[str] = networkx.Graph(name="bench")
    routers = [f"r{i}" for i in range(4)]
    for router in routers:
        graph.add_node(router, kind="router")
        graph.add_node(router.replace("r", "s"), kind="switch")
        graph.add_edge(router, router.replace("r", "s"))
    for number, router in enumerate(routers):
        graph.add_edge(router, routers[(number + 1) % 4])
    for number in range(nodes - len(graph)):
        graph.add_node(f"c{number}", kind="computer")
        graph.add_edge(f"c{number}", f"s{number % 4}")
    return graph


def set_up(nodes: int) -> float:
    """A network of processes from nothing to ready, and ended: nodes/CPU s."""
    return nodes / network_cpu(tree(nodes))


def memory() -> float:
    """Nodes of a network of 40 for each GB (proportional set size)."""
    sizes = []

    async def test(network: Any) -> None:
        for name in network.kinds():
            rollup = Path(f"/proc/{network.describe(name)['pid']}/smaps_rollup").read_text()
            (line,) = (line for line in rollup.splitlines() if line.startswith("Pss:"))
            sizes.append(int(line.split()[1]) / 1e6)

    async def main() -> None:
        from netsim import Network

        async with Network(tree(40)) as network:
            await test(network)

    asyncio.run(main())
    return 1 / statistics.mean(sizes)


# Requests and bytes

REQUESTS = 2_000
CONNECTIONS = 10
BULK = 40 << 20
"""Bytes."""


def requests() -> float:
    """HTTP by aiohttp from alice to web, ten connections: requests/CPU s."""

    async def test(network: Any) -> None:
        each = REQUESTS // CONNECTIONS
        done = await asyncio.gather(
            *(network["alice"].run(request_often, "http://web/ip", each) for _ in range(10))
        )
        assert sum(done) == REQUESTS, f"{sum(done)} requests were answered"

    return REQUESTS / campus_cpu(test)


SLICES = 5


def requests_from_outside(connections: int, count: int) -> float:
    """HTTP by aiohttp through the published port: requests/CPU s of the network's processes.

    The client is none of them, and start and end do not count. All share one core: with two, how
    many frames travel together, and so what each costs, is up to who else uses the other one.
    """
    rates: list[float] = []

    async def ask(url: str, requests: int) -> None:
        each = requests // connections
        done = await asyncio.gather(*(request_often(url, each) for _ in range(connections)))
        assert sum(done) == each * connections, f"{sum(done)} requests were answered"

    async def main() -> None:
        from netsim import Network

        with tempfile.TemporaryDirectory() as folder:
            async with Network(write_campus(folder)) as network:
                pids = [network.describe(name)["pid"] for name in network.kinds()]
                url = f"http://{network.ports()[0]['listen']}/ip"
                await ask(url, 2 * connections)  # neighbours, caches
                for _ in range(SLICES):
                    before = sum(map(_run_time, pids))
                    await ask(url, count)
                    rates.append(count / (sum(map(_run_time, pids)) - before))

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        asyncio.run(main())
    finally:
        os.sched_setaffinity(0, cores)
    return statistics.median(rates)


def bulk(direction: str) -> float:
    """40 MiB through the campus by curl: MiB/CPU s."""

    async def test(network: Any) -> None:
        url = f"http://{network.ports()[0]['listen']}"
        with tempfile.NamedTemporaryFile() as body:
            arguments = ["-o", "/dev/null", f"{url}/bytes/{BULK}"]
            if direction == "up":
                body.truncate(BULK)
                arguments = ["-o", "/dev/null", "-T", body.name, f"{url}/upload"]
            process = await asyncio.create_subprocess_exec("curl", "-sSf", *arguments)
            assert await process.wait() == 0, "all bytes arrived"

    return BULK / (1 << 20) / campus_cpu(test)


# A switch with many ports of which two are used

ROUND_TRIPS = 2_000


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Send it back."""
        self.transport.sendto(data, addr)  # type: ignore[attr-defined]


class _Bounce(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.left = ROUND_TRIPS
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, _: Any) -> None:
        """Send the next one."""
        self.left -= 1
        if self.left:
            self.transport.sendto(data)  # type: ignore[attr-defined]
        elif not self.over.done():
            self.over.set_result(None)


async def echo() -> None:
    """Runs on c0, and stays."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(_Echo, local_addr=("0.0.0.0", 7))


async def bounce() -> None:
    """Runs on c1: one datagram to c0 and back, again and again."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Bounce, remote_addr=("c0", 7))
    transport.sendto(b"x")
    await protocol.over
    transport.close()


def switch(ports: int) -> float:
    """One frame at a time through a switch: frames/CPU s of its process. A tick for each."""
    import networkx

    graph: networkx.Graph[str] = networkx.Graph(name="bench")
    graph.add_node("s", kind="switch")
    for number in range(ports):
        graph.add_node(f"c{number}", kind="computer")
        graph.add_edge(f"c{number}", "s")
    took = 0.0

    async def main() -> None:
        from netsim import Network

        nonlocal took
        async with Network(graph) as network:
            pid = network.describe("s")["pid"]
            await network["c0"].run(echo)
            before = _run_time(pid)
            await network["c1"].run(bounce)
            took = _run_time(pid) - before

    asyncio.run(main())
    return 2 * ROUND_TRIPS / took


def _run_time(pid: int) -> float:
    """Seconds that the threads of a process have run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


# Commands

COMMANDS = {
    "--help": ["--help"],
    "ps": ["ps"],
    "exec": ["exec", "--name", "bench", "alice", "ip", "addr"],
    "inspect": ["inspect", "--name", "bench"],
}
TIMES = 5


def command(name: str) -> float:
    """A command beside a running campus, the interpreter's start included: times/CPU s."""
    netsim = [sys.executable, "-m", "netsim"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_RUNTIME_DIR": folder}
        file = write_campus(folder)

        def run(*arguments: str) -> None:
            subprocess.run(
                [*netsim, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment
            )

        run("up", "-d", "--name", "bench", str(file))
        try:
            before = used()
            for _ in range(TIMES):
                run(*COMMANDS[name])
            return TIMES / (used() - before)
        finally:
            run("down", "bench")


ROWS: dict[str, Callable[[], float]] = {
    "real requests": requests,
    "outside requests, 1 connection": lambda: requests_from_outside(1, 100),
    "outside requests, 50 connections": lambda: requests_from_outside(50, 1_000),
    "download": lambda: bulk("down"),
    "upload": lambda: bulk("up"),
    "set-up": lambda: set_up(40),
    "set-up of 200": lambda: set_up(200),
    "set-up of 500": lambda: set_up(500),
    "memory": memory,
    "switch of 2 ports": lambda: switch(2),
    "switch of 48 ports": lambda: switch(48),
    "switch of 128 ports": lambda: switch(128),
    **{f"command {name}": lambda name=name: command(name) for name in COMMANDS},  # type: ignore[misc]
}
