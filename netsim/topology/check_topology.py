"""The one way from written words to a checked topology, for files and for graphs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from netsim.topology.addresses import Prefix
from netsim.topology.addressing import addressed_ends, assign_addresses
from netsim.topology.checked_topology import (
    DEFAULT_CONVERGENCE_NS,
    DEFAULT_POOL,
    DEFAULT_SUBNET_LENGTH,
    Layout,
    Node,
    Topology,
)
from netsim.topology.expand_links import expand_links
from netsim.topology.expand_nodes import count_members, expand_nodes
from netsim.topology.findings import Findings
from netsim.topology.given_routes import resolve_given_routes
from netsim.topology.network_checks import (
    check_connected,
    check_given_addresses_differ,
    check_no_switch_loop,
    check_ports,
    check_taps,
)
from netsim.topology.read_words import read_words
from netsim.topology.topology_words import AddressingWords


def check_topology(written: Any, findings: Findings, *, file: str, folder: Path) -> Topology:
    """The topology that `written` describes, in the words of a file.

    Every mistake goes to `findings`, which raises them together. `file` becomes the topology's;
    relative paths are below `folder`.
    """
    if is_scenario(written):
        beside = written.get("topology")
        message = "this is a scenario, not a topology; run it with `netsim test`"
        if isinstance(beside, str):
            message += f", or name its topology: `{beside}`"
        findings.report((), message)
        findings.stop_if_any()
    words, no_word_lost = read_words(_without_nesting(written, findings), findings)
    members = count_members(words, findings)
    nodes = expand_nodes(words, members, folder, findings)
    links, no_link_lost = expand_links(words, members, folder, findings)
    known = [link for link in links if link.a.node in nodes and link.b.node in nodes]
    layout = Layout(nodes, tuple(known))
    domain = words.domain or f"{words.name}.test"
    pool, length = _pool(words.addressing, findings)
    check_ports(layout, domain, findings)
    check_given_addresses_differ(layout, findings)
    check_taps(layout, findings)
    no_node_lost = len(nodes) == sum(map(len, members.values()))
    if findings.incomplete or not (no_word_lost and no_node_lost and no_link_lost):
        # What follows would blame the innocent.
        findings.stop_if_any()
    check_no_switch_loop(layout, findings)
    check_connected(layout, findings)
    addresses, secondary = assign_addresses(layout, pool, length, findings)
    routes = {}
    if len(addresses) == addressed_ends(layout):
        every = {end: (first, *secondary.get(end, ())) for end, first in addresses.items()}
        routes = resolve_given_routes(layout, every, findings)
    findings.stop_if_any()
    return Topology(
        name=words.name,
        domain=domain,
        seed=words.seed,
        file=file,
        routing=words.routing or "auto",
        convergence_ns=DEFAULT_CONVERGENCE_NS if words.convergence is None else words.convergence,
        host_jitter_ns=words.host_jitter or 0,
        own_packages=tuple(words.own_packages or ()),
        pool=pool,
        subnet_length=length,
        layout=layout,
        addresses=addresses,
        secondary=secondary,
        routes=routes,
    )


def read_nodes(written: Any, findings: Findings, folder: Path) -> Collection[Node]:
    """The nodes that `written` describes, of which much may be wrong: what is goes to `findings`,
    which may raise it, and is left out."""
    words, _ = read_words(_without_nesting(written, findings), findings)
    return expand_nodes(words, count_members(words, findings), folder, findings).values()


def _without_nesting(written: Any, findings: Findings) -> Any:
    """What stands below `topology`, where containerlab has it, as if it stood at the left.

    So its other words are answered in the same go.
    """
    inner = written.get("topology") if isinstance(written, dict) else None
    if not isinstance(inner, dict) or inner.keys().isdisjoint(("nodes", "links")):
        return written
    message = "`topology` is containerlab's; write `nodes` and `links` without it, not indented"
    findings.report(("topology",), message, at_key=True)
    findings.nest("topology", inner)
    return {key: value for key, value in written.items() if key != "topology"} | inner


def is_scenario(written: Any) -> bool:
    """Whether a file holds a scenario, which names a topology instead of being one."""
    return (
        isinstance(written, dict)
        and ("steps" in written or isinstance(written.get("topology"), str))
        and not ("nodes" in written or "links" in written)
    )


def _pool(written: AddressingWords | None, findings: Findings) -> tuple[Prefix, int]:
    pool = (written.pool if written else None) or DEFAULT_POOL
    # A small pool is cut into smaller subnets, so that there are some.
    derived = max(DEFAULT_SUBNET_LENGTH, min(30, pool[1] + 8))
    length = written.prefix if written else None
    if length is not None and length < pool[1]:
        message = f"a subnet of /{length} does not fit in the pool of /{pool[1]}"
        findings.report(("addressing", "prefix"), f"{message}; write a larger number")
        return pool, derived
    return pool, derived if length is None else length
