"""Where in its file something stands that a plan holds, and what is refused there later on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from netsim.core.errors import InvalidFileError, InvalidGraphError, Problem
from netsim.topology.checked_topology import Node
from netsim.topology.plan import NetworkPlan, NodePlan
from netsim.topology.yaml_source import PathTo, YamlSource, read_yaml


def place_of(source: YamlSource, node: Node | NodePlan, path: PathTo) -> tuple[int, int]:
    """Line and column of a node's words: at the node, else at its kind, else in the defaults."""
    nodes = source.data["nodes"]
    # `lab-3` is written as `lab` with a count.
    name = node.name if node.name in nodes else node.name.rpartition("-")[0]
    kinds = source.data.get("kinds") or {}
    for above, words in (
        (("nodes", name), nodes[name]),
        (("kinds", node.kind), kinds.get(node.kind)),
    ):
        if _say(words, path):
            return source.locate([*above, *path])
    return source.locate(["defaults", *path])


def _say(words: Any, path: PathTo) -> bool:
    """Whether it is there that something is written; services are merged port by port."""
    if not isinstance(words, dict) or path[0] not in words:
        return False
    return path[0] != "services" or path[1] in (words["services"] or ())


_NO_PLACE: Final = (
    "has no place in virtual time, which the kernel does not keep; run it in real time"
)
_NO_SERVER: Final = (
    "answers in real time only; write `app` with a stand-in in Python, or run it in real time"
)

_NO_NETWORK: Final = (
    "would give its programs a network that virtual time cannot wait for; remove it, or run it in "
    "real time"
)


def outside_in_virtual_time(file: str, nodes: Iterable[Node | NodePlan]) -> list[Problem]:
    """What is wrong in a topology file whose nodes are to be in virtual time."""
    outside = [(node, *each) for node in nodes for each in _outside(node)]
    if not outside:
        return []
    source = read_yaml(file)
    return sorted(
        {
            Problem(source.file, *place_of(source, node, path), message)
            for node, path, message in outside
        }
    )


def check_time_can_jump(plan: NetworkPlan) -> None:
    """InvalidFileError or InvalidGraphError where nodes are attached to this machine, or services
    to servers outside.

    These keep real time, and virtual time cannot wait for them.
    """
    if plan.file:
        if problems := outside_in_virtual_time(plan.file, plan.nodes):
            raise InvalidFileError(problems)
        return
    outside = [f"{node.name}: {message}" for node in plan.nodes for _, message in _outside(node)]
    if outside:
        raise InvalidGraphError(outside)


def _outside(node: Node | NodePlan) -> Iterator[tuple[PathTo, str]]:
    if node.tap is not None:
        yield ("attach",), f"tap:{node.tap} {_NO_PLACE}"
    if node.outside:
        yield ("outside",), f"`outside: allow` {_NO_NETWORK}"
    for service in node.services:
        if service.upstream is not None:
            path = ("services", service.port, "upstream")
            yield path, f"the real server {service.upstream} {_NO_SERVER}"
