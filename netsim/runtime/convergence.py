"""Which links and nodes are down, and what routes follow from that."""

from __future__ import annotations

from netsim.topology.plan import NetworkPlan, RoutePlan
from netsim.topology.routes import compute_routes

Routes = dict[str, tuple[RoutePlan, ...]]


class Convergence:
    """Keeps the state of carriers; the runtime asks for new routes `convergence` later."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._links = {
            end: index for index, link in enumerate(plan.links) for end in (link.a, link.b)
        }
        self.down_links: set[int] = set()
        self.down_nodes: set[str] = set()
        self.routes: Routes = {node.name: node.routes for node in plan.nodes}

    def carrier_changed(self, node: str, interface: str, up: bool) -> int:
        """One end of a link has lost or found its carrier; the number of that link."""
        link = self._links[node, interface]
        (self.down_links.discard if up else self.down_links.add)(link)
        return link

    def recompute(self) -> Routes:
        """Routes over what is up; those of nodes where something changed are returned."""
        routes = compute_routes(
            self._plan,
            down_links=frozenset(self.down_links),
            down_nodes=frozenset(self.down_nodes),
        )
        changed = {
            name: own
            for name, own in routes.items()
            if own != self.routes.get(name, ()) and name not in self.down_nodes
        }
        self.routes |= routes
        return changed
