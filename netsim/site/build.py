"""From the plan of a node to the node itself."""

from __future__ import annotations

from netsim.core.streams import RandomStreams
from netsim.link.simplex_link import SimplexLink
from netsim.node.attached_node import AttachedNode
from netsim.node.base_node import Node
from netsim.node.host_node import Computer, HostNode, Router
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.site.driver import HostJitter
from netsim.stack.fib import Origin
from netsim.stack.interface import InterfaceAddress
from netsim.topology.plan import InterfacePlan, NetworkPlan, NodePlan, RouteChange, RoutePlan


def build_node(plan: NetworkPlan, name: str, boots: int = 0) -> Node:
    """A node in its first state, with its addresses and routes.

    It has started `boots` times before. Each start draws random numbers of its own, so that nobody
    takes what a restarted computer sends for something old.
    """
    node_plan = plan.node(name)
    streams = node_streams(plan, name, boots)
    ports = [
        Port(
            index,
            interface.name,
            interface.mac,
            interface.egress.mtu,
            SimplexLink(interface.egress, streams.below(interface.name)),
            interface.peer,
            interface.peer_interface,
        )
        for index, interface in enumerate(node_plan.interfaces)
    ]
    if node_plan.traits.attached:
        return AttachedNode(name, ports)
    if not node_plan.traits.has_stack:
        return Switch(name, ports)
    node_class = Router if node_plan.traits.forwards else Computer
    addresses = [_addresses(interface) for interface in node_plan.interfaces]
    node = node_class(
        name,
        ports,
        addresses,
        streams,
        node_plan.congestion,
        node_plan.ecn,
        loopback=node_plan.loopback,
    )
    install_routes(node, node_plan.routes)
    return node


def node_streams(plan: NetworkPlan, name: str, boots: int = 0) -> RandomStreams:
    """Every random choice on a node derives from these, when it first boots or later."""
    return RandomStreams(plan.seed).below(f"{name}~{boots}" if boots else name)


def host_jitter(plan: NetworkPlan, name: str, boots: int = 0) -> HostJitter | None:
    """What a computer takes for each packet; None: nothing, as routers and switches."""
    traits = plan.node(name).traits
    if not plan.host_jitter_ns or not traits.has_stack or traits.forwards or traits.attached:
        return None
    return HostJitter(node_streams(plan, name, boots).stream("host_jitter"), plan.host_jitter_ns)


def install_routes(node: HostNode, routes: tuple[RoutePlan, ...]) -> None:
    """Replace all of the node's routes over gateways by planned ones."""
    host = node.host
    by_name = {interface.name: interface for interface in host.interfaces}
    host.install_routes(
        host.route_via(
            route.prefix,
            route.prefix_length,
            route.gateway,
            by_name[route.interface],
            Origin.STATIC if route.given else Origin.COMPUTED,
        )
        for route in routes
    )


def change_routes(node: HostNode, change: RouteChange) -> None:
    """Put what has changed of the node's routes in force."""
    host = node.host
    by_name = {interface.name: interface for interface in host.interfaces}
    host.change_routes(
        change.withdrawn,
        (
            host.route_via(prefix, length, gateway, by_name[interface], Origin.COMPUTED)
            for hops, prefixes in change.routes
            for prefix, length in prefixes
            for gateway, interface in hops
        ),
    )


def direction_source(node_plan: NodePlan, interface: InterfacePlan, plan: NetworkPlan) -> int:
    """Number of the direction that arrives at this interface, the same wherever nodes run.

    Events of equal time are ordered by such a number and then by the source's own count.
    Cables come before nodes: an ACK that arrives with a retransmission timer stops it.
    """
    link = plan.links[interface.link]
    return 2 * interface.link + (link.a == (node_plan.name, interface.name))


def node_source(plan: NetworkPlan, name: str) -> int:
    """Number of a node as the source of its own timers and departures."""
    return 2 * len(plan.links) + plan.positions[name]


def _addresses(interface: InterfacePlan) -> tuple[InterfaceAddress, ...]:
    return tuple(InterfaceAddress(address, length) for address, length in interface.addresses)
