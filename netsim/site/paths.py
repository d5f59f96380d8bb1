"""Which way packets go: a path read from the routing tables, as traceroute would find it."""

from __future__ import annotations

from netsim.topology.plan import InterfacePlan, NetworkPlan, NodePlan, RoutePlan
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
            hop = self._next_hop(self._nodes[here], destination)
            following = self._owners.get(hop[0]) if hop is not None else None
            if hop is None or following is None or following in names:
                return None
            between = self._switches(hop[1], following)
            if between is None:
                return None
            names += [*between, following]
            here = following
        return names

    def _next_hop(
        self, node: NodePlan, destination: IpAddress
    ) -> tuple[IpAddress, InterfacePlan] | None:
        """The next hop's address, and the interface through which the packet leaves."""
        interfaces = {interface.name: interface for interface in node.interfaces}
        best, hop = -1, None
        # A route to a subnet of its own is there only while that cable is cut: it goes first.
        for route in self.routes[node.name]:
            if route.prefix_length > best and _within(
                destination, route.prefix, route.prefix_length
            ):
                best, hop = route.prefix_length, (route.gateway, interfaces[route.interface])
        for interface in node.interfaces:
            if (
                interface.address is not None
                and interface.prefix_length > best
                and _within(destination, interface.address, interface.prefix_length)
            ):
                best, hop = interface.prefix_length, (destination, interface)
        return hop

    def _switches(self, egress: InterfacePlan, end: str) -> list[str] | None:
        """The switches between an interface and a node on its segment; they form a tree."""
        waiting = [[egress]]
        for way in waiting:
            peer = self._nodes[way[-1].peer]
            if peer.name == end:
                return [interface.peer for interface in way[:-1]]
            if peer.traits.bridges:
                arrived_by = way[-1].link
                waiting += [[*way, on] for on in peer.interfaces if on.link != arrived_by]
        return None


def _within(address: IpAddress, prefix: IpAddress, prefix_length: int) -> bool:
    return network_of(address, prefix_length) == network_of(prefix, prefix_length)
