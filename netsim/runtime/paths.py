"""Which way packets go: a path read from the routing tables, as traceroute would find it."""

from __future__ import annotations

from collections import deque

from netsim.topology.plan import NetworkPlan, NodePlan, RoutePlan
from netsim.wire.address import IpAddress, network_of


class PathFinder:
    """Follows a packet through the tables of all nodes, and through switches in between.

    `routes` holds the tables in force, by node; replace it when they change.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        self._nodes = {node.name: node for node in plan.nodes}
        self._owners = {
            interface.address: node.name
            for node in plan.nodes
            for interface in node.interfaces
            if interface.address is not None
        }
        self.routes: dict[str, tuple[RoutePlan, ...]] = {
            node.name: node.routes for node in plan.nodes
        }

    def owner(self, address: IpAddress) -> str | None:
        """The node that has an address."""
        return self._owners.get(address)

    def path(self, source: IpAddress, destination: IpAddress) -> list[str] | None:
        """Names of the nodes from one address to another, both included; None without a way."""
        here = self._owners.get(source)
        end = self._owners.get(destination)
        if here is None or end is None:
            return None
        names = [here]
        while here != end:
            next_hop = self._next_hop(self._nodes[here], destination)
            following = self._owners.get(next_hop) if next_hop is not None else None
            between = self._segment(here, following) if following is not None else None
            if following is None or between is None or following in names:
                return None
            names += [*between, following]
            here = following
        return names

    def _next_hop(self, node: NodePlan, destination: IpAddress) -> IpAddress | None:
        # A route to a subnet of its own is there only while that cable is cut: it goes first.
        best, gateway = -1, None
        for route in self.routes[node.name]:
            if route.prefix_length > best and _within(
                destination, route.prefix, route.prefix_length
            ):
                best, gateway = route.prefix_length, route.gateway
        for interface in node.interfaces:
            if (
                interface.address is not None
                and interface.prefix_length > best
                and _within(destination, interface.address, interface.prefix_length)
            ):
                return destination
        return gateway

    def _segment(self, start: str, end: str) -> list[str] | None:
        """The switches between two neighbours on one segment, by breadth-first search."""
        came_from: dict[str, str] = {start: ""}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            if here == end:
                between = []
                while (here := came_from[here]) != start and here:
                    between.append(here)
                return between[::-1]
            if here != start and self._nodes[here].kind != "switch":
                continue
            for interface in self._nodes[here].interfaces:
                if interface.peer not in came_from:
                    came_from[interface.peer] = here
                    waiting.append(interface.peer)
        return None


def _within(address: IpAddress, prefix: IpAddress, prefix_length: int) -> bool:
    return network_of(address, prefix_length) == network_of(prefix, prefix_length)
