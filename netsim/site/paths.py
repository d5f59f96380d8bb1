"""Which way packets go: a path that follows from the plan and what is down, as traceroute would
find it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from zlib import crc32

from netsim.sockets.hosts_table import HostsTable
from netsim.stack.equal_cost import flow_key, salt_of, weight
from netsim.topology.destinations import subnet
from netsim.topology.plan import InterfacePlan, NetworkPlan, NextHop, NodePlan
from netsim.topology.routing import Routing
from netsim.wire.address import IpAddress, network_of
from netsim.wire.ipv4 import PROTOCOL_ICMP


class PathFinder:
    """Follows a packet from node to node, and through switches in between.

    What a router does with a packet is computed when a path is asked for, by the same code that
    fills the routers' tables, and is kept until the next change.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._nodes = {node.name: node for node in plan.nodes}
        self._owners: dict[IpAddress, tuple[str, InterfacePlan | None, int]] = {}
        """By address: node, interface (None for a loopback address) and length of the prefix."""
        for node in plan.nodes:
            for interface in node.interfaces:
                for address, length in interface.addresses:
                    self._owners[address] = node.name, interface, length
            for address in node.loopback:
                self._owners[address] = node.name, None, len(address) * 8
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
        if len(self._nodes[owner].interfaces) == 1 and not self._nodes[owner].loopback:
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
        """Of interfaces whose link is up, each with the length of its prefix; then loopbacks."""
        live = [
            address
            for each in self._nodes[node].interfaces
            if each.link not in self._dead
            for address in each.addresses
        ]
        return live + [(address, len(address) * 8) for address in self._nodes[node].loopback]

    def path(
        self, source: IpAddress, destination: IpAddress, flow: bytes = b""
    ) -> list[str] | None:
        """Names of the nodes from one address to another, both included; None without a way.

        `flow` says whose way, where several cost the same (`equal_cost.flow_key`): that of a
        ping, unless it is given.
        """
        here, end = self.owner(source), self.owner(destination)
        if here is None or end is None:
            return None
        number = crc32(flow or flow_key(source, destination, PROTOCOL_ICMP))
        names = [here]
        while here != end:
            hop = self._next_hop(self._nodes[here], destination, number)
            following = self._owners.get(hop[0]) if hop is not None else None
            if hop is None or following is None or following[0] in names:
                return None
            assert following[1] is not None, "a neighbour is beyond a link"
            between = self._switches(hop[1], following[0], following[1])
            if between is None:
                return None
            here = following[0]
            names += [*between, here]
        return names

    def _next_hop(
        self, node: NodePlan, destination: IpAddress, flow: int
    ) -> tuple[IpAddress, InterfacePlan] | None:
        """The next hop's address, and the interface through which the packet leaves."""
        interfaces = {
            interface.name: interface
            for interface in node.interfaces
            if interface.link not in self._dead
        }
        best, direct = -1, None
        for interface in interfaces.values():
            for address, prefix_length in interface.addresses:
                if prefix_length > best and _within(destination, address, prefix_length):
                    best, direct = prefix_length, interface
        hops: list[NextHop] = []
        for length, hop in self._routes(node, destination):
            if hop[1] not in interfaces:
                continue
            if length > best:
                best, direct, hops = length, None, [hop]
            elif length == best and direct is None:
                hops.append(hop)
        if direct is not None:
            return destination, direct
        if not hops:
            return None
        name = node.name
        gateway, through = max(hops, key=lambda hop: weight(flow, salt_of(name, hop[1], hop[0])))
        return gateway, interfaces[through]

    def _routes(self, node: NodePlan, destination: IpAddress) -> Iterator[tuple[int, NextHop]]:
        """What its table has for an address besides its own subnets: prefix lengths and hops."""
        given = set()
        for route in node.routes:
            # A router's other routes are those of the intact network.
            if route.given or not node.traits.forwards:
                given.add((route.prefix, route.prefix_length))
                if _within(destination, route.prefix, route.prefix_length):
                    yield route.prefix_length, (route.gateway, route.interface)
        if node.traits.forwards:
            _, _, of_subnet = self._owners[destination]
            for length in dict.fromkeys((of_subnet, len(destination) * 8)):
                prefix = subnet(destination, length)
                if prefix not in given:
                    for hop in self._derived().next_hops(node.name, prefix):
                        yield length, hop

    def _derived(self) -> Routing:
        if self._routing is None:
            self._routing = Routing(self._plan)
            self._routing.set_dead(self._dead)
        return self._routing

    def _switches(self, egress: InterfacePlan, end: str, at: InterfacePlan) -> list[str] | None:
        """The switches between an interface and another on its segment; they form a tree."""
        waiting = [[egress]]
        for way in waiting:
            last = way[-1]
            if (last.peer, last.peer_interface) == (end, at.name):
                return [interface.peer for interface in way[:-1]]
            peer = self._nodes[last.peer]
            if peer.traits.bridges:
                waiting += [[*way, on] for on in peer.interfaces if on.link != last.link]
        return None


def _within(address: IpAddress, prefix: IpAddress, prefix_length: int) -> bool:
    return network_of(address, prefix_length) == network_of(prefix, prefix_length)
