"""A checked scenario: plain data that a runner follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netsim.core.time import Time
from netsim.core.units import format_duration

if TYPE_CHECKING:
    from netsim.topology.checked_topology import Topology

LINK_KINDS: Final = ("down", "hold")
NODE_KINDS: Final = ("crash", "kill_program", "pause")
PACKET_KINDS: Final = ("drop", "isolate")
CONNECTION_KINDS: Final = (
    "reset_connections",
    "cut_connections",
    "stall_connections",
    "slow_close",
    "refuse_connections",
)
FAULT_KINDS: Final = (*LINK_KINDS, *NODE_KINDS, *PACKET_KINDS, *CONNECTION_KINDS)
"""Of faults beside the steps."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step with those inside it."""

    verb: str
    words: Any
    """The checked arguments: a model of `check_words` or `schema`, ns for `wait`."""
    written: Mapping[str, Any]
    """The arguments as they stand in the file."""
    text: str
    """The step in a line."""
    line: int
    column: int
    goes_on: bool = False
    """The scenario goes on when it does not hold."""
    steps: tuple[Step, ...] = ()
    """Of `parallel`, `repeat`, `eventually`; what runs meanwhile, of `always`."""
    checks: tuple[Step, ...] = ()
    """Of `always`."""


@dataclass(frozen=True, slots=True, order=True)
class PlannedFault:
    """A fault that comes at a time of its own, whatever step is going on, and goes again."""

    at_ns: int
    """After the first step began, in network time."""
    kind: str
    """One of `FAULT_KINDS`."""
    subject: tuple[str, ...]
    """A link's two ends (`NODE` or `NODE:INTERFACE`); one node; who sends and to whom; two groups
    (`alice, bob`); a node and a port."""
    lasting_ns: int
    options: tuple[tuple[str, Any], ...] = ()
    """What else the step of this name takes, checked, in the order of the names."""

    @property
    def healed_ns(self) -> int:
        """When it is over, counted like `at_ns`."""
        return self.at_ns + self.lasting_ns

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.place,
            "at_ns": self.at_ns,
            "lasting_ns": self.lasting_ns,
        }

    @property
    def place(self) -> str:
        """What breaks, for a person: `r1 – r2`, `r3`, `alice → web`, `alice | web`, `web:80`."""
        options = dict(self.options)
        if self.kind == "drop":
            arrow = " ↔ " if options.pop("both_ways", None) else " → "
            shown = arrow.join(self.subject)
        elif self.kind in CONNECTION_KINDS:
            source = options.pop("from", None)
            shown = ":".join(self.subject) if source is None else f"{source} → {self.subject[0]}"
            shown += "" if source is None else f":{self.subject[1]}"
        else:
            shown = (" | " if self.kind == "isolate" else " – ").join(self.subject)
        return ", ".join([shown, *(f"{key} {_shown(key, options[key])}" for key in options)])

    def __str__(self) -> str:
        when = f"at {format_duration(self.at_ns)} for {format_duration(self.lasting_ns)}"
        return f"{self.kind} {self.place} {when}"


def _shown(option: str, value: Any) -> str:
    if option == "delay":
        return format_duration(value)
    return f"{value} B" if option == "after" else str(value)


@dataclass(frozen=True, slots=True)
class ExploreBudget:
    """What a search for faults may break."""

    links: tuple[tuple[str, str], ...]
    """Each by its ends, `NODE` or `NODE:INTERFACE`."""
    nodes: tuple[str, ...]
    kinds: tuple[str, ...]
    at_most: int
    lasting_ns: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file, checked."""

    name: str
    file: str
    """As it was named by whoever loads it."""
    folder: Path
    """Where the file is; paths and modules in it are relative to it."""
    topology: Topology
    steps: tuple[Step, ...]
    invariants: tuple[Step, ...] = ()
    time: Time = "virtual"
    order: str | None = None
    """Of tasks that are ready at one instant; None: what the topology says."""
    sometimes: tuple[Step, ...] = ()
    """What must be true at some time in some run of a sweep."""
    seed: int | None = None
    """None: the topology's, else 0."""
    time_limit_ns: int | None = None
    """Network time."""
    wall_limit_ns: int | None = None
    expected_errors: tuple[str, ...] = ()
    faults: tuple[PlannedFault, ...] = ()
    """Where there are some, the steps are load: only invariants and the end of the run count."""
    explore: ExploreBudget | None = None
    traces_requests: bool = False
    """What its `http` steps ask for is followed hop by hop, for a report of those that fail."""
    sources: Mapping[str, Any] = field(default_factory=dict)
    """The file's data as it was written, for tools that write scenarios."""
