"""The plan of a network: plain data that says what every node is made of.

A checked topology becomes a plan; the runtimes build nodes from it and ship a `NodePlan` to the
process (or machine) that runs the node. So nothing here imports more than the standard library,
and everything pickles. IP addresses are packed bytes (4 for IPv4), as in the stack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from netsim.core.errors import Problem
from netsim.core.link_attributes import LinkAttributes
from netsim.core.order_words import FIFO
from netsim.topology.kinds import ATTACHED, KINDS, Kind, Traits

Restart = Literal["never", "on-failure"]
Prefix = tuple[bytes, int]
"""The first address of a subnet, packed, and how many bits all its addresses share."""
NextHop = tuple[bytes, str]
"""The address of a gateway, and the interface that leads to it."""
NextHops = tuple[NextHop, ...]
"""Those of equal cost, which share what there is."""


@dataclass(frozen=True, slots=True)
class InterfacePlan:
    """One interface of a node, that is one end of one link."""

    name: str
    mac: bytes
    address: bytes | None
    """Packed IP address; None on a switch."""
    prefix_length: int
    link: int
    """Index of the link in `NetworkPlan.links`."""
    peer: str
    """Name of the node at the other end."""
    peer_interface: str
    egress: LinkAttributes
    """The direction that leaves this interface."""
    secondary: tuple[Prefix, ...] = ()
    """Further addresses, each with the length of its prefix."""

    @property
    def addresses(self) -> tuple[Prefix, ...]:
        """All of them, with the lengths of their prefixes; none on a switch."""
        first = () if self.address is None else ((self.address, self.prefix_length),)
        return first + self.secondary


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A route beyond the connected subnets. Several to one prefix cost the same."""

    prefix: bytes
    prefix_length: int
    gateway: bytes
    interface: str
    given: bool = False
    """Written by a person: recomputing the routes leaves it."""


@dataclass(frozen=True, slots=True)
class RouteChange:
    """What becomes different in the table of one node. Prefixes that are not named stay."""

    withdrawn: tuple[Prefix, ...] = ()
    routes: tuple[tuple[NextHops, tuple[Prefix, ...]], ...] = ()
    """By next hops the prefixes that are reached over these from now on, and no other way."""

    def __len__(self) -> int:
        """How many prefixes are told."""
        return len(self.withdrawn) + sum(len(prefixes) for _, prefixes in self.routes)


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """A real server outside: a host (name or address) and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """As it is written in a file."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What answers on one TCP port: an application (`"module:attr"`), a folder, a real server."""

    port: int
    app: str | None = None
    """An application whose interface is found out."""
    args: dict[str, Any] = field(default_factory=dict)
    files: str | None = None
    """Absolute path of the folder that is served."""
    asgi: str | None = None
    wsgi: str | None = None
    upstream: UpstreamPlan | None = None
    """The real server that answers."""
    tls: bool = False
    certificate: str = ""
    """Path of the file with its key and certificate, in PEM; there once the network starts."""

    @property
    def reference(self) -> str | None:
        """The `"module:attr"` of the application or its factory, if it is one."""
        return self.app or self.asgi or self.wsgi

    @property
    def interface(self) -> Literal["asgi", "wsgi"] | None:
        """The interface that the file says, if it does."""
        return "asgi" if self.asgi else "wsgi" if self.wsgi else None


@dataclass(frozen=True, slots=True)
class PublishedPortPlan:
    """A real listening socket that enters the network at this node, as in `ssh -L`."""

    listen_host: str
    listen_port: int
    """0 takes a free one."""
    host: str
    """Simulated name or address that connections go to."""
    port: int


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """`run:` of a computer: a function (`"module:attr"`) and its keyword arguments."""

    call: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Everything a process needs to become this node."""

    name: str
    kind: Kind
    interfaces: tuple[InterfacePlan, ...]
    routes: tuple[RoutePlan, ...] = ()
    """Includes the default route of a computer."""
    services: tuple[ServicePlan, ...] = ()
    ports: tuple[PublishedPortPlan, ...] = ()
    run: tuple[ProgramPlan, ...] = ()
    ready: int | str | None = None
    """When `run` serves: a TCP port that is listened at, or a function that returns."""
    env: dict[str, str] = field(default_factory=dict)
    congestion: str = "cubic"
    """TCP's congestion control: `cubic` or `reno`."""
    ecn: bool | None = None
    """Whether TCP offers ECN (RFC 3168); False refuses it too, None agrees where a peer offers."""
    order: str = "fifo"
    """In which order its tasks run that are ready at one instant: `fifo`, `random`, `pct:3`."""
    loopback: tuple[bytes, ...] = ()
    """Addresses of a router that belong to none of its links."""
    restart: Restart = "never"
    """Whether it is started again when it ends without having been told to."""
    outside: bool = False
    """Whether its programs may reach the network of this machine."""
    tap: str | None = None
    """The TAP device of this machine whose holder takes its place."""

    traits: Traits = field(init=False, repr=False, compare=False)
    """What its kind does, or what is left to do where its place is taken."""

    def __post_init__(self) -> None:
        traits = KINDS[self.kind] if self.tap is None else ATTACHED
        object.__setattr__(self, "traits", traits)


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One cable: two ends, each `(node, interface)`."""

    a: tuple[str, str]
    b: tuple[str, str]


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A whole network, nodes and links in the order of the file."""

    name: str
    domain: str
    seed: int
    file: str
    """Absolute path of the topology file; empty for a graph from code."""
    nodes: tuple[NodePlan, ...]
    links: tuple[LinkPlan, ...]
    hosts: dict[str, bytes]
    """Every name that resolves (`web`, `web.campus.test`, `r1` …) to the first address of its
    node, in file order."""
    routing: Literal["auto", "static", "none"] = "auto"
    convergence_ns: int = 50_000_000
    """Network time between a carrier change and the new routes."""
    warnings: tuple[Problem, ...] = ()
    """What was written in the file and hardly does what is wanted."""
    drawn_order: Problem | None = None
    """Where the file first wants an order of tasks that only virtual time has, and what to say of
    it in real time."""
    host_jitter_ns: int = 0
    """How long a computer takes for a packet that arrives, at most; drawn for each one."""
    own_packages: tuple[str, ...] = ()
    """Installed packages of which each computer has its own copy, as they are imported."""

    positions: dict[str, int] = field(init=False, repr=False, compare=False)
    """Where each node stands in `nodes`."""

    def __post_init__(self) -> None:
        positions = {node.name: index for index, node in enumerate(self.nodes)}
        object.__setattr__(self, "positions", positions)

    @property
    def draws_order(self) -> bool:
        """Some computer wants another order of its tasks than asyncio's."""
        return any(node.order != FIFO for node in self.nodes)

    def node(self, name: str) -> NodePlan:
        """The plan of one node; KeyError when there is none of that name."""
        return self.nodes[self.positions[name]]
