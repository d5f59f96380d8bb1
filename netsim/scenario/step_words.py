"""The vocabulary of steps: a verb for each, and the flow of several.

As in `netsim.topology.topology_words`, these models check each word by itself; names are held
against the topology afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

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
from netsim.scenario.fault_words import (
    FlapWords,
    LinkFaultWords,
    NodeFaultWords,
    PartitionWords,
    SetWords,
    TrafficFaultWords,
)
from netsim.topology.vocabulary import Duration

FilePath = Annotated[str, PlainValidator(step_values.file_path), WithJsonSchema(step_values.FILE)]


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
    filter: Text | None = Field(default=None, examples=["tcp port 80"])
    """Which packets, in tcpdump's words; all where it is left out."""


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


class StepWords(TrafficFaultWords, CheckWords):
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


for _model in (RepeatWords, AlwaysWords):
    # They name steps, which are defined after them: only now their keys are known.
    _model.model_rebuild(force=True)
