"""`gateway` and `routes` of a node, in a person's words, as routes of its interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from netsim.topology.checked_topology import End, GivenRoute, Layout, Node
from netsim.topology.findings import Findings
from netsim.topology.plan import RoutePlan


def resolve_given_routes(
    layout: Layout, addresses: Mapping[End, Sequence[tuple[bytes, int]]], findings: Findings
) -> dict[str, tuple[RoutePlan, ...]]:
    """Routes by node. Next hops that no machine would take are reported.

    Those that take packets and lead nowhere are doubtful: students are shown what happens then.

    `addresses` are all of an interface, each with the length of its prefix.
    """
    if not any(node.given_routes for node in layout.nodes.values()):
        return {}
    hops = _NextHops(layout, addresses, findings)
    found: dict[str, tuple[RoutePlan, ...]] = {}
    for node in layout.nodes.values():
        routes: dict[tuple[bytes, int], RoutePlan] = {}
        for given in node.given_routes:
            route = hops.resolve(node, given)
            if isinstance(route, str):
                findings.report(given.path, route)
            elif (given.prefix, given.prefix_length) in routes:
                message = "there are two routes to one place; keep one of them"
                findings.report(given.path, message)
            else:
                routes[given.prefix, given.prefix_length] = route
        if routes:
            found[node.name] = tuple(routes.values())
    return found


class _NextHops:
    """Who has which address, and which of them a node reaches without a router."""

    def __init__(
        self,
        layout: Layout,
        addresses: Mapping[End, Sequence[tuple[bytes, int]]],
        findings: Findings,
    ) -> None:
        self._layout = layout
        self._addresses = addresses
        self._findings = findings
        self._interfaces = layout.interfaces()
        self._owners = {address: end.node for end, own in addresses.items() for address, _ in own}
        self._held: dict[str, list[bytes]] = {}
        """Addresses by node."""
        for address, name in self._owners.items():
            self._held.setdefault(name, []).append(address)
        self._routers_in: dict[IPv4Network, list[tuple[str, bytes]]] = {}
        for end, own in addresses.items():
            if layout.nodes[end.node].traits.forwards:
                for each in own:
                    subnet = IPv4Network(each, strict=False)
                    self._routers_in.setdefault(subnet, []).append((end.node, each[0]))

    def resolve(self, node: Node, route: GivenRoute) -> RoutePlan | str:
        """The route, or what is wrong with it."""
        nodes = self._layout.nodes
        if isinstance(route.via, str) and route.via not in nodes:
            return f"there is no node `{route.via}`; {self._findings.suggest(route.via, nodes)}"
        hops = [route.via] if isinstance(route.via, bytes) else self._held.get(route.via, [])
        for interface, subnet in self._subnets_of(node):
            for hop in hops:
                if IPv4Address(hop) in subnet:
                    if (mistake := self._mistake_in(node, hop, subnet)) is not None:
                        return f"{mistake}; {self._write_neighbour(node)}"
                    if (doubt := self._doubt_about(hop)) is not None:
                        self._findings.warn(
                            route.path,
                            f"{doubt}, so nothing gets through there; "
                            f"{self._write_neighbour(node)}, unless that is meant",
                        )
                    return RoutePlan(route.prefix, route.prefix_length, hop, interface, given=True)
        shown = route.via if isinstance(route.via, str) else IPv4Address(route.via)
        return f"`{shown}` is in no subnet of `{node.name}`; {self._write_neighbour(node)}"

    def _mistake_in(self, node: Node, hop: bytes, subnet: IPv4Network) -> str | None:
        """Why no machine would take the route; Linux calls these an invalid gateway."""
        address = IPv4Address(hop)
        if self._owners.get(hop) == node.name:
            return f"{address} is `{node.name}` itself"
        if subnet.prefixlen < 31 and address in (subnet[0], subnet[-1]):
            which = "network" if address == subnet[0] else "broadcast address"
            return f"{address} is the {which} of {subnet}, not a machine in it"
        return None

    def _doubt_about(self, hop: bytes) -> str | None:
        owner = self._owners.get(hop)
        if owner is None:
            return f"no node has the address {IPv4Address(hop)}"
        if not self._layout.nodes[owner].traits.forwards:
            return f"`{owner}` is a computer and forwards nothing"
        return None

    def _subnets_of(self, node: Node) -> list[tuple[str, IPv4Network]]:
        return [
            (interface, IPv4Network(address, strict=False))
            for interface in self._interfaces[node.name]
            for address in self._addresses[End(node.name, interface)]
        ]

    def _write_neighbour(self, node: Node) -> str:
        for _, subnet in self._subnets_of(node):
            for owner, address in self._routers_in.get(subnet, ()):
                if owner != node.name:
                    shown = IPv4Address(address)
                    return f"write `{owner}`, whose address there is {shown}"
        return "write a router that shares a link or switch with it"
