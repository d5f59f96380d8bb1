"""Which links and nodes are down, and what routes follow from that."""

from __future__ import annotations

from netsim.site.backend import Routes
from netsim.topology.plan import NetworkPlan
from netsim.topology.routes import compute_routes


class Convergence:
    """Keeps the state of carriers; the runtime asks for new routes `convergence` later."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._links = {
            end: index for index, link in enumerate(plan.links) for end in (link.a, link.b)
        }
        self._dark: set[tuple[str, str]] = set()
        """Interfaces without a carrier, of nodes that are up."""
        self.down_nodes: set[str] = set()
        self.routes: Routes = {node.name: node.routes for node in plan.nodes}
        """Those in force."""

    @property
    def down_links(self) -> frozenset[int]:
        """Links that lack the carrier at an end."""
        return frozenset(self._links[end] for end in self._dark)

    def carrier_changed(self, node: str, interface: str, up: bool) -> bool:
        """An interface has lost or found its carrier; whether that is news."""
        end = (node, interface)
        if up == (end not in self._dark):
            return False
        (self._dark.discard if up else self._dark.add)(end)
        return True

    def node_started(self, node: str) -> None:
        """A node is back: without carriers yet, and with the routes of the plan."""
        self.down_nodes.discard(node)
        own = self._plan.node(node)
        self._dark |= {(node, interface.name) for interface in own.interfaces}
        self.routes[node] = own.routes

    def recompute(self) -> Routes:
        """Routes over what is up; those of nodes where something changed are returned."""
        routes = compute_routes(
            self._plan,
            down_links=self.down_links,
            down_nodes=frozenset(self.down_nodes),
        )
        changed = {
            name: own
            for name, own in routes.items()
            if own != self.routes.get(name, ()) and name not in self.down_nodes
        }
        self.routes |= routes
        return changed
