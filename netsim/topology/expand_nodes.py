"""From the words of a file to nodes: counts unrolled, defaults applied.

Precedence is node, then `kinds`, then `defaults`; `env` and `services` are merged key by key,
everything else is taken whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from netsim.topology.checked_topology import GivenRoute, Node
from netsim.topology.findings import Findings
from netsim.topology.kinds import (
    ADDRESS_WORDS,
    KINDS,
    WORDS_OF_A_STACK,
    Kind,
    refused_words,
)
from netsim.topology.plan import ProgramPlan, Restart, ServicePlan
from netsim.topology.topology_words import NodeWords, ProgramWords, TopologyWords


def count_members(topology: TopologyWords, findings: Findings) -> dict[str, list[str]]:
    """The nodes that each name in the file stands for: itself, or NAME-1, NAME-2 …"""
    members: dict[str, list[str]] = {}
    taken: set[str] = set()
    seen: dict[str, str] = {}
    for name, words in topology.nodes.items():
        numbers = range(1, (words.count or 0) + 1)
        members[name] = [f"{name}-{number}" for number in numbers] or [name]
        for member in members[name]:
            other = seen.setdefault(member.lower(), member)
            if other != member:
                message = f"`{other}` and `{member}` are one name: case does not matter; rename one"
                findings.report(("nodes", name), message, at_key=True)
            elif member in taken:
                message = f"`{member}` names two nodes, one of them counted; rename one of them"
                findings.report(("nodes", name), message, at_key=True)
            taken.add(member)
    return members


def expand_nodes(
    topology: TopologyWords, members: Mapping[str, list[str]], folder: Path, findings: Findings
) -> dict[str, Node]:
    """All nodes in file order. Relative paths are below `folder`."""
    default_kind = topology.defaults.kind if topology.defaults else None
    common = _common_programs(topology, folder, findings)
    nodes = {}
    for name, words in topology.nodes.items():
        path = ("nodes", name)
        kind = words.kind or default_kind
        if kind is None:
            message = "the key `kind` is missing; write `kind: computer`, `switch` or `router`"
            findings.report(path, message, at_key=True)
            continue
        _check_kind(words, kind, path, findings)
        if words.count is not None:
            _check_counted(words, path, findings)
        node = _node(name, kind, words, path, common, folder, findings)
        for member in members[name]:
            nodes[member] = replace(node, name=member)
    return nodes


def _node(
    name: str,
    kind: Kind,
    words: NodeWords,
    path: Sequence[object],
    common: Mapping[Kind, _Programs],
    folder: Path,
    findings: Findings,
) -> Node:
    routes = [
        GivenRoute(*route.to, route.via, (*path, "routes", index, "via"))
        for index, route in enumerate(words.routes or [])
    ]
    if words.gateway is not None:
        routes.append(GivenRoute(bytes(4), 0, words.gateway, (*path, "gateway")))
    # What was refused above stays out, so that nothing is said about it twice.
    addressed = KINDS[kind].has_stack
    own = _Programs.of(words, path, folder, findings)
    is_ours = KINDS[kind].runs_programs and words.attach is None
    programs = own.over(common[kind]) if is_ours else _Programs()
    return Node(
        name,
        kind,
        path,
        given_addresses={interface: tuple(own) for interface, own in (words.address or {}).items()}
        if addressed and words.count is None
        else {},
        given_routes=tuple(routes) if addressed and words.attach is None else (),
        env=programs.env,
        services=tuple(programs.services[port] for port in sorted(programs.services)),
        ports=tuple(words.ports or ()),
        run=programs.run or (),
        ready=programs.ready,
        congestion=programs.congestion or "cubic",
        ecn=programs.ecn,
        order=programs.order or "fifo",
        restart=programs.restart or "never",
        outside=bool(programs.outside),
        tap=words.attach if KINDS[kind].runs_programs else None,
    )


class _Programs:
    """What runs on a computer, from one place of the file."""

    def __init__(self) -> None:
        self.env: dict[str, str] = {}
        self.services: dict[int, ServicePlan] = {}
        self.run: tuple[ProgramPlan, ...] | None = None
        self.ready: int | str | None = None
        self.congestion: str | None = None
        self.ecn: bool | None = None
        self.order: str | None = None
        self.restart: Restart | None = None
        self.outside: bool | None = None

    @classmethod
    def of(
        cls, words: ProgramWords | None, path: Sequence[object], folder: Path, findings: Findings
    ) -> _Programs:
        programs = cls()
        if words is None:
            return programs
        programs.env = dict(words.env or {})
        programs.ready = words.ready
        programs.congestion = words.congestion
        programs.ecn = words.ecn
        programs.order = words.order
        programs.restart = words.restart
        programs.outside = words.outside
        if words.run is not None:
            programs.run = tuple(
                ProgramPlan(each.call, dict(each.args or {})) for each in words.run
            )
        for port, service in (words.services or {}).items():
            files = None
            if service.files is not None:
                files = os.path.realpath(folder / service.files)
                if not os.path.isdir(files):
                    findings.report(
                        (*path, "services", port, "files"),
                        f"there is no folder {files}; write a path relative to the file",
                    )
            programs.services[port] = ServicePlan(
                port,
                app=service.app,
                args=dict(service.args or {}),
                files=files,
                asgi=service.asgi,
                wsgi=service.wsgi,
                upstream=service.upstream,
                tls=bool(service.tls),
            )
        return programs

    def over(self, below: _Programs) -> _Programs:
        """These, and what only `below` says."""
        merged = _Programs()
        merged.env = {**below.env, **self.env}
        merged.services = {**below.services, **self.services}
        merged.run = below.run if self.run is None else self.run
        merged.ready = below.ready if self.ready is None else self.ready
        merged.congestion = self.congestion or below.congestion
        merged.ecn = below.ecn if self.ecn is None else self.ecn
        merged.order = self.order or below.order
        merged.restart = self.restart or below.restart
        merged.outside = below.outside if self.outside is None else self.outside
        return merged


def _common_programs(
    topology: TopologyWords, folder: Path, findings: Findings
) -> dict[Kind, _Programs]:
    """What the nodes of a kind have in common, of kinds that run programs."""
    everywhere = _Programs.of(topology.defaults, ("defaults",), folder, findings)
    everywhere.order = everywhere.order or topology.order
    common = {}
    for kind, traits in KINDS.items():
        if traits.runs_programs:
            words = getattr(topology.kinds, kind, None)
            common[kind] = _Programs.of(words, ("kinds", kind), folder, findings).over(everywhere)
    return common


def _check_kind(words: NodeWords, kind: Kind, path: Sequence[object], findings: Findings) -> None:
    for key in refused_words(kind):
        if getattr(words, key) is None:
            continue
        if key in ADDRESS_WORDS:
            message = f"a {kind} has no addresses; remove `{key}`, or make it a router"
        else:
            message = f"a {kind} runs no programs; write `{key}` at a computer"
        findings.report((*path, key), message, at_key=True)
    if words.attach is None or not KINDS[kind].runs_programs:
        return
    for key in WORDS_OF_A_STACK:
        if getattr(words, key) is not None:
            message = (
                f"`{key}` cannot stand beside `attach`, since the place is taken by whoever holds "
                f"the TAP device {words.attach}; remove it, or `attach`"
            )
            findings.report((*path, key), message, at_key=True)


def _check_counted(words: NodeWords, path: Sequence[object], findings: Findings) -> None:
    if words.address:
        message = "counted nodes cannot share an address; remove it, and each gets its own"
        findings.report((*path, "address"), message, at_key=True)
    if words.attach is not None and (words.count or 0) > 1:
        message = "counted nodes cannot share a TAP device; write a node for each"
        findings.report((*path, "attach"), message)
    for index, port in enumerate(words.ports or []):
        if port.listen_port and (words.count or 0) > 1:
            findings.report(
                (*path, "ports", index),
                f"counted nodes cannot share the host port {port.listen_port}; write `0` to give "
                "each a free one",
            )
