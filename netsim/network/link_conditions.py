"""What every direction of every link is meant to be like, and what it is like with nodes down."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

from netsim.core.link_attributes import LinkCondition
from netsim.site.backend import LinkChange
from netsim.topology.plan import NetworkPlan


class LinkConditions:
    """Conditions by link and by the node that owns the direction. All begin as planned.

    `down_nodes` is somebody else's set, and followed.
    """

    def __init__(self, plan: NetworkPlan, down_nodes: Set[str] = frozenset()) -> None:
        self._plan = plan
        self._down_nodes = down_nodes
        self._planned = {
            (interface.link, node.name): LinkCondition(interface.egress)
            for node in plan.nodes
            for interface in node.interfaces
        }
        self._meant = {
            (index, node): self._planned[index, node]
            for index, link in enumerate(plan.links)
            for node, _ in (link.a, link.b)
        }
        self._since: dict[tuple[int, str], int] = {}
        """Of the directions that are not as planned, when they became what they are: ns."""

    def planned(self, link: int, node: str) -> LinkCondition:
        """That of the plan."""
        return self._planned[link, node]

    def meant(self, link: int, node: str) -> LinkCondition:
        """What the direction is to be like, whether or not its nodes are up."""
        return self._meant[link, node]

    def change(self, changes: Iterable[LinkChange], now: int) -> list[LinkChange]:
        """Adopt new conditions; those to be put in force, as nodes that are down allow."""
        changes = list(changes)
        for link, node, condition in changes:
            self._meant[link, node] = condition
            if condition == self.planned(link, node):
                self._since.pop((link, node), None)
            else:
                self._since[link, node] = now
        return [(link, node, self._possible(link, node)) for link, node, _ in changes]

    def changed_since(self, link: int, node: str) -> int | None:
        """Network time in ns from which on the direction is as it is; None where as planned."""
        return self._since.get((link, node))

    def of_node(self, name: str) -> list[LinkChange]:
        """Of every direction that begins or ends at a node, what is possible."""
        return [
            (link, node, self._possible(link, node))
            for link, node in self._meant
            if name in (self._plan.links[link].a[0], self._plan.links[link].b[0])
        ]

    def unplugged(self, name: str) -> dict[str, LinkCondition]:
        """Of the directions that leave a node, by interface, without a carrier."""
        return {
            interface.name: replace(self._meant[interface.link, name], up=False)
            for interface in self._plan.node(name).interfaces
        }

    def is_up(self, link: int) -> bool:
        """Whether there is a carrier at both ends."""
        return self._possible(link, self._plan.links[link].a[0]).up

    def _possible(self, link: int, node: str) -> LinkCondition:
        plan = self._plan.links[link]
        condition = self._meant[link, node]
        if self._down_nodes & {plan.a[0], plan.b[0]}:
            return replace(condition, up=False)
        return condition
