"""The vocabulary of a scenario file: checks, faults, the flow of steps, and the file.

As in `netsim.topology.topology_words`, these models check each word by itself; names are held
against the topology afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from netsim.core.order_words import parse_search_order
from netsim.core.units import SIZE
from netsim.scenario import step_values
from netsim.scenario.check_words import (
    CHECKS,
    CheckWords,
    Period,
    ScenarioPart,
    Text,
    Times,
    one_of,
)
from netsim.scenario.scenario_model import FAULT_KINDS, LINK_KINDS
from netsim.topology import json_forms as forms
from netsim.topology.editor_schema import schema_of
from netsim.topology.link_words import DirectionWords
from netsim.topology.values import seed as parse_seed
from netsim.topology.vocabulary import Duration, NodeName

LinkName = Annotated[
    tuple[Any, Any],
    PlainValidator(step_values.link),
    WithJsonSchema(forms.ENDPOINTS | {"examples": [["r1", "r2"]]}),
]
FilePath = Annotated[str, PlainValidator(step_values.file_path), WithJsonSchema(step_values.FILE)]

# Faults ---------------------------------------------------------------------------------------


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


Port = Annotated[int, PlainValidator(step_values.port), WithJsonSchema(step_values.PORT)]
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
    port: Port | None = None
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
    port: Port = Field(examples=["80"])
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


class CaptureWords(ScenarioPart):
    """Writes what passes an interface from now on to a pcapng file."""

    at: Annotated[
        Any,
        PlainValidator(step_values.watched_points),
        WithJsonSchema(step_values.WATCHED_POINTS),
    ] = Field(examples=["r1:eth0"])
    """`r1:eth0`, or `r1` for all of its interfaces; or a list of such."""
    to: FilePath = Field(examples=["out.pcapng"])
    """The file; relative to the scenario's. Several captures may share one."""


class RecordWords(ScenarioPart):
    """Measures queues, rates and TCP from now on, into a CSV file and the report."""

    at: Annotated[
        Any,
        PlainValidator(step_values.watched_points),
        WithJsonSchema(step_values.WATCHED_POINTS),
    ] = Field(examples=["[r1:eth0, alice]"])
    """Interfaces, `r1:eth0`, and nodes with all of theirs and their TCP connections."""
    to: FilePath = Field(examples=["out.csv"])
    """The file; relative to the scenario's."""
    every: Period | None = None
    """From one measurement to the next; 10ms where it is left out."""


# The flow of steps ----------------------------------------------------------------------------


_INVARIANTS = (*CHECKS, "eventually")


class EventuallyWords(CheckWords):
    """A check that is repeated until it holds."""

    within: Period = Field(examples=["10s"])
    """How long that may take."""
    every: Period | None = None
    """From one try to the next; 100ms where it is left out."""


def _as_list(written: object) -> object:
    return [written] if isinstance(written, dict) else written


class RepeatWords(ScenarioPart):
    """Steps, one after the other, several times."""

    times: Times = Field(examples=["10"])
    """How often."""
    steps: list[StepWords] = Field(examples=["[{wait: 1s}]"])
    """What is repeated."""


class AlwaysWords(ScenarioPart):
    """Checks that must hold each time while other steps run."""

    every: Period = Field(examples=["1s"])
    """From the start of one round of checks to that of the next."""
    steps: list[CheckWords] = Field(examples=["[{ping: {from: alice, to: web}}]"])
    """The checks."""
    while_: Annotated[
        list[StepWords],
        BeforeValidator(_as_list, json_schema_input_type="StepWords | list[StepWords]"),
    ] = Field(examples=["{wait: 30s}"])
    """What runs meanwhile: a step, or a list of them."""


_FAULTS = (
    "down", "up", "hold", "release", "flap", "set", "reset",
    "partition", "drop", "isolate", "reset_connections", "cut_connections", "stall_connections",
    "slow_close", "refuse_connections", "repair", "crash", "stop", "start", "restart",
    "kill_program", "pause", "resume",
)  # fmt: skip
VERBS = (
    *CHECKS, *_FAULTS, "wait", "parallel", "repeat", "always", "eventually", "capture", "record",
)  # fmt: skip


class StepWords(CheckWords):
    """One step: a verb and its arguments."""

    model_config = one_of(VERBS)
    short_form = step_values.REPAIR
    verbs: ClassVar[tuple[str, ...]] = VERBS

    eventually: EventuallyWords | None = None
    """A check that is repeated until it holds."""
    down: LinkFaultWords | None = None
    """Cuts a link: its ends lose their carrier."""
    up: LinkFaultWords | None = None
    """Mends it."""
    hold: LinkFaultWords | None = None
    """Packets on a link wait; none is lost."""
    release: LinkFaultWords | None = None
    """Lets them go."""
    flap: FlapWords | None = None
    """Takes a link down and up again."""
    set_: SetWords | None = None
    """Changes delay, loss, bandwidth … of a link."""
    reset: LinkFaultWords | None = None
    """Makes a link what the topology says."""
    partition: PartitionWords | None = None
    """Cuts all paths between two groups of nodes."""
    repair: ScenarioPart | None = None
    """Ends all partitions, and what vanishes or goes wrong."""
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
    crash: NodeFaultWords | None = None
    """Cuts the power of a node."""
    stop: NodeFaultWords | None = None
    """Stops a node; its programs may shut down."""
    start: NodeFaultWords | None = None
    """Starts a node that is down."""
    restart: NodeFaultWords | None = None
    """Starts a node again, which is stopped before if it is up."""
    kill_program: NodeFaultWords | None = None
    """Kills what runs on a computer; the machine lives, and closes its sockets."""
    pause: NodeFaultWords | None = None
    """Lets what runs on a computer stand still."""
    resume: NodeFaultWords | None = None
    """Lets it go on."""
    wait: Duration | None = None
    """Lets network time pass."""
    parallel: list[StepWords] | None = None
    """Steps that run at the same time; done when all are."""
    repeat: RepeatWords | None = None
    """Steps that run several times."""
    always: AlwaysWords | None = None
    """Checks that must hold all the time while other steps run."""
    capture: CaptureWords | None = None
    """Writes a pcapng file."""
    record: RecordWords | None = None
    """Writes measurements of queues, rates and TCP to a CSV file."""
    continue_: bool | None = None
    """`true`: the scenario goes on when this does not hold; it still counts as failed."""

    @model_validator(mode="before")
    @classmethod
    def _repair_needs_no_arguments(cls, written: Any) -> Any:
        if written == "repair":
            return {"repair": {}}
        if isinstance(written, dict) and written.get("repair", ...) is None:
            return written | {"repair": {}}
        return written


