"""The cables of a network of processes: two wires each, made here and handed to both ends."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from netsim.realtime.wire import WireQueue
from netsim.topology.plan import NetworkPlan

Ends = tuple[WireQueue, WireQueue]
"""Of one cable as one of its nodes has it: the wire to receive from, and the wire to send on."""


class Cabling:
    """Whoever is given ends closes this process's copies of them when they have been handed on."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._half_connected: dict[int, Ends] = {}
        """Cables that one of two nodes that start has got, as the other will have them."""

    def first_ends(self, node: str) -> Iterator[Ends]:
        """When a node starts with the network: at each of its interfaces, in order."""
        for interface in self._plan.node(node).interfaces:
            ends = self._half_connected.pop(interface.link, None)
            if ends is None:
                ends = inbound, outbound = WireQueue(), WireQueue()
                self._half_connected[interface.link] = outbound, inbound
            yield ends

    def new_ends(self, link: int) -> Iterator[tuple[str, str, list[int]]]:
        """When both nodes of a link are up: node, interface, and the descriptors for it."""
        plan = self._plan.links[link]
        inbound, outbound = WireQueue(), WireQueue()
        for (node, interface), ends in (
            (plan.a, (inbound, outbound)),
            (plan.b, (outbound, inbound)),
        ):
            yield node, interface, [os.dup(descriptor) for descriptor in descriptors(ends)]
            close(ends)

    def close(self) -> None:
        """Close what was never handed out."""
        for ends in self._half_connected.values():
            close(ends)
        self._half_connected.clear()


def descriptors(ends: Ends) -> list[int]:
    """Of the two ends at one node: receiving, sending."""
    inbound, outbound = ends
    return [inbound.reader_fileno, outbound.writer_fileno]


def close(ends: Ends) -> None:
    """Close this process's copies of them."""
    inbound, outbound = ends
    inbound.close_reader()
    outbound.close_writer()


def raise_descriptor_limit() -> None:
    """Each node costs the supervisor a channel, and each link four ends while it is made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
