"""The checked topology: counts unrolled, defaults applied, names resolved, addresses assigned.

It is what a topology file or a graph from code amounts to, before anything is laid out for a
runtime. Addresses are packed bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from netsim.core.errors import Problem
from netsim.core.link_attributes import LinkAttributes
from netsim.topology.kinds import ATTACHED, KINDS, Kind, Traits
from netsim.topology.plan import ProgramPlan, PublishedPortPlan, Restart, RoutePlan, ServicePlan

LOOPBACK = "lo"
DEFAULT_POOL = (bytes((10, 0, 0, 0)), 8)
DEFAULT_SUBNET_LENGTH = 24
DEFAULT_CONVERGENCE_NS = 50_000_000


class End(NamedTuple):
    """One end of a link."""

    node: str
    interface: str


class GivenRoute(NamedTuple):
    """A route in a person's words: packed prefix, its length, and an address or a node's name."""

    prefix: bytes
    prefix_length: int
    via: bytes | str
    path: Sequence[object]


@dataclass(frozen=True, slots=True)
class Node:
    """One node. Given addresses are by interface; under "" for the only one there is.

    Those of `LOOPBACK` are the node's own.
    """

    name: str
    kind: Kind
    path: Sequence[object]
    """Where it is written; nodes of one `count` share it."""
    given_addresses: dict[str, tuple[tuple[bytes, int], ...]] = field(default_factory=dict)
    given_routes: tuple[GivenRoute, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    services: tuple[ServicePlan, ...] = ()
    ports: tuple[PublishedPortPlan, ...] = ()
    run: tuple[ProgramPlan, ...] = ()
    congestion: str = "cubic"
    ecn: bool | None = None
    order: str = "fifo"
    ready: int | str | None = None
    restart: Restart = "never"
    outside: bool = False
    tap: str | None = None

    @property
    def traits(self) -> Traits:
        """What its kind does, or what is left to do where its place is taken."""
        return KINDS[self.kind] if self.tap is None else ATTACHED


@dataclass(frozen=True, slots=True)
class Link:
    """One cable."""

    a: End
    b: End
    a_to_b: LinkAttributes
    b_to_a: LinkAttributes
    path: Sequence[object]


@dataclass(frozen=True, slots=True)
class Layout:
    """Nodes by name and links, both in the order of the file."""

    nodes: dict[str, Node]
    links: tuple[Link, ...]

    def interfaces(self) -> dict[str, list[str]]:
        """The interfaces of each node, in link order."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for link in self.links:
            for end in (link.a, link.b):
                found[end.node].append(end.interface)
        return found


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that was written, checked."""

    name: str
    domain: str
    seed: int | None
    file: str
    """Absolute path of the topology file; empty for a graph from code."""
    routing: Literal["auto", "static", "none"]
    convergence_ns: int
    host_jitter_ns: int
    own_packages: tuple[str, ...]
    """Names as they are imported."""
    pool: tuple[bytes, int]
    subnet_length: int
    layout: Layout
    addresses: dict[End, tuple[bytes, int]]
    """Packed address and prefix length of every end that is not at a switch."""
    secondary: dict[End, tuple[tuple[bytes, int], ...]]
    """Further addresses that were given."""
    routes: dict[str, tuple[RoutePlan, ...]]
    """What `gateway` and `routes` came to, by node."""
    warnings: tuple[Problem, ...] = ()
    """What was written in its file and hardly does what is wanted."""
    drawn_order: Problem | None = None
    """Where the file first wants an order of tasks that only virtual time has, and what to say of
    it in real time."""
