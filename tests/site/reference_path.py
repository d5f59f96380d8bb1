"""The path on which our TCP is held against those of Linux and of ns-3, in memory.

sender – s1 – r1 – r2 – s2 – receiver: a round trip of 20 ms, of which 8 ms one way are the
bottleneck's between the routers, with a queue of 100 packets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import networkx
from memory_network import MemoryNetwork

from netsim import make_plan
from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.stack.tcp.view import ConnectionView, view_connection

PORT: Final = 80
_BUFFER: Final = 4 << 20
_CHUNK: Final = bytes(64 * 1024)
_STEP: Final = 5 * MILLISECOND
"""The sender's program looks so often whether more may be written."""


def path(
    congestion: str,
    mbit: float,
    *,
    rtt_ms: float = 20,
    queue: Any = 100,
    loss: float = 0,
    seed: int = 1,
) -> MemoryNetwork:
    """`loss` is in percent, of what goes from the sender to the receiver."""
    graph: networkx.Graph[str] = networkx.path_graph(["sender", "s1", "r1", "r2", "s2", "receiver"])
    kinds = {"sender": "computer", "receiver": "computer", "s1": "switch", "s2": "switch"}
    for name in graph:
        graph.nodes[name]["kind"] = kinds.get(name, "router")
    graph.nodes["sender"]["congestion"] = congestion
    for ends in graph.edges:
        graph.edges[ends].update(delay=f"{rtt_ms / 40}ms", bandwidth="1gbit")
    graph.edges["r1", "r2"].update(
        delay=f"{rtt_ms * 0.4}ms",
        bandwidth=f"{mbit}mbit",
        egress={"r1": {"loss": f"{loss}%", "queue": queue}},
    )
    graph.graph.update(name="path", seed=seed)
    return MemoryNetwork(make_plan(graph))


class Transfer:
    """One connection over the path whose sender always has something to send."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        listener = network.host("receiver").tcp.listen(None, PORT)
        address = network.plan.hosts["receiver"], PORT
        self._client = network.host("sender").tcp.connect(address, network.now)
        server = None
        while server is None:  # the SYN may be lost
            network.run_for(SECOND)
            server = listener.accept()
        self._server = server

    def view(self) -> ConnectionView:
        """The sender's connection."""
        return view_connection(self._client)

    def run(self, duration: int, each_step: Callable[[], None] = lambda: None) -> int:
        """How many octets arrive within `duration` ns; `each_step` is called every 5 ms."""
        network, arrived = self.network, 0
        end = network.now + duration
        while network.now < end:
            while self._client.buffered_bytes < _BUFFER:
                self._client.send(_CHUNK)
            network.flush()
            network.run_for(_STEP)
            arrived += len(self._server.receive())
            network.flush()
            each_step()
        return arrived


def get(network: MemoryNetwork, octets: int) -> tuple[float, TcpCounters]:
    """ms from the SYN to the last octet of an answer over HTTP, which goes from the sender to the
    receiver, and what the sender counted."""
    listener = network.host("sender").tcp.listen(None, PORT)
    address = network.plan.hosts["sender"], PORT
    network.host("receiver").tcp.connect(address, network.now).close()  # MACs are asked for
    network.run_for(SECOND)
    start = network.now
    client = network.host("receiver").tcp.connect(address, start)
    client.send(b"GET / HTTP/1.1\r\nHost: sender\r\nAccept: */*\r\n\r\n")
    server: TcpSocket | None = None
    written = arrived = 0
    while arrived < octets:
        network.flush()
        network.run_for(100 * MICROSECOND)
        server = server or listener.accept()
        if server is not None and (written or server.receive()):
            size = min(octets - written, server.send_room) if server.makes_room() else 0
            if size:
                server.send(bytes(size))
                written += size
        arrived += len(client.receive())
        assert network.now - start < 30 * SECOND
    return (network.now - start) / MILLISECOND, network.host("sender").tcp.counters
