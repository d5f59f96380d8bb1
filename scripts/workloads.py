"""What `scripts/ratchet` and `scripts/bench compare` measure: work whose cost is CPU seconds.

Only the public Python API is used, so that the same work runs on another checkout, whose modules
may lie elsewhere. This file imports nothing of netsim at its top, and runs by itself:

    PYTHONPATH=CHECKOUT:scripts python -m workloads ROW [ROUNDS]

prints one line of JSON, `{"rate": …, "yardstick": …}`, for each round. Both are operations for a
CPU second, measured in turn in one process: A B A B.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path
from struct import Struct
from typing import Any

CAMPUS = Path(__file__).resolve().parent.parent / "topologies" / "campus.yaml"
ROUTERS = 8
HOPS = ROUTERS + 1
SIZE = 1000
"""Bytes of a datagram."""
DATAGRAMS = 100
"""In one burst."""
BURSTS = 50
VIRTUAL_REQUESTS = 150
REAL_REQUESTS = 2_000
CONNECTIONS = 10
NODES = 40


# The yardstick


class _Cell:
    __slots__ = ("count", "queue", "table")

    def __init__(self) -> None:
        self.count = 0
        self.queue: list[tuple[int, int, bytes]] = []
        self.table = {number: number * 7 for number in range(64)}

    def accept(self, due: int, data: bytes) -> None:
        """Look something up, keep it in order of time."""
        self.count += self.table[due & 63] & 1
        heappush(self.queue, (due, self.count, data))

    def release(self) -> bytes:
        """The earliest."""
        return heappop(self.queue)[2]


_HEADER = Struct("!HHIIHH")


CELLS = 256
"""Together about as much memory as a small network uses: who shares the cache slows both alike."""


def pure_python() -> float:
    """What an interpreter does all day, without netsim: steps for a CPU second.

    Method calls, attributes, heaps, dictionaries, `struct` and slices of bytes, in about the
    proportions of a network stack.
    """
    steps = 100_000
    data = bytes(range(256)) * 4
    cells = [_Cell() for _ in range(CELLS)]
    for cell in cells:
        for due in range(4):
            cell.accept(due, data[due:])
    chosen = 0
    began = time.process_time()
    for step in range(steps):
        chosen = (chosen * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        cell = cells[chosen >> 8 & CELLS - 1]
        text = cell.release()
        a, b, c, _, _, _ = _HEADER.unpack_from(text, 20)
        head = _HEADER.pack(b, a, c, step, step & 0xFFFF, 0)
        cell.accept((step * 37) & 0xFFF, head + text[16:])
    return steps / (time.process_time() - began)


# Virtual time


def _chain() -> Any:
    """a – r0 – … – r7 – b, links of 1 Gbit/s and 1 ms."""
    import networkx

    names = ["a", *(f"r{index}" for index in range(ROUTERS)), "b"]
    graph: networkx.Graph[str] = networkx.path_graph(names)
    for name in names:
        graph.nodes[name]["kind"] = "router" if name.startswith("r") else "computer"
    for end in graph.edges:
        graph.edges[end].update(delay="1ms", bandwidth="1gbit")
    graph.graph["name"] = "bench"
    return graph


class _Count(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.datagrams = 0

    def datagram_received(self, data: bytes, _: Any) -> None:
        """Count it."""
        self.datagrams += len(data) == SIZE


async def count_datagrams(seconds: float) -> int:
    """Runs on b: how many datagrams came."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Count, local_addr=("0.0.0.0", 6000))
    await asyncio.sleep(seconds)
    transport.close()
    return protocol.datagrams


