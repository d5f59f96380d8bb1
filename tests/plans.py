"""Networks for tests, from a few words: `plan_of("c1 s1", "s1 r1 delay=2ms loss=1%")`.

Each argument is a link: two nodes, then link words as in a topology file. The first letter of a
name says the kind: `s` is a switch, `r` a router, everything else a computer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx

from netsim import NetworkPlan, make_plan

KINDS = {"s": "switch", "r": "router"}


def plan_of(
    *links: str, seed: int = 0, nodes: dict[str, dict[str, Any]] | None = None, **words: Any
) -> NetworkPlan:
    """`nodes` gives nodes further words, `words` are those of the file (`routing`)."""
    graph: networkx.MultiGraph[str] = networkx.MultiGraph(name="test", **words)
    for order, link in enumerate(links):
        a, b, *attributes = link.split()
        for name in (a, b):
            kind = KINDS.get(name[0], "computer")
            graph.add_node(name, kind=kind, **(nodes or {}).get(name, {}))
        graph.add_edge(a, b, order=order, **dict(map(_attribute, attributes)))
    return make_plan(graph, seed=seed)


def chain(attributes: str = "delay=1ms", seed: int = 0) -> NetworkPlan:
    """The campus in small: computer, switch, router, router, switch, computer."""
    names = ("alice", "s1", "r1", "r2", "s2", "web")
    return plan_of(*(f"{a} {b} {attributes}" for a, b in pairwise(names)), seed=seed)


def _attribute(text: str) -> tuple[str, Any]:
    word, value = text.split("=")
    return word, int(value) if value.isdigit() else value
