"""The routes that nodes begin with.

Every router gets a route to every subnet that is not its own (`routing.py`); a computer gets a
default route to the nearest router at its first interface that has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from netsim.topology.plan import NetworkPlan, RoutePlan
from netsim.topology.router_graph import Reach, Segments
from netsim.topology.routing import Routing


def compute_routes(plan: NetworkPlan) -> dict[str, tuple[RoutePlan, ...]]:
    """The routes of every computer and router of the intact network, by name.

    Given routes (`RoutePlan.given`) stay and replace derived ones to the same prefix.
    """
    routing = Routing(plan)
    for _ in routing.compute():
        pass
    derived = _default_routes(plan)
    for router, table in zip(routing.graph.routers, routing.tables, strict=True):
        derived[router.name] = [
            RoutePlan(*prefix, *hop) for prefix, hops in table.items() for hop in hops
        ]
    found = {}
    for node in plan.nodes:
        if node.traits.has_stack:
            given = [route for route in node.routes if route.given]
            replaced = {(route.prefix, route.prefix_length) for route in given}
            own = derived.get(node.name, [])
            kept = [each for each in own if (each.prefix, each.prefix_length) not in replaced]
            found[node.name] = (*kept, *given)
    return found


# Computers ------------------------------------------------------------------------------------


def _default_routes(plan: NetworkPlan) -> dict[str, list[RoutePlan]]:
    """They stay as they are in the intact network: a real computer would not notice either."""
    segments = Segments(plan)
    nodes = {node.name: node for node in plan.nodes}
    beyond: dict[str, Reach | None] = {}  # by switch: all that hang on it have the same nearest
    found = {}
    for node in plan.nodes:
        is_host = node.traits.has_stack and not node.traits.forwards
        for interface in node.interfaces if is_host else ():
            peer = nodes[interface.peer]
            if not peer.traits.bridges:
                nearest = _nearest(segments.routers_beyond(interface))
            elif peer.name in beyond:
                nearest = beyond[peer.name]
            else:
                reaches = (segments.routers_beyond(trunk) for trunk in segments.trunks(peer))
                nearest = beyond[peer.name] = _nearest(chain.from_iterable(reaches))
            if nearest is not None and nearest.interface.address is not None:
                gateway = nearest.interface.address
                found[node.name] = [RoutePlan(bytes(len(gateway)), 0, gateway, interface.name)]
                break
    return found


def _nearest(reaches: Iterable[Reach]) -> Reach | None:
    return min(reaches, key=lambda reach: (reach.delay_ns, reach.router), default=None)
