"""What must hold for the network as a whole."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final

from netsim.topology.checked_topology import Layout, Node
from netsim.topology.findings import Findings

_MOST_SHOWN: Final = 12
"""Nodes of a circle, so that its line can be read."""


def check_given_addresses_differ(layout: Layout, findings: Findings) -> None:
    """Two interfaces with one address would answer each other's ARP."""
    owners: dict[bytes, str] = {}
    for node in layout.nodes.values():
        given = [(i, address) for i, own in node.given_addresses.items() for address, _ in own]
        for interface, address in given:
            if address in owners:
                findings.report(
                    (*node.path, "address", interface),
                    f"{ipaddress.IPv4Address(address)} is already the address of "
                    f"`{owners[address]}`; write another, or remove it and one is assigned",
                )
            owners.setdefault(address, node.name)


def check_ports(layout: Layout, domain: str, findings: Findings) -> None:
    """Every host port is published once, and leads to a node that exists."""
    published: dict[tuple[str, int], tuple[object, ...]] = {}
    for node in layout.nodes.values():
        for index, port in enumerate(node.ports):
            path = (*node.path, "ports", index)
            listen = (port.listen_host, port.listen_port)
            if port.listen_port and listen in published and published[listen] != path:
                findings.report(
                    path,
                    f"{listen[0]}:{listen[1]} is already published by `{published[listen][1]}`; "
                    "write another port, or `0` for a free one",
                )
            published.setdefault(listen, path)
            target = port.host.removesuffix(f".{domain}")
            if target not in layout.nodes and not re.fullmatch(r"[0-9.]+", target):
                message = (
                    f"there is no node `{port.host}`; {findings.suggest(target, layout.nodes)}"
                )
                findings.report(path, message)
            elif target in layout.nodes and not layout.nodes[target].traits.has_stack:
                what = f"`{target}` is a {layout.nodes[target].kind} and has no address"
                message = f"{what}; write a computer"
                findings.report(path, message)


def check_taps(layout: Layout, findings: Findings) -> None:
    """A TAP device is one interface, and one place takes all its frames."""
    holders: dict[str, Node] = {}
    interfaces = layout.interfaces()
    for node in layout.nodes.values():
        if node.tap is None:
            continue
        path = (*node.path, "attach")
        holder = holders.setdefault(node.tap, node)
        if holder.path != node.path:
            message = f"tap:{node.tap} is already at `{holder.name}`; write another TAP device"
            findings.report(path, message)
        if len(interfaces[node.name]) > 1:
            findings.report(
                path,
                f"tap:{node.tap} is one interface, and {len(interfaces[node.name])} links lead to "
                f"`{node.name}`; leave one of them, for example to a router in front of it",
            )


def check_no_switch_loop(layout: Layout, findings: Findings) -> None:
    """Without a spanning tree a broadcast in a loop of switches would circle for ever."""
    neighbours: dict[str, list[str]] = {}
    groups = _Groups(layout.nodes)
    for link in layout.links:
        a, b = link.a.node, link.b.node
        if not (layout.nodes[a].traits.bridges and layout.nodes[b].traits.bridges):
            continue
        if groups.joined(a, b):
            circle = "…" if findings.is_full else _shown_circle(_path(neighbours, a, b))
            findings.report(
                link.path,
                f"this link closes a loop of switches ({circle}) and there is no spanning tree "
                "yet, so one broadcast would circle for ever; remove the link, or make one of "
                "them a router",
            )
            continue
        groups.join(a, b)
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)


def check_connected(layout: Layout, findings: Findings) -> None:
    """Every node can reach every other one."""
    groups = _Groups(layout.nodes)
    for link in layout.links:
        groups.join(link.a.node, link.b.node)
    parts: dict[str, list[str]] = {}
    for name in layout.nodes:
        parts.setdefault(groups.leader(name), []).append(name)
    largest = max(parts.values(), key=len, default=[])
    carrier = _nearest_carrier(largest, layout) if len(parts) > 1 else None
    for part in parts.values():
        if part is not largest:
            who = ", ".join(f"`{name}`" for name in part[:4]) + (", …" if len(part) > 4 else "")
            findings.report(
                layout.nodes[part[0]].path,
                f"no links lead from {who} to `{largest[0]}`; write a link between them, for "
                f"example `[{part[0]}, {carrier}]`",
                at_key=True,
            )


def _nearest_carrier(part: Sequence[str], layout: Layout) -> str:
    """The node that a new link would most likely lead to: a switch, else a router."""

    def rank(name: str) -> int:
        traits = layout.nodes[name].traits
        return 0 if traits.bridges else 1 if traits.forwards else 2

    return min(part, key=rank)


class _Groups:
    """Disjoint sets of nodes."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}

    def leader(self, name: str) -> str:
        while self._above[name] != name:
            self._above[name] = self._above[self._above[name]]
            name = self._above[name]
        return name

    def joined(self, a: str, b: str) -> bool:
        return self.leader(a) == self.leader(b)

    def join(self, a: str, b: str) -> None:
        self._above[self.leader(b)] = self.leader(a)


def _shown_circle(names: list[str]) -> str:
    if len(names) > _MOST_SHOWN:
        names = [*names[: _MOST_SHOWN // 2], "…", *names[-_MOST_SHOWN // 2 :]]
    return "–".join([*names, names[0]])


def _path(neighbours: dict[str, list[str]], start: str, goal: str) -> list[str]:
    """The only path between two nodes of a tree."""
    before = {start: start}
    waiting = [start]
    for name in waiting:
        for neighbour in neighbours.get(name, []):
            if neighbour not in before:
                before[neighbour] = name
                waiting.append(neighbour)
    path = [goal]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]
