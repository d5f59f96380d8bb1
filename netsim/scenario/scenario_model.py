"""A checked scenario: plain data that a runner follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from netsim.core.units import format_duration

if TYPE_CHECKING:
    from netsim.topology.checked_topology import Topology

Time = Literal["virtual", "real"]


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
    kind: Literal["down", "hold", "crash"]
    subject: tuple[str, ...]
    """A link's two ends (`NODE` or `NODE:INTERFACE`), or one node."""
    lasting_ns: int

    @property
    def healed_ns(self) -> int:
        """When it is over, counted like `at_ns`."""
        return self.at_ns + self.lasting_ns

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": " – ".join(self.subject),
            "at_ns": self.at_ns,
            "lasting_ns": self.lasting_ns,
        }

    def __str__(self) -> str:
        what = " – ".join(self.subject)
        when = f"at {format_duration(self.at_ns)} for {format_duration(self.lasting_ns)}"
        return f"{self.kind} {what} {when}"


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
    seed: int | None = None
    """None: the topology's, else 0."""
    time_limit_ns: int | None = None
    """Network time."""
    wall_limit_ns: int | None = None
    expected_errors: tuple[str, ...] = ()
    faults: tuple[PlannedFault, ...] = ()
    """Where there are some, the steps are load: only invariants and the end of the run count."""
    explore: ExploreBudget | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)
    """The file's data as it was written, for tools that write scenarios."""
