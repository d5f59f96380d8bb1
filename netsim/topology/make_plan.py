"""From a checked topology, or a graph, to the plan that a runtime builds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netsim.core.garbage import without_collections
from netsim.core.order_words import parse_order
from netsim.topology.checked_topology import LOOPBACK, Topology
from netsim.topology.naming import check_network_name
from netsim.topology.plan import InterfacePlan, LinkPlan, NetworkPlan, NodePlan
from netsim.topology.routes import compute_routes

if TYPE_CHECKING:
    import networkx


@without_collections()
def make_plan(
    source: Topology | networkx.Graph[Any] | NetworkPlan,
    *,
    seed: int | None = None,
    name: str | None = None,
    order: str | None = None,
) -> NetworkPlan:
    """The plan of a checked topology, of a networkx graph, or of a plan that is to be changed.

    `seed` goes before the source's own; without either it is 0. `name` runs the network under
    another name, and leaves its domain as it is. `order` becomes that of every node.
    Raises `InvalidGraphError` for a graph that does not hold together, `InvalidNameError`;
    ValueError for an `order` that there is not.
    """
    if order is not None:
        plan = make_plan(source, seed=seed, name=name)
        parsed = parse_order(order)
        return replace(plan, nodes=tuple(replace(node, order=parsed) for node in plan.nodes))
    if isinstance(source, NetworkPlan):
        return replace(
            source,
            name=source.name if name is None else check_network_name(name),
            seed=source.seed if seed is None else seed,
        )
    if isinstance(source, Topology):
        topology = source
    else:
        from netsim.topology.network_graph import topology_from_graph  # networkx is slow to import

        topology = topology_from_graph(source)
    if seed is None:
        seed = topology.seed if topology.seed is not None else 0
    nodes = _nodes(topology)
    plan = NetworkPlan(
        name=topology.name if name is None else check_network_name(name),
        domain=topology.domain,
        seed=seed,
        file=topology.file,
        nodes=nodes,
        links=tuple(
            LinkPlan((link.a.node, link.a.interface), (link.b.node, link.b.interface))
            for link in topology.layout.links
        ),
        hosts=_hosts(nodes, topology.domain),
        routing=topology.routing,
        convergence_ns=topology.convergence_ns,
        warnings=topology.warnings,
        drawn_order=topology.drawn_order,
        host_jitter_ns=topology.host_jitter_ns,
        own_packages=topology.own_packages,
    )
    routes = compute_routes(plan)
    routed = tuple(replace(node, routes=routes.get(node.name, ())) for node in nodes)
    return replace(plan, nodes=routed)


def _nodes(topology: Topology) -> tuple[NodePlan, ...]:
    interfaces = _interfaces(topology)
    return tuple(
        NodePlan(
            name=node.name,
            kind=node.kind,
            interfaces=tuple(interfaces[node.name]),
            routes=topology.routes.get(node.name, ()),
            services=node.services,
            ports=node.ports,
            run=node.run,
            ready=node.ready,
            env=node.env,
            congestion=node.congestion,
            ecn=node.ecn,
            order=node.order,
            loopback=tuple(address for address, _ in node.given_addresses.get(LOOPBACK, ())),
            restart=node.restart,
            outside=node.outside,
            tap=node.tap,
        )
        for node in topology.layout.nodes.values()
    )


def _interfaces(topology: Topology) -> dict[str, list[InterfacePlan]]:
    layout = topology.layout
    number = {name: index for index, name in enumerate(layout.nodes, start=1)}
    interfaces: dict[str, list[InterfacePlan]] = {name: [] for name in layout.nodes}
    for index, link in enumerate(layout.links):
        directions = ((link.a, link.b, link.a_to_b), (link.b, link.a, link.b_to_a))
        for own, peer, egress in directions:
            address, length = topology.addresses.get(own, (None, 0))
            interfaces[own.node].append(
                InterfacePlan(
                    name=own.interface,
                    mac=_mac(number[own.node], len(interfaces[own.node])),
                    address=address,
                    prefix_length=length,
                    link=index,
                    peer=peer.node,
                    peer_interface=peer.interface,
                    egress=egress,
                    secondary=topology.secondary.get(own, ()),
                )
            )
    return interfaces


def _mac(node: int, interface: int) -> bytes:
    # The low bits of the first byte are "locally administered, unicast" (IEEE 802, 8.4).
    return b"\x02" + node.to_bytes(3, "big") + interface.to_bytes(2, "big")


def _hosts(nodes: tuple[NodePlan, ...], domain: str) -> dict[str, bytes]:
    hosts = {}
    for node in nodes:
        addresses = [each.address for each in node.interfaces if each.address is not None]
        if addresses:
            hosts[node.name] = hosts[f"{node.name}.{domain}"] = addresses[0]
    return hosts
