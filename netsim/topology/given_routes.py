"""`gateway` and `routes` of a node, in a person's words, as routes of its interfaces."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

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
    interfaces = layout.interfaces()
    owners = {address: end.node for end, own in addresses.items() for address, _ in own}
    held: dict[str, list[bytes]] = {}
    for address, name in owners.items():
        held.setdefault(name, []).append(address)

    routers_in: dict[ipaddress.IPv4Network, list[tuple[str, bytes]]] = {}
    for end, own in addresses.items():
        if layout.nodes[end.node].traits.forwards:
            for each in own:
                subnet = ipaddress.IPv4Network(each, strict=False)
                routers_in.setdefault(subnet, []).append((end.node, each[0]))

    def resolve(node: Node, route: GivenRoute) -> RoutePlan | str:
        """The route, or what is wrong with it."""
        if isinstance(route.via, str) and route.via not in layout.nodes:
            return f"there is no node `{route.via}`; {findings.suggest(route.via, layout.nodes)}"
        hops = [route.via] if isinstance(route.via, bytes) else held.get(route.via, [])
        for interface, subnet in subnets_of(node):
            for hop in hops:
                if ipaddress.IPv4Address(hop) in subnet:
                    if (mistake := mistake_in_hop(node, hop, subnet)) is not None:
                        return f"{mistake}; {write_neighbour(node)}"
                    if (doubt := doubt_about_hop(hop)) is not None:
                        findings.warn(
                            route.path,
                            f"{doubt}, so nothing gets through there; {write_neighbour(node)}, "
                            "unless that is meant",
                        )
                    return RoutePlan(route.prefix, route.prefix_length, hop, interface, given=True)
        shown = route.via if isinstance(route.via, str) else ipaddress.IPv4Address(route.via)
        return f"`{shown}` is in no subnet of `{node.name}`; {write_neighbour(node)}"

    def mistake_in_hop(node: Node, hop: bytes, subnet: ipaddress.IPv4Network) -> str | None:
        """Why no machine would take the route; Linux calls these an invalid gateway."""
        address = ipaddress.IPv4Address(hop)
        if owners.get(hop) == node.name:
            return f"{address} is `{node.name}` itself"
        if subnet.prefixlen < 31 and address in (subnet[0], subnet[-1]):
            which = "network" if address == subnet[0] else "broadcast address"
            return f"{address} is the {which} of {subnet}, not a machine in it"
        return None

    def doubt_about_hop(hop: bytes) -> str | None:
        owner = owners.get(hop)
        if owner is None:
            return f"no node has the address {ipaddress.IPv4Address(hop)}"
        if not layout.nodes[owner].traits.forwards:
            return f"`{owner}` is a computer and forwards nothing"
        return None

    def subnets_of(node: Node) -> list[tuple[str, ipaddress.IPv4Network]]:
        return [
            (interface, ipaddress.IPv4Network(address, strict=False))
            for interface in interfaces[node.name]
            for address in addresses[End(node.name, interface)]
        ]

    def write_neighbour(node: Node) -> str:
        for _, subnet in subnets_of(node):
            for owner, address in routers_in.get(subnet, ()):
                if owner != node.name:
                    shown = ipaddress.IPv4Address(address)
                    return f"write `{owner}`, whose address there is {shown}"
        return "write a router that shares a link or switch with it"

    found: dict[str, tuple[RoutePlan, ...]] = {}
    for node in layout.nodes.values():
        routes: dict[tuple[bytes, int], RoutePlan] = {}
        for given in node.given_routes:
            route = resolve(node, given)
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