# The file -------------------------------------------------------------------------------------


class LimitWords(ScenarioPart):
    """What ends a scenario that would run for ever."""

    time: Period | None = None
    """Network time."""
    wall: Period | None = None
    """Time on the wall."""


class PlannedFaultWords(ScenarioPart):
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
    drop: DropWords | None = None
    """Lets packets vanish from one node to another."""
    isolate: PartitionWords | None = None
    """Lets packets vanish between two groups of nodes."""
    reset_connections: ResetWords | None = None
    """Resets connections to a service."""
    cut_connections: CutWords | None = None
    """Ends connections to a service in the middle."""
    stall_connections: ConnectionWords | None = None
    """Lets nothing come through connections to a service."""
    slow_close: SlowCloseWords | None = None
    """Has a service close its connections late."""
    refuse_connections: RefuseWords | None = None
    """Refuses connections to a service."""

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


class InvariantWords(CheckWords):
    """A check that must hold after every step."""

    model_config = one_of(_INVARIANTS)
    verbs: ClassVar[tuple[str, ...]] = _INVARIANTS

    eventually: EventuallyWords | None = None
    """A check that must hold within some time: what may fail while something is broken."""


class LogWords(ScenarioPart):
    """A line that a program logs or prints."""

    node: NodeName = Field(examples=["web"])
    """On which node."""
    text: Text = Field(examples=["trying again"])
    """Must be part of the line."""


_SOMETIMES = (*CHECKS, "log")


class SometimesWords(CheckWords):
    """What must be true after some step of some run."""

    model_config = one_of(_SOMETIMES)
    verbs: ClassVar[tuple[str, ...]] = _SOMETIMES

    log: LogWords | None = None
    """A line in the logs, at any time of the run."""


class ScenarioWords(ScenarioPart):
    """A whole scenario file."""

    name: Annotated[
        str, PlainValidator(step_values.scenario_name), WithJsonSchema(step_values.SCENARIO_NAME)
    ] = Field(examples=["the uplink fails"])
    """What it shows, in a line."""
    topology: FilePath = Field(examples=["../../topologies/campus.yaml"])
    """The topology file; relative to this one."""
    time: Literal["virtual", "real"] | None = None
    """`virtual` (where it is left out): time jumps, and runs repeat; `real`: in processes."""
    order: (
        Annotated[str, PlainValidator(parse_search_order), WithJsonSchema(step_values.SEARCH_ORDER)]
        | None
    ) = None
    """Which of the tasks that are ready on a computer runs next, in virtual time: `fifo`, `random`,
    `pct:3`, or each after the other in runs of their own, `exhaustive`; what the topology says
    where it is left out."""
    seed: Annotated[int, PlainValidator(parse_seed), WithJsonSchema(forms.SEED)] | None = None
    """Every random choice derives from it; the topology's, else 0, where it is left out."""
    limits: LimitWords | None = None
    """What ends it if nothing else does."""
    steps: list[StepWords] = Field(examples=["[{ping: {from: alice, to: web}}]"])
    """What is done, in order."""
    invariants: list[InvariantWords] | None = None
    """Checked after every step and at the end."""
    sometimes: list[SometimesWords] | None = None
    """Checked after every step: what never held in any run of a sweep is told."""
    expected_errors: list[Text] | None = None
    """Parts of errors that programs may log; any other one fails the scenario."""
    faults: list[PlannedFaultWords] | None = None
    """Faults beside the steps, which are only load then: what must hold are the invariants."""
    explore: ExploreWords | None = None
    """What `netsim test --explore` may break."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_topology(cls, written: Any) -> Any:
        if isinstance(written, dict) and "nodes" in written and "steps" not in written:
            raise ValueError(
                "this is a topology file; start it with `netsim up`, or write a scenario "
                "that names it: `topology: FILE`"
            )
        return written

    @model_validator(mode="after")
    def _does_something(self) -> ScenarioWords:
        if not self.steps:
            raise ValueError("there are no steps; write for example `- wait: 1s`")
        if self.faults and not self.invariants:
            raise ValueError(
                "beside `faults` only `invariants` count, and there are none; write some"
            )
        return self


for _model in (RepeatWords, AlwaysWords):
    # They name steps, which are defined after them: only now their keys are known.
    _model.model_rebuild(force=True)


def scenario_schema() -> dict[str, Any]:
    """The schema as a document, of draft 7; names are left to `netsim test`."""
    return schema_of(ScenarioWords, "netsim scenario")
