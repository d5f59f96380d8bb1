"""ECN from end to end: hosts that agree to it, and a queue that marks what it would drop."""

from __future__ import annotations

from typing import Any

import networkx
import pytest
from memory_network import MemoryNetwork

from netsim import make_plan
from netsim.core.time import MILLISECOND, SECOND

CODEL = {"codel": {"ecn": True}}
FQ_CODEL: Any = {"fq_codel": {}}
RED = {"red": {"ecn": True}}


def path(queue: Any, **ecn: bool) -> MemoryNetwork:
    """a - r1 - r2 - b, with 10 Mbit/s between the routers and 20 ms there and back."""
    graph: networkx.Graph[str] = networkx.path_graph(["a", "r1", "r2", "b"])
    for name in graph:
        graph.nodes[name]["kind"] = "router" if name.startswith("r") else "computer"
    for name, wanted in ecn.items():
        graph.nodes[name]["ecn"] = wanted
    for ends in graph.edges:
        graph.edges[ends].update(delay="1ms", bandwidth="1gbit")
    graph.edges["r1", "r2"].update(delay="8ms", bandwidth="10mbit", queue=queue)
    graph.graph.update(name="ecn", seed=1)
    return MemoryNetwork(make_plan(graph))


def transfer(network: MemoryNetwork, octets: int) -> int:
    """Time in ns that so much takes from a to b."""
    listener = network.host("b").tcp.listen(None, 80)
    client = network.host("a").tcp.connect((network.plan.hosts["b"], 80), network.now)
    network.run_for(100 * MILLISECOND)
    server = listener.accept()
    assert server is not None
    start = network.now
    arrived = sent = 0
    while arrived < octets:
        while sent < octets and client.buffered_bytes < 1 << 20:
            client.send(bytes(50_000))
            sent += 50_000
        network.flush()
        network.run_for(5 * MILLISECOND)
        arrived += len(server.receive())
        assert network.now - start < 60 * SECOND
    return network.now - start


@pytest.mark.parametrize("queue", [CODEL, FQ_CODEL, RED], ids=["codel", "fq_codel", "red"])
def test_marks_instead_of_losses(queue: Any) -> None:
    network = path(queue, a=True)
    elapsed = transfer(network, 5_000_000)
    counters = network.port("r1", "eth1").egress.counters
    sender = network.host("a").tcp.counters
    assert counters.marked >= 5
    assert sum(counters.dropped.values()) == 0
    assert sender.retransmissions == 0
    assert 5 <= sender.congestion_echoes <= counters.marked
    assert 5_000_000 * 8 / (elapsed / SECOND) > 7_500_000


@pytest.mark.parametrize(
    "ecn", [{}, {"b": True}, {"a": True, "b": False}], ids=["left out", "at the server", "refused"]
)
def test_whoever_opens_a_connection_has_to_offer_it_and_the_peer_to_agree(
    ecn: dict[str, bool],
) -> None:
    network = path(CODEL, **ecn)
    transfer(network, 5_000_000)
    counters = network.port("r1", "eth1").egress.counters
    assert counters.marked == 0
    assert sum(counters.dropped.values()) >= 5
    assert network.host("a").tcp.counters.retransmissions >= 5
