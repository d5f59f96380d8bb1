"""Which nodes are down, and which interfaces of the others have no carrier."""

from __future__ import annotations

from typing import Literal

from netsim.topology.plan import NetworkPlan
from netsim.topology.routing import links_down

NodeState = Literal["starting", "running", "stopped", "dead"]


class Outages:
    """The one place where a network knows what is down. All links are up to begin with."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._links = {
            end: index for index, link in enumerate(plan.links) for end in (link.a, link.b)
        }
        self._dark: set[tuple[str, str]] = set()
        """Interfaces without a carrier."""
        self.nodes: set[str] = set()
        """Nodes that are down. Those who ask keep this very set."""
        self._states: dict[str, NodeState] = {node.name: "starting" for node in plan.nodes}

    def state(self, node: str) -> NodeState:
        """As `inspect` shows it."""
        return self._states[node]

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

    def network_started(self) -> None:
        """All nodes are up."""
        self._states = dict.fromkeys(self._states, "running")

    def network_stopped(self) -> None:
        """Those that were up were told to end."""
        for node in self._states.keys() - self.nodes:
            self.node_gone(node, stopped=True)

    def node_boots(self, node: str) -> None:
        """A node that is down starts; it is up when its cables are plugged in."""
        self._states[node] = "starting"

    def node_plugged_in(self, node: str) -> None:
        """It is back, without carriers yet; its services may not listen."""
        self.nodes.discard(node)
        self._dark |= {(node, each.name) for each in self._plan.node(node).interfaces}

    def node_started(self, node: str) -> None:
        """Its services listen."""
        self._states[node] = "running"

    def node_gone(self, node: str, *, stopped: bool) -> None:
        """It has ended; `stopped` when it was told to."""
        self.nodes.add(node)
        self._states[node] = "stopped" if stopped else "dead"
