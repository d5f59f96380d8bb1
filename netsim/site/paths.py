"""Which way packets go: a path that follows from the plan and what is down, as traceroute would
find it."""

from __future__ import annotations

from functools import partial

from netsim.aio.hosts_table import HostsTable
from netsim.topology.plan import InterfacePlan, NetworkPlan, NextHop, NodePlan
from netsim.topology.routes import Routing, subnet
from netsim.wire.address import IpAddress, network_of


class PathFinder:
    """Follows a packet from node to node, and through switches in between.

    What a router does with a packet is computed when a path is asked for, by the same code that
    fills the routers' tables, and is kept until the next change.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._nodes = {node.name: node for node in plan.nodes}
        self._owners = {
            interface.address: (node.name, interface)
            for node in plan.nodes
            for interface in node.interfaces
            if interface.address is not None
        }
        self._dead: frozenset[int] = frozenset()
        self._routing: Routing | None = None

    def set_dead(self, links: frozenset[int]) -> None:
        """From now on these links are down, and no others."""
        self._dead = links
        if self._routing is not None:
            self._routing.set_dead(links)

    def owner(self, address: IpAddress) -> str | None:
        """The node that has an address."""
        owner = self._owners.get(address)
        return None if owner is None else owner[0]

    def hosts_table_of(self, name: str) -> HostsTable:
        """What names mean at this node."""
        return HostsTable(self._plan.hosts, nearest=partial(self.nearest, name), owner=self.owner)

    def nearest(self, asker: str, address: IpAddress) -> IpAddress:
        """Of all addresses of the node that has `address`, the one that takes the fewest hops.

        So a name is of use to a neighbour on another cable, and survives the node's first link.
        Where no address can be reached it is `address` itself.
        """
        owner = self.owner(address)
        if owner is None or owner == asker:
            return address
        if len(self._nodes[owner].interfaces) == 1:
            return address
        own, choices = self._live_addresses(asker), self._live_addresses(owner)
        for choice, _ in choices:
            if any(_within(choice, source, length) for source, length in own):
                return choice
        ways = [
            (len(way), choice)
            for choice, _ in choices
            for source, _ in own[:1]
            if (way := self.path(source, choice)) is not None
        ]
        return min(ways, key=lambda each: each[0], default=(0, address))[1]

    def _live_addresses(self, node: str) -> list[tuple[IpAddress, int]]:
        """Of interfaces whose link is up, each with the length of its prefix."""
        return [
            (each.address, each.prefix_length)
            for each in self._nodes[node].interfaces
            if each.address is not None and each.link not in self._dead
        ]

    def path(self, source: IpAddress, destination: IpAddress) -> list[str] | None:
        """Names of the nodes from one address to another, both included; None without a way."""
        here, end = self.owner(source), self.owner(destination)
        if here is None or end is None:
            return None
        names = [here]
        while here != end:
            hop = self._next_hop(self._nodes[here], destination)
            following = self.owner(hop[0]) if hop is not None else None
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
        interfaces = {
            interface.name: interface
            for interface in node.interfaces
            if interface.link not in self._dead
        }
        best, hop = -1, None
        for interface in interfaces.values():
            if (
                interface.address is not None
                and interface.prefix_length > best
                and _within(destination, interface.address, interface.prefix_length)
            ):
                best, hop = interface.prefix_length, (destination, interface)
        for route in node.routes:
            if (
                # A router's other routes are those of the intact network.
                (route.given or not node.traits.forwards)
                and route.prefix_length > best
                and route.interface in interfaces
                and _within(destination, route.prefix, route.prefix_length)
            ):
                best, hop = route.prefix_length, (route.gateway, interfaces[route.interface])
        if node.traits.forwards:
            _, at = self._owners[destination]
            if at.prefix_length > best:
                derived = self._derived(node.name, at)
                if derived is not None and derived[1] in interfaces:
                    hop = derived[0], interfaces[derived[1]]
        return hop

    def _derived(self, router: str, end: InterfacePlan) -> NextHop | None:
        if self._routing is None:
            self._routing = Routing(self._plan)
            self._routing.set_dead(self._dead)
        assert end.address is not None, "found by it"
        return self._routing.next_hop(router, subnet(end.address, end.prefix_length))

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
