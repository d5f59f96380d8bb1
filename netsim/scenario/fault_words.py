"""The vocabulary of faults: in steps, at their own times, and those that a search may draw.

As in `netsim.topology.topology_words`, these models check each word by itself; names are held
against the topology afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from netsim.core.units import SIZE
from netsim.scenario import step_values
from netsim.scenario.check_words import Period, ScenarioPart, Times, one_of
from netsim.scenario.scenario_model import FAULT_KINDS, LINK_KINDS
from netsim.topology import json_forms as forms
from netsim.topology.link_words import DirectionWords
from netsim.topology.vocabulary import Duration, NodeName

LinkName = Annotated[
    tuple[Any, Any],
    PlainValidator(step_values.link),
    WithJsonSchema(forms.ENDPOINTS | {"examples": [["r1", "r2"]]}),
]


class LinkFaultWords(ScenarioPart):
    """A link and nothing more."""

    link: LinkName = Field(examples=["[r1, r2]"])
    """Its two ends; `[r1:eth1, r2]` where there are several links between them."""


class FlapWords(LinkFaultWords):
    """Takes a link down and up again; done when it has been up for the last time."""

    period: Period = Field(examples=["2s"])
    """Down for half of it, up for the other half."""
    times: Times | None = None
    """How often; once where it is left out."""


class SetWords(DirectionWords, LinkFaultWords):
    """Changes a link; what is not named stays as it is."""

    from_: (
        Annotated[str, PlainValidator(step_values.node_name), WithJsonSchema(forms.NAME)] | None
    ) = None
    """Only in the direction that leaves this end."""

    @model_validator(mode="after")
    def _changes_something(self) -> SetWords:
        if all(getattr(self, word) is None for word in DirectionWords.words()):
            raise ValueError("nothing is set; write for example `loss: 5%` or `delay: 80ms`")
        return self


class PartitionWords(ScenarioPart):
    """Two groups of nodes that are to be parted."""

    between: Annotated[
        tuple[tuple[str, ...], tuple[str, ...]],
        PlainValidator(step_values.groups),
        WithJsonSchema(step_values.GROUPS),
    ] = Field(examples=["[[alice, bob], [web]]"])
    """The two groups."""


class NodeFaultWords(ScenarioPart):
    """A node and nothing more."""

    node: NodeName = Field(examples=["r2"])
    """Its name."""


PortNumber = Annotated[int, PlainValidator(step_values.port), WithJsonSchema(step_values.PORT)]
ByteCount = Annotated[int, PlainValidator(step_values.byte_count), WithJsonSchema(SIZE.form)]


class DropWords(ScenarioPart):
    """Packets that vanish on arrival; carriers stay, and nobody is told."""

    from_: NodeName = Field(examples=["alice"])
    """Who sends them."""
    to: NodeName = Field(examples=["web"])
    """To whom."""
    both_ways: bool | None = None
    """`true`: those that come back, too."""
    protocol: Literal["tcp", "udp", "icmp"] | None = None
    """Only those of it."""
    port: PortNumber | None = None
    """Only those of TCP and UDP from or to this port."""

    @model_validator(mode="after")
    def _can_be(self) -> DropWords:
        if self.from_ == self.to:
            raise ValueError(f"`{self.to}` is both ends; write two nodes")
        if self.protocol == "icmp" and self.port is not None:
            raise ValueError("icmp has no ports; write tcp or udp, or leave `port` out")
        return self


class ConnectionWords(ScenarioPart):
    """TCP connections to a service: those that are open, and those to come."""

    to: NodeName = Field(examples=["web"])
    """Whose service it is."""
    port: PortNumber = Field(examples=["80"])
    """Its port."""
    from_: NodeName | None = None
    """Only those from this node; from everywhere where it is left out."""

    @model_validator(mode="after")
    def _has_two_ends(self) -> ConnectionWords:
        if self.from_ == self.to:
            raise ValueError(f"`{self.to}` is both ends; write two nodes")
        return self


class ResetWords(ConnectionWords):
    """Connections that are reset."""

    after: ByteCount | None = None
    """When the service has sent so many bytes; at once, and only the open ones, without it."""


class CutWords(ConnectionWords):
    """Connections that end early."""

    after: ByteCount = Field(examples=["64KiB"])
    """When the service has sent so many bytes."""


class SlowCloseWords(ConnectionWords):
    """Connections that are closed late."""

    delay: Period = Field(examples=["5s"])
    """How much longer that takes."""


class RefuseWords(ConnectionWords):
    """Connections that are refused."""

    first: Times | None = None
    """So many of them; all where it is left out."""


# Beside the steps -----------------------------------------------------------------------------


class TrafficFaultWords(ScenarioPart):
    """Faults of what passes, in a step and beside the steps."""

    drop: DropWords | None = None
    """Lets packets vanish from one node to another."""
    isolate: PartitionWords | None = None
    """Lets packets vanish between two groups of nodes; carriers stay."""
    reset_connections: ResetWords | None = None
    """Resets connections to a service."""
    cut_connections: CutWords | None = None
    """Ends connections to a service in the middle."""
    stall_connections: ConnectionWords | None = None
    """Lets nothing come through connections to a service, without a word."""
    slow_close: SlowCloseWords | None = None
    """Has a service close its connections late."""
    refuse_connections: RefuseWords | None = None
    """Refuses connections to a service."""


class PlannedFaultWords(TrafficFaultWords):
    """A fault that comes at its own time, beside the steps, and goes again."""

    model_config = one_of(FAULT_KINDS)

    at: Duration = Field(examples=["2s"])
    """When it comes: network time since the first step began."""
    lasting: Period = Field(examples=["10s"])
    """How long it lasts; then it is mended."""
    down: LinkFaultWords | None = None
    """Cuts a link."""
    hold: LinkFaultWords | None = None
    """Packets on a link wait."""
    crash: NodeFaultWords | None = None
    """Cuts the power of a node, which starts again afterwards."""
    kill_program: NodeFaultWords | None = None
    """Kills what runs on a computer, which is started again afterwards."""
    pause: NodeFaultWords | None = None
    """Lets what runs on a computer stand still."""

    @property
    def kind(self) -> str:
        """The one that is written."""
        return next(kind for kind in FAULT_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _is_one_fault(self) -> PlannedFaultWords:
        written = [kind for kind in FAULT_KINDS if getattr(self, kind) is not None]
        if not written:
            raise ValueError(f"a fault is missing; write one of {', '.join(FAULT_KINDS)}")
        if len(written) > 1:
            shown = " and ".join(f"`{kind}`" for kind in written)
            raise ValueError(f"{shown} are {len(written)} faults; write each by itself")
        return self


FaultKind = Literal[
    "down", "hold", "crash", "kill_program", "pause", "drop", "isolate", "reset_connections",
    "cut_connections", "stall_connections", "slow_close", "refuse_connections",
]  # fmt: skip


class ExploreFaultWords(ScenarioPart):
    """What may break, how often, for how long."""

    links: list[LinkName] | None = None
    """Links that may go down or be held."""
    nodes: list[NodeName] | None = None
    """Nodes that may crash or fail otherwise, with their packets and services."""
    kinds: list[FaultKind] | None = None
    """What may happen to them; everything that fits where it is left out."""
    at_most: Times | None = None
    """Faults in one run; 3 where it is left out."""
    lasting: Period | None = None
    """How long a fault lasts; 30s where it is left out."""

    @model_validator(mode="after")
    def _has_something_to_break(self) -> ExploreFaultWords:
        if not self.links and not self.nodes:
            raise ValueError("nothing may break; write `links: [[r1, r2]]` or `nodes: [r3]`")
        kinds = self.kinds or []
        of_nodes = [kind for kind in kinds if kind not in LINK_KINDS]
        if of_nodes and not self.nodes:
            shown = f"`{of_nodes[0]}`"
            raise ValueError(f"{shown} is for nodes; write `nodes: [r3]` too, or leave it out")
        if kinds and of_nodes == kinds and self.links:
            raise ValueError(f"`{kinds[0]}` is not for links; write `down` or `hold` too")
        return self


class ExploreWords(ScenarioPart):
    """What `netsim test --explore` may break."""

    faults: ExploreFaultWords = Field(examples=["{links: [[r1, r2]], at_most: 3}"])
    """The faults it may draw."""
