"""What the supervisor of a network and its sites say to each other.

Every message is one of these records, with one encoding (`netsim.realtime.encoding`). Times (`at`)
are network time in ns. A question carries a `number`, and its answer carries the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.observe.captured import CapturedBatch, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.hop_events import HopFilter
from netsim.observe.measurement import Batch, Watched
from netsim.observe.pcapng import CaptureTarget
from netsim.site.accounting import NodeCounters
from netsim.site.backend import LinkChange
from netsim.topology.plan import RouteChange

Stream = Literal["stdout", "stderr"]
READY_TIMEOUT: Final = 30.0
"""Seconds of network time within which `ready:` comes true."""


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of one node.

    With the network it finds its wires attached and its cables as planned. Later it begins in
    `conditions`, without a carrier anywhere, and says `Booted`; it gets wires, and is told to start
    its services when they are plugged in.
    """

    node: str
    boots: int = 0
    """How often it has started before."""
    conditions: Mapping[str, LinkCondition] | None = None
    """Of the directions that leave it, by interface; None when it starts with the network."""
    captures: tuple[CaptureTarget, ...] = ()
    """Of the boot before, which go on."""
    directory: str = ""
    """The network's, in which computers have theirs (`site/directories.py`)."""


# To a site -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dialled:
    """The connected socket comes with it, or there is none: the `errno`, and its words."""

    number: int
    error: int = 0
    text: str | None = None


@dataclass(frozen=True, slots=True)
class StartServices:
    """The wires of a node that was started later are plugged in: its services may start."""

    node: str


@dataclass(frozen=True, slots=True)
class StartPrograms:
    """The whole network is up: `run:` may start.

    Answered when it serves, with an error's text or None.
    """

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Let programs shut down, and end."""


@dataclass(frozen=True, slots=True)
class AttachWires:
    """New wires for an interface. Their receiving and their sending end come with it."""

    node: str
    interface: str


@dataclass(frozen=True, slots=True)
class NeighbourGone:
    """The process at the other end of an interface's cable has ended."""

    node: str
    interface: str


@dataclass(frozen=True, slots=True)
class ChangeLinks:
    """At `at` put directions of links into new conditions; answered when that time has come."""

    number: int
    at: int
    changes: tuple[LinkChange, ...]


@dataclass(frozen=True, slots=True)
class SetFaults:
    """At `at` hosts suffer these faults, and no others; answered when that time has come."""

    number: int
    at: int
    faults: Mapping[str, HostFaults]


@dataclass(frozen=True, slots=True)
class KillProgram:
    """End the programs of a node as SIGKILL does; answered when their sockets are closed."""

    number: int
    node: str


@dataclass(frozen=True, slots=True)
class StartProgram:
    """Start them again; answered with None, or with why they do not come up."""

    number: int
    node: str


@dataclass(frozen=True, slots=True)
class Pause:
    """From now on the programs of a node stand still, or go on; answered."""

    number: int
    node: str
    paused: bool


@dataclass(frozen=True, slots=True)
class InstallRoutes:
    """At `at` tables of the site's nodes change; `dead` are all links that are down then."""

    at: int
    changes: Mapping[str, RouteChange]
    dead: frozenset[int]


@dataclass(frozen=True, slots=True)
class AskFacts:
    """Answered with what `inspect` shows of a node."""

    number: int
    node: str


@dataclass(frozen=True, slots=True)
class Capture:
    """Append what passes interfaces to a file; answered with an error's text or None."""

    number: int
    node: str
    target: CaptureTarget


@dataclass(frozen=True, slots=True)
class BeginCapture:
    """Tell what passes interfaces from now on; `Captured` follows, again and again."""

    capture: int
    points: Points
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class EndCapture:
    """Capture no more; answered with a `CapturedBatch` of what was not told yet."""

    number: int
    capture: int


@dataclass(frozen=True, slots=True)
class Record:
    """Measure nodes from `at` on, every so many ns; `Recorded` follows, again and again."""

    recording: int
    watched: Watched
    every_ns: int
    at: int


@dataclass(frozen=True, slots=True)
class EndRecording:
    """Measure no more; answered with a `Batch` of what was not told yet."""

    number: int
    recording: int


@dataclass(frozen=True, slots=True)
class ObserveFrames:
    """Keep the last frames from now on, and what became of them."""


@dataclass(frozen=True, slots=True)
class AskFrames:
    """Answered with the frames that were kept."""

    number: int


@dataclass(frozen=True, slots=True)
class BeginHops:
    """Note what happens to some frames, for the trace with this key; answered."""

    number: int
    trace: int
    chosen: HopFilter


@dataclass(frozen=True, slots=True)
class EndHops:
    """Note no more; answered with a `HopBatch`."""

    number: int
    trace: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Take part in a consistent cut through the network; see `CutDone`."""

    number: int


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool at a node; `Output` and `Exited` follow."""

    number: int
    node: str
    argv: tuple[str, ...]
    cwd: str
    json: bool


@dataclass(frozen=True, slots=True)
class OutputTaken:
    """What the tool of that number had printed when it asked is taken: it may go on."""

    number: int


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C for the tool of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class Call:
    """Call a function on a node, see `netsim.site.calls`; answered with its outcome."""

    number: int
    node: str
    call: bytes


@dataclass(frozen=True, slots=True)
class CancelCall:
    """Nobody waits any more for the call of that number."""

    number: int


# From a site -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Booted:
    """A node that was started later can be given wires."""

    node: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A node's services listen, and its published ports, at these addresses of this machine."""

    node: str
    ports: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A node does not come up; the reason is for a person to read."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class CarrierChanged:
    """At `at` an interface has lost or found its carrier."""

    node: str
    interface: str
    up: bool
    at: int


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to a server outside the network; answered with `Dialled`."""

    number: int
    node: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Logged:
    """A node or its programs have logged a line; levels as in `logging`."""

    node: str
    level: int
    text: str
    goes_on: bool = False
    """It belongs to the message whose line came before."""


@dataclass(frozen=True, slots=True)
class ProgramFailed:
    """A program under `run` has ended with an exception; the text is for a person to read."""

    node: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """To the question of that number."""

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class Captured:
    """What has passed for the live capture of that number."""

    capture: int
    batch: CapturedBatch


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the recording of that number has measured."""

    recording: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class CutDone:
    """The counters of the site's nodes at the cut of that number, by node."""

    number: int
    counters: dict[str, NodeCounters]


@dataclass(frozen=True, slots=True)
class Output:
    """What the tool of that number has printed."""

    number: int
    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True)
class AskTaken:
    """The tool of that number has printed much, and waits for `OutputTaken`."""

    number: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The tool of that number has ended."""

    number: int
    code: int
