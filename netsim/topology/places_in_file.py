"""Where in its file something stands that a plan holds, and what is refused there later on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netsim.core.errors import InvalidFileError, InvalidGraphError, Problem
from netsim.topology.checked_topology import Node
from netsim.topology.plan import NetworkPlan, NodePlan
from netsim.topology.yaml_source import PathTo, YamlSource, read_yaml


def place_of(source: YamlSource, node: Node | NodePlan, path: PathTo) -> tuple[int, int]:
    """Line and column of a node's words: at the node, else at its kind."""
    nodes = source.data["nodes"]
    # `lab-3` is written as `lab` with a count.
    name = node.name if node.name in nodes else node.name.rpartition("-")[0]
    if isinstance(nodes.get(name), dict) and path[0] in nodes[name]:
        return source.locate(["nodes", name, *path])
    return source.locate(["kinds", node.kind, *path])


_NO_PLACE: Final = (
    "has no place in virtual time, which the kernel does not keep; run it in real time"
)


def attached_in_virtual_time(file: str, nodes: Iterable[Node | NodePlan]) -> list[Problem]:
    """What is wrong in a topology file whose nodes are to be in virtual time."""
    attached = [node for node in nodes if node.tap is not None]
    if not attached:
        return []
    source = read_yaml(file)
    return sorted(
        {
            Problem(source.file, *place_of(source, node, ["attach"]), f"tap:{node.tap} {_NO_PLACE}")
            for node in attached
        }
    )


def check_time_can_jump(plan: NetworkPlan) -> None:
    """InvalidFileError or InvalidGraphError where nodes are attached to this machine.

    Its kernel keeps real time, and virtual time cannot wait for it.
    """
    if plan.file:
        if problems := attached_in_virtual_time(plan.file, plan.nodes):
            raise InvalidFileError(problems)
        return
    attached = [node for node in plan.nodes if node.tap is not None]
    if attached:
        raise InvalidGraphError([f"{node.name}: tap:{node.tap} {_NO_PLACE}" for node in attached])
