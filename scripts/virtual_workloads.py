"""Work in virtual time, in this process: operations for a CPU second (workloads.py)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CAMPUS = Path(__file__).resolve().parent.parent / "topologies" / "campus.yaml"
ROUTERS = 8
HOPS = ROUTERS + 1
SIZE = 1000
"""Bytes of a datagram."""
DATAGRAMS = 100
"""In one burst."""
BURSTS = 50
REQUESTS = 150
BULK = 8 << 20
"""Bytes."""


def chain() -> Any:
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
        async with Network(chain(), time="virtual") as network:
            arrived, _ = await asyncio.gather(
                network["b"].run(count_datagrams, 1.0), network["a"].run(send_datagrams)
            )

    began = time.process_time()
    run(main())
    took = time.process_time() - began
    assert arrived == DATAGRAMS * BURSTS + 1, f"{arrived} datagrams arrived"
    return HOPS * arrived / took


async def request_often(url: str, count: int, pause: float = 0) -> int:
    """Runs on a computer: requests one after another on one connection; how many were right.

    After each there may be a `pause`, in seconds.
    """
    import aiohttp

    done = 0
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            async with session.get(url) as response:
                await response.read()
                done += response.status == 200
            if pause:
                await asyncio.sleep(pause)
    return done


def virtual_requests() -> float:
    """HTTP by aiohttp over the campus in virtual time: requests/CPU s."""
    from netsim import Network, run

    done = 0

    async def main() -> None:
        nonlocal done
        async with Network(CAMPUS, time="virtual") as network:
            each = REQUESTS // 2
            done = sum(
                await asyncio.gather(
                    network["alice"].run(request_often, "http://web/bytes/20000", each),
                    network["bob"].run(request_often, "http://web/bytes/20000", each),
                )
            )

    began = time.process_time()
    run(main())
    took = time.process_time() - began
    assert done == REQUESTS, f"{done} requests were answered"
    return done / took


async def receive_bulk() -> int:
    """Runs on b: how many bytes came on one connection."""
    received = 0
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        while data := await reader.read(256 * 1024):
            received += len(data)
        writer.close()
        over.set()

    server = await asyncio.start_server(serve, "0.0.0.0", 80)
    await over.wait()
    server.close()
    return received


async def send_bulk() -> None:
    """Runs on a."""
    await asyncio.sleep(0.1)
    _, writer = await asyncio.open_connection("b", 80)
    chunk = bytes(256 * 1024)
    for _ in range(BULK // len(chunk)):
        writer.write(chunk)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def bulk() -> float:
    """One TCP connection through eight routers, checksums and all: frame-hops/CPU s, about.

    Counted are data segments of 1448 bytes and an acknowledgement for every second one.
    """
    from netsim import Network, run

    received = 0

    async def main() -> None:
        nonlocal received
        async with Network(chain(), time="virtual") as network:
            received, _ = await asyncio.gather(
                network["b"].run(receive_bulk), network["a"].run(send_bulk)
            )

    began = time.process_time()
    run(main())
    took = time.process_time() - began
    assert received == BULK, f"{received} bytes arrived"
    return HOPS * 1.5 * received / 1448 / took


ROWS: dict[str, Callable[[], float]] = {
    "forwarding": forwarding,
    "virtual TCP": bulk,
    "virtual requests": virtual_requests,
}
