"""Starts and ends a small node in the zygote, some times over, before the first one is forked.

When code runs for the first times the interpreter writes: what it has looked up goes into caches,
and bytecode is rewritten for the types that it meets. Each node would do that on copies of its own
of pages that it shares with the zygote otherwise. Rehearsed, it is done once, for all of them.
"""

from __future__ import annotations

import gc
import socket
import time
from typing import Final

from netsim.core.link_attributes import LinkAttributes
from netsim.realtime.blueprint import Blueprint
from netsim.realtime.encoding import encode
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.shared_counters import new_memory
from netsim.realtime.site_process import SiteProcess
from netsim.site.messages import Boot, Stop
from netsim.topology.kinds import DEFAULT_KIND
from netsim.topology.plan import InterfacePlan, LinkPlan, NetworkPlan, NodePlan, RoutePlan

_TIMES: Final = 10
"""CPython 3.11 specialises bytecode from the eighth call on; later versions from the second."""


def rehearse() -> None:
    """Leaves nothing but what the interpreter has learnt. No event loop may run in this thread."""
    blueprint = Blueprint(_small_plan(), NetworkClock(time.monotonic_ns()))
    gc.freeze()
    for _ in range(_TIMES):
        _start_and_end(blueprint)
    gc.collect()  # of the rehearsal only: all else is frozen


def _start_and_end(blueprint: Blueprint) -> None:
    supervisor, channel = socket.socketpair()
    wires = [socket.socketpair() for _ in range(2)]
    node = blueprint.plan.nodes[0].name
    process = SiteProcess(blueprint, Boot(node), channel.detach(), new_memory(1), None)
    process.connect([near.detach() for near, _ in wires])
    supervisor.sendall(encode(Stop()))
    process.run()
    process.close()
    for end in (supervisor, *(far for _, far in wires)):
        end.close()


def _small_plan() -> NetworkPlan:
    """Two computers on one cable, each the other's router."""
    ends = [("a", "eth0"), ("b", "eth0")]
    nodes = tuple(
        NodePlan(
            name,
            DEFAULT_KIND,
            (
                InterfacePlan(
                    interface,
                    mac=bytes([2, 0, 0, 0, 0, number]),
                    address=bytes([10, 0, 0, number]),
                    prefix_length=24,
                    link=0,
                    peer=peer,
                    peer_interface=peer_interface,
                    egress=LinkAttributes(),
                ),
            ),
            routes=(RoutePlan(bytes(4), 0, bytes([10, 0, 0, 3 - number]), interface),),
        )
        for number, ((name, interface), (peer, peer_interface)) in enumerate(
            zip(ends, reversed(ends), strict=True), 1
        )
    )
    return NetworkPlan(
        name="rehearsal",
        domain="",
        seed=0,
        file="",
        nodes=nodes,
        links=(LinkPlan(*ends),),
        hosts={},
    )
