"""How long answers take on the reference path, beside Linux 6.18 on the same."""

from __future__ import annotations

import networkx
import pytest
from memory_network import MemoryNetwork

from netsim import make_plan
from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.tcp_socket import TcpSocket

PORT = 80


def path(congestion: str, mbit: float, rtt_ms: float, queue: int) -> MemoryNetwork:
    """server - s1 - r1 - r2 - s2 - client, with the bottleneck between the routers."""
    graph: networkx.Graph[str] = networkx.path_graph(["server", "s1", "r1", "r2", "s2", "client"])
    kinds = {"server": "computer", "client": "computer", "s1": "switch", "s2": "switch"}
    for name in graph:
        graph.nodes[name]["kind"] = kinds.get(name, "router")
    graph.nodes["server"]["congestion"] = congestion
    for ends in graph.edges:
        graph.edges[ends].update(delay=f"{rtt_ms / 40}ms", bandwidth="1gbit")
    bottleneck = {"delay": f"{rtt_ms * 0.4}ms", "bandwidth": f"{mbit}mbit", "queue": queue}
    graph.edges["r1", "r2"].update(bottleneck)
    graph.graph.update(name="path", seed=1)
    return MemoryNetwork(make_plan(graph))


def get(network: MemoryNetwork, octets: int) -> tuple[float, TcpCounters]:
    """ms from the SYN to the last octet of the answer, and what the server counted."""
    listener = network.host("server").tcp.listen(None, PORT)
    address = network.plan.hosts["server"], PORT
    network.host("client").tcp.connect(address, network.now).close()  # MAC addresses are asked for
    network.run_for(SECOND)
    start = network.now
    client = network.host("client").tcp.connect(address, start)
    client.send(b"GET / HTTP/1.1\r\nHost: server\r\nAccept: */*\r\n\r\n")
    server: TcpSocket | None = None
    written = arrived = 0
    while arrived < octets:
        network.flush()
        network.run_for(100 * MICROSECOND)
        server = server or listener.accept()
        if server is not None and (written or server.receive()):
            size = min(octets - written, max(server.send_room, 0))
            if size:
                server.send(bytes(size))
                written += size
        arrived += len(client.receive())
        assert network.now - start < 30 * SECOND
    return (network.now - start) / MILLISECOND, network.host("server").tcp.counters


@pytest.mark.parametrize(
    ("congestion", "mbit", "octets", "linux_ms"),
    [
        ("cubic", 10, 1_000, 43.1),
        ("cubic", 10, 102_400, 135),
        ("cubic", 10, 1_000_000, 888),
        ("cubic", 100, 10_000, 42.6),
        ("cubic", 100, 102_400, 103.6),
        ("cubic", 100, 1_000_000, 190),
        ("reno", 100, 1_000_000, 209),
    ],
)
def test_an_answer_takes_as_long_as_from_linux(
    congestion: str, mbit: float, octets: int, linux_ms: float
) -> None:
    elapsed, _ = get(path(congestion, mbit, 20, 100), octets)
    assert elapsed == pytest.approx(linux_ms, rel=0.05)


@pytest.mark.parametrize("congestion", ["cubic", "reno"])
@pytest.mark.parametrize("octets", range(800_000, 1_200_001, 100_000))
def test_what_slow_start_loses_is_mended_without_the_timer(congestion: str, octets: int) -> None:
    """RFC 6675's NextSeg (3) is for this; RACK does without."""
    _, counters = get(path(congestion, 100, 20, 100), octets)
    assert counters.timeouts == 0


@pytest.mark.parametrize("mbit", [10, 20])
@pytest.mark.parametrize("rtt_ms", [10, 40])
@pytest.mark.parametrize("queue", [20, 100])
def test_a_full_queue_is_mended_without_the_timer(mbit: float, rtt_ms: float, queue: int) -> None:
    _, counters = get(path("reno", mbit, rtt_ms, queue), 2_000_000)
    assert counters.timeouts == 0