async def send_datagrams() -> None:
    """Runs on a: bursts, 2 ms apart."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("b", 6000)
    )
    await asyncio.sleep(0.1)
    transport.sendto(bytes(SIZE))  # so that every neighbour is known
    await asyncio.sleep(0.1)
    data = bytes(SIZE)
    for _ in range(BURSTS):
        for _ in range(DATAGRAMS):
            transport.sendto(data)
        await asyncio.sleep(0.002)
    transport.close()


def forwarding() -> float:
    """UDP through eight routers in virtual time, both ends included: frame-hops/CPU s."""
    from netsim import Network, run

    arrived = 0

    async def main() -> None:
        nonlocal arrived
        async with Network(_chain(), time="virtual") as network:
            arrived, _ = await asyncio.gather(
                network["b"].run(count_datagrams, 1.0), network["a"].run(send_datagrams)
            )

    began = time.process_time()
    run(main())
    took = time.process_time() - began
    assert arrived == DATAGRAMS * BURSTS + 1, f"{arrived} datagrams arrived"
    return HOPS * arrived / took


async def request_often(url: str, count: int) -> int:
    """Runs on a computer: requests one after another on one connection; how many were right."""
    import aiohttp

    done = 0
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            async with session.get(url) as response:
                await response.read()
                done += response.status == 200
    return done


def virtual_requests() -> float:
    """HTTP by aiohttp over the campus in virtual time: requests/CPU s."""
    from netsim import Network, run

    done = 0

    async def main() -> None:
        nonlocal done
        async with Network(CAMPUS, time="virtual") as network:
            each = VIRTUAL_REQUESTS // 2
            done = sum(
                await asyncio.gather(
                    network["alice"].run(request_often, "http://web/bytes/20000", each),
                    network["bob"].run(request_often, "http://web/bytes/20000", each),
                )
            )

    began = time.process_time()
    run(main())
    took = time.process_time() - began
    assert done == VIRTUAL_REQUESTS, f"{done} requests were answered"
    return done / took


# Real time: a child runs the network, and what it and all its children used is counted


def _become_reaper() -> None:
    """Processes that lose their parent become ours, so that their CPU time is counted."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _cpu_of(work: Callable[[], None]) -> float:
    """CPU seconds of `work` in a child process, with every process that it starts."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 0, "the network of this round did what it should"
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # whoever lost its parent
    return used() - before


def _tree(nodes: int) -> Any:
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


def _run_real(topology: Any, requests: int) -> None:
    from netsim import Network

    async def main() -> None:
        async with Network(topology) as network:
            if requests:
                each = requests // CONNECTIONS
                done = await asyncio.gather(
                    *(
                        network["alice"].run(request_often, "http://web/ip", each)
                        for _ in range(CONNECTIONS)
                    )
                )
                assert sum(done) == each * CONNECTIONS, f"{sum(done)} requests were answered"

    asyncio.run(main())


def setup() -> float:
    """A network of processes from nothing to ready, and ended: nodes/CPU s of all of them."""
    return NODES / _cpu_of(lambda: _run_real(_tree(NODES), 0))


def real_requests() -> float:
    """HTTP by aiohttp from alice to web, ten connections, in processes: requests/CPU s.

    Of all processes together; what starting and ending the campus costs is measured in turn and
    taken off.
    """
    text = CAMPUS.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "campus.yaml"
        file.write_text(text.replace("./site", str(CAMPUS.parent / "site")))
        idle = _cpu_of(lambda: _run_real(file, 0))
        busy = _cpu_of(lambda: _run_real(file, REAL_REQUESTS))
    return REAL_REQUESTS / (busy - idle)


ROWS: dict[str, Callable[[], float]] = {
    "forwarding": forwarding,
    "virtual requests": virtual_requests,
    "real requests": real_requests,
    "set-up": setup,
}


def main() -> None:
    """Measure one row, some rounds, each beside the yardstick."""
    row = ROWS[sys.argv[1]]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    _become_reaper()
    row()  # imports, caches
    before = pure_python()
    for _ in range(rounds):
        gc.collect()
        rate = row()
        after = pure_python()
        print(json.dumps({"rate": rate, "yardstick": (before + after) / 2}), flush=True)
        before = after


if __name__ == "__main__":
    main()
