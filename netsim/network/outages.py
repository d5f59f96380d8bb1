"""Which nodes are down, and which interfaces of the others have no carrier."""

from __future__ import annotations

from netsim.topology.plan import NetworkPlan
from netsim.topology.routes import links_down


class Outages:
    """The one place where a network knows what is down. All is up to begin with."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._links = {
            end: index for index, link in enumerate(plan.links) for end in (link.a, link.b)
        }
        self._dark: set[tuple[str, str]] = set()
        """Interfaces without a carrier."""
        self.nodes: set[str] = set()
        """Nodes that are down."""

    def dead_links(self) -> frozenset[int]:
        """Links that lack the carrier at an end, or the node."""
        return links_down(self._plan, (self._links[end] for end in self._dark), self.nodes)

    def carrier_changed(self, node: str, interface: str, up: bool) -> bool:
        """An interface has lost or found its carrier; whether that is news."""
        end = (node, interface)
        if up == (end not in self._dark):
            return False
        (self._dark.discard if up else self._dark.add)(end)
        return True

    def node_started(self, node: str) -> None:
        """A node is back, without carriers yet."""
        self.nodes.discard(node)
        self._dark |= {(node, each.name) for each in self._plan.node(node).interfaces}
