"""How fast virtual time goes, on one core: frames × hops per second of CPU time.

Beside it, in the same run, packet objects × hops of ns.py on simpy, and simpy's bare events.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import simpy
from ns.packet.dist_generator import DistPacketGenerator
from ns.packet.sink import PacketSink
from ns.port.port import Port
from ns.port.wire import Wire
from virtual_workloads import HOPS, chain, request_often

from netsim import Network, make_plan, run
from netsim.core.time import MILLISECOND, SECOND

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from memory_network import MemoryNetwork  # noqa: E402

SIZE = 1000
"""Bytes of a packet."""
CAMPUS = ROOT / "topologies" / "campus.yaml"


def delivered(network: MemoryNetwork) -> int:
    """Frames × hops so far; every one of them is accounted for."""
    for account in network.accounts().values():
        account.check()
    return sum(account.delivered for account in network.accounts().values())


def forwarding() -> float:
    """UDP datagrams through the chain: frame-hops/s."""
    network = MemoryNetwork(make_plan(chain()))
    destination = (network.plan.hosts["b"], 6000)
    sender = network.host("a").udp.bind(None, 5000)
    receiver = network.host("b").udp.bind(None, 6000)
    began = time.process_time()
    for _ in range(100):
        for _ in range(100):
            sender.send(bytes(SIZE), destination, network.now)
        network.run_for(2 * MILLISECOND)
        while receiver.receive() is not None:
            pass
    network.run_for(SECOND)
    return delivered(network) / (time.process_time() - began)


def tcp() -> float:
    """One TCP connection in bulk through the chain, checksums and all: frame-hops/s."""
    network = MemoryNetwork(make_plan(chain()))
    listener = network.host("b").tcp.listen(None, 80)
    client = network.host("a").tcp.connect((network.plan.hosts["b"], 80), network.now)
    network.run_for(SECOND)
    server = listener.accept()
    assert server is not None, "a second is enough to connect"
    chunk = bytes(256 * 1024)
    left, arrived = 40, 0
    began, before = time.process_time(), delivered(network)
    while arrived < 40 * len(chunk):
        if left and client.buffered_bytes < 4 * len(chunk):
            client.send(chunk)
            left -= 1
        network.run_for(5 * MILLISECOND)
        arrived += len(server.receive())
    return (delivered(network) - before) / (time.process_time() - began)


def ns_py() -> float:
    """The same chain of ports and wires in ns.py: packets × hops/s, no bytes, no protocols."""
    environment = simpy.Environment()
    source = DistPacketGenerator(
        environment, "source", lambda: 0.00002, lambda: SIZE, finish=0.2, flow_id=0
    )
    before: Any = source
    for hop in range(HOPS):
        port = Port(environment, 1e9, qlimit=1000, element_id=hop)
        wire = Wire(environment, lambda: 0.001, wire_id=hop)
        before.out = port
        port.out = wire
        before = wire
    before.out = sink = PacketSink(environment)
    began = time.process_time()
    environment.run(until=1)
    took = time.process_time() - began
    return HOPS * sum(sink.packets_received.values()) / took


def simpy_events() -> float:
    """Nothing but a process for each packet, which waits once for each hop: events/s."""
    environment = simpy.Environment()

    def packet() -> Any:
        for _ in range(HOPS):
            yield environment.timeout(0.001)

    def source() -> Any:
        for _ in range(10_000):
            environment.process(packet())
            yield environment.timeout(0.00002)

    environment.process(source())
    began = time.process_time()
    environment.run()
    return HOPS * 10_000 / (time.process_time() - began)


async def _shopper(number: int) -> int:
    """59 requests, ten seconds apart."""
    await asyncio.sleep(number)
    return await request_often("http://web/bytes/20000", 59, pause=10)


def ten_minutes() -> float:
    """Wall seconds for ten minutes of four clients over the campus, 236 requests by aiohttp."""
    requests = 0

    async def main() -> None:
        nonlocal requests
        async with Network(CAMPUS, time="virtual") as network:
            clients = [
                network[name].run(_shopper, number)
                for number, name in enumerate(("alice", "bob", "alice", "bob"))
            ]
            requests = sum(await asyncio.gather(*clients))
            await asyncio.sleep((600 * SECOND - network.now()) / SECOND)

    began = time.perf_counter()
    run(main())
    took = time.perf_counter() - began
    assert requests == 236, "every one was answered"
    return took


MEASURED: dict[str, Callable[[], float]] = {
    "forwarding frame-hops/s": forwarding,
    "ns.py packet-hops/s": ns_py,
    "TCP frame-hops/s": tcp,
    "simpy events/s": simpy_events,
    "10 min, 236 requests: s": ten_minutes,
}


def measure_virtual(rounds: int) -> dict[str, Any]:
    """Each in turn, `rounds` times."""
    seen: dict[str, list[float]] = {name: [] for name in MEASURED}
    for _ in range(rounds):
        for name, measure in MEASURED.items():
            seen[name].append(measure())
    results = {name: sorted(values)[len(values) // 2] for name, values in seen.items()}
    ratios = sorted(
        ours / theirs
        for ours, theirs in zip(
            seen["forwarding frame-hops/s"], seen["ns.py packet-hops/s"], strict=True
        )
    )
    return {**results, "forwarding against ns.py": ratios[len(ratios) // 2]}
