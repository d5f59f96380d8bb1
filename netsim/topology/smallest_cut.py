"""Which links to cut so that two groups of nodes cannot reach each other: a minimum cut.

All links count the same. Computers forward nothing, so no path leads through one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import networkx
from networkx.algorithms.flow import preflow_push

from netsim.core.errors import InvalidValueError
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node

_SOURCE: Final = 0
_SINK: Final = 1
"""The two groups, each drawn together into one vertex; the rest have names."""


def smallest_cut(
    plan: NetworkPlan,
    group_a: Sequence[str],
    group_b: Sequence[str],
    unusable: Collection[int] = (),
) -> list[int]:
    """Indices of the fewest links without which no path leads from one group to the other.

    Of several smallest sets the first in the order of the file. `unusable` are links that carry
    nothing anyway; the answer is empty when the groups are apart already. UnknownNameError, and
    InvalidValueError for groups that are empty or overlap.
    """
    vertices = _vertices(plan, group_a, group_b)
    # By the vertices that they join, parallel links together.
    links: dict[tuple[Any, Any], list[int]] = {}
    for place, link in enumerate(plan.links):
        a, b = vertices.get(link.a[0]), vertices.get(link.b[0])
        if place not in unusable and a is not None and b is not None and a != b:
            pair = (b, a) if (b, a) in links else (a, b)
            links.setdefault(pair, []).append(place)
    cut: list[int] = []
    while (index := _first_in_a_cut(links)) is not None:
        cut.append(index)
        for between in links.values():
            if index in between:
                between.remove(index)
    return cut


def _vertices(
    plan: NetworkPlan, group_a: Sequence[str], group_b: Sequence[str]
) -> dict[str, str | int]:
    """What stands for each node; nothing for those that no path can lead through."""
    for group in (group_a, group_b):
        if not group:
            raise InvalidValueError("a group has no node; write for example ['alice']")
        for name in group:
            check_node(plan, name)
    both = [name for name in group_a if name in set(group_b)]
    if both:
        raise InvalidValueError(f"{both[0]} is in both groups; write it in one of them")
    vertices: dict[str, str | int] = {
        node.name: node.name for node in plan.nodes if node.traits.relays
    }
    vertices.update(dict.fromkeys(group_a, _SOURCE))
    vertices.update(dict.fromkeys(group_b, _SINK))
    return vertices


def _first_in_a_cut(links: dict[tuple[Any, Any], list[int]]) -> int | None:
    """The lowest index of a link that is in some minimum cut; None when nothing is to cut.

    Such links are those that any maximum flow fills, and whose ends no cycle of what is left
    joins (Picard and Queyranne 1980).
    """
    graph: networkx.Graph[Any] = networkx.Graph()
    graph.add_nodes_from((_SOURCE, _SINK))
    for (a, b), between in links.items():
        if between:
            graph.add_edge(a, b, capacity=len(between))
    residual: networkx.DiGraph[Any] = preflow_push(graph, _SOURCE, _SINK)
    if not residual.graph["flow_value"]:
        return None
    left: networkx.DiGraph[Any] = networkx.DiGraph()
    left.add_nodes_from(residual)
    for a, b, arc in residual.edges(data=True):
        if arc["flow"] < arc["capacity"]:
            left.add_edge(a, b)
    part = {
        vertex: number
        for number, members in enumerate(networkx.strongly_connected_components(left))
        for vertex in members
    }
    # Ends in two parts: the link is full in one direction and nothing leads back.
    return min(min(between) for (a, b), between in links.items() if between and part[a] != part[b])
