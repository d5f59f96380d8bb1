"""Which computers are drawn as one: `lab-1` to `lab-20`, beside each other at the same switch."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Final, TypeAlias

from netsim.topology.plan import InterfacePlan, NetworkPlan, NodePlan

Ends: TypeAlias = Mapping[tuple[str, str], InterfacePlan]
"""Interfaces by the names of node and interface."""

FEWEST: Final = 5
"""Up to four icons are as quick to read as `desk-1 … desk-4`."""
_NUMBERED: Final = re.compile(r"(.*?)([0-9]{1,9})")


def alike_runs(plan: NetworkPlan, ends: Ends) -> list[tuple[NodePlan, ...]]:
    """All nodes in the order of the file, those that are alike together, at the first of them."""
    runs: list[list[NodePlan]] = []
    latest: dict[Hashable, list[NodePlan]] = {}
    for node in plan.nodes:
        likeness = _likeness(node, ends)
        run = latest.get(likeness)
        if likeness is not None and run is not None and _follows(run[-1], node):
            run.append(node)
            continue
        runs.append([node])
        if likeness is not None:
            latest[likeness] = runs[-1]
    drawn: list[tuple[NodePlan, ...]] = []
    for run in runs:
        drawn += [tuple(run)] if len(run) >= FEWEST else [(node,) for node in run]
    return sorted(drawn, key=lambda nodes: plan.positions[nodes[0].name])


def _likeness(node: NodePlan, ends: Ends) -> Hashable:
    """What a computer must share with another to be drawn with it; None if it stands alone."""
    match = _NUMBERED.fullmatch(node.name)
    if match is None or node.kind != "computer" or len(node.interfaces) != 1 or node.ports:
        return None
    (interface,) = node.interfaces
    peer = ends[interface.peer, interface.peer_interface]
    way = (interface.peer, interface.egress, peer.egress)
    return match.group(1), way, repr((node.services, node.run, node.env))


def _follows(before: NodePlan, node: NodePlan) -> bool:
    first, second = (_NUMBERED.fullmatch(each.name) for each in (before, node))
    assert first is not None
    assert second is not None
    return int(second.group(2)) == int(first.group(2)) + 1
