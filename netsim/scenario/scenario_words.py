"""The vocabulary of a scenario file: what stands in it beside the steps, and the file.

As in `netsim.topology.topology_words`, these models check each word by itself; names are held
against the topology afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from netsim.core.order_words import parse_search_order
from netsim.scenario import step_values
from netsim.scenario.check_words import CHECKS, CheckWords, Period, ScenarioPart, Text, one_of
from netsim.scenario.fault_words import ExploreWords, PlannedFaultWords
from netsim.scenario.step_words import EventuallyWords, FilePath, StepWords
from netsim.topology import json_forms as forms
from netsim.topology.editor_schema import schema_of
from netsim.topology.values import seed as parse_seed
from netsim.topology.vocabulary import NodeName

_INVARIANTS = (*CHECKS, "eventually")
_SOMETIMES = (*CHECKS, "log")


class LimitWords(ScenarioPart):
    """What ends a scenario that would run for ever."""

    time: Period | None = None
    """Network time."""
    wall: Period | None = None
    """Time on the wall."""


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


def scenario_schema() -> dict[str, Any]:
    """The schema as a document, of draft 7; names are left to `netsim test`."""
    return schema_of(ScenarioWords, "netsim scenario")
