"""What routers have routes to: subnets, and computers that are nearer to another gateway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from netsim.topology.plan import NetworkPlan, Prefix
from netsim.topology.router_graph import DELAY_UNIT, RouterGraph, Segments
from netsim.topology.shortest_paths import UNREACHED

ALWAYS_UP: Final = -1
"""In the place of a link: what is there over no link."""


class Approach(NamedTuple):
    """From a gateway to the switch that computers hang on."""

    router: int
    distance: int
    links: tuple[int, ...]
    """It is there while they are up."""


@dataclass(frozen=True, slots=True)
class Corner:
    """A switch with computers in a subnet with several gateways.

    The computers' own links count for nothing: they are the same, whoever the gateway is.
    """

    attached: tuple[tuple[int, int], ...]
    """As of the subnet (`Destination`)."""
    approaches: tuple[Approach, ...]
    is_main: bool
    """Most computers of the subnet are there: the route to the subnet is that to them."""

    def goals(self, dead: frozenset[int]) -> dict[int, int]:
        """The gateways that stand in the subnet, with their distance to the computers.

        Where nobody reaches those, the subnet begins at its gateways.
        """
        attached = routers_up(self.attached, dead)
        found = {
            approach.router: approach.distance
            for approach in self.approaches
            if approach.links[0] == attached.get(approach.router)
            and dead.isdisjoint(approach.links)
        }
        if not found:
            return dict.fromkeys(attached, 0) if self.is_main else {}
        return dict.fromkeys(attached, UNREACHED) | found


@dataclass(frozen=True, slots=True)
class Destination:
    """A subnet, or one computer in it."""

    prefix: Prefix
    attached: tuple[tuple[int, int], ...]
    """The routers that stand in the subnet, each with the link that it is there over."""
    corner: str = ""
    """The name of the switch whose distances count; empty where each gateway's own do."""
    general: Prefix | None = None
    """The subnet of a computer: it needs no route of its own where that to it is as good."""


def routers_up(attached: Iterable[tuple[int, int]], dead: frozenset[int]) -> dict[int, int]:
    """The routers that stand somewhere over links that are up.

    Each with the first of its links there, over which it sends what is for the subnet.
    """
    found: dict[int, int] = {}
    for router, link in attached:
        if link not in dead:
            found.setdefault(router, link)
    return found


def find_destinations(
    plan: NetworkPlan, graph: RouterGraph
) -> tuple[dict[Prefix, Destination], dict[str, Corner]]:
    """All of them by prefix, every subnet before its computers, and the corners by switch."""
    attached: dict[Prefix, list[tuple[int, int]]] = {}
    for index, router in enumerate(graph.routers):
        for interface in router.interfaces:
            for address, length in interface.addresses:
                attached.setdefault(subnet(address, length), []).append((index, interface.link))
        for address in router.loopback:
            own = address, len(address) * 8
            attached.setdefault(own, []).append((index, ALWAYS_UP))
    shared = {
        prefix for prefix, ends in attached.items() if len({router for router, _ in ends}) > 1
    }
    computers = _computers(plan, shared)
    approaches = _approaches(plan, graph) if computers else {}
    destinations: dict[Prefix, Destination] = {}
    corners: dict[str, Corner] = {}
    for prefix, ends in attached.items():
        at = computers.get(prefix, {})
        main = max(at, key=lambda switch: len(at[switch]), default="")
        destinations[prefix] = Destination(prefix, tuple(ends), main)
        for switch, addresses in at.items():
            corners[switch] = Corner(tuple(ends), tuple(approaches.get(switch, ())), switch == main)
            if switch != main:
                for address in addresses:
                    own = address, len(address) * 8
                    destinations[own] = Destination(own, tuple(ends), switch, prefix)
    return destinations, corners


def subnet(address: bytes, length: int) -> Prefix:
    """The prefix of an address."""
    bits = len(address) * 8 - length
    return (int.from_bytes(address, "big") >> bits << bits).to_bytes(len(address), "big"), length


def _computers(plan: NetworkPlan, shared: set[Prefix]) -> dict[Prefix, dict[str, list[bytes]]]:
    """Of each subnet with several gateways: by switch, who hangs on it."""
    found: dict[Prefix, dict[str, list[bytes]]] = {}
    for node in plan.nodes:
        for interface in () if node.traits.forwards else node.interfaces:
            for address, length in interface.addresses:
                prefix = subnet(address, length)
                if prefix in shared and plan.node(interface.peer).traits.bridges:
                    at = found.setdefault(prefix, {})
                    at.setdefault(interface.peer, []).append(address)
    return found


def _approaches(plan: NetworkPlan, graph: RouterGraph) -> dict[str, list[Approach]]:
    """By switch: the ways from routers to it."""
    segments = Segments(plan)
    found: dict[str, list[Approach]] = {}
    for index, router in enumerate(graph.routers):
        for interface in router.interfaces:
            for switch, delay, links in segments.switches_beyond(interface):
                approach = Approach(index, delay * DELAY_UNIT, links)
                found.setdefault(switch, []).append(approach)
    return found
