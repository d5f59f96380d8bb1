"""What a network needs of whoever runs its nodes: processes in real time, or virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.observe.captured import CapturedBatch, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.frame_log import FrameRecord
from netsim.observe.hop_events import HopBatch, HopFilter
from netsim.observe.late import Late
from netsim.observe.link_account import LinkAccount
from netsim.observe.measurement import Batch, Watched
from netsim.topology.plan import RouteChange

Print = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Takes what a tool prints."""
Progress = Callable[[int, int], None]
"""Takes the number of nodes that are ready, and of all."""
LinkChange = tuple[int, str, LinkCondition]
"""The index of a link, the node that owns one of its directions, and what that becomes like."""


async def at_once() -> None:
    """What is printed is taken as it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """A tool that is to be run at a node, and the terminal of whoever asked for it."""

    argv: tuple[str, ...]
    """Its name, and its arguments."""
    cwd: str
    """Where it reads and writes files."""
    output: Print
    taken: Callable[[], Awaitable[None]] = at_once
    """Waits until whoever reads has taken what was printed so far."""
    interrupt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by Ctrl-C at the terminal."""
    json: bool = False
    """Print one JSON document instead of text."""


class Backend(Protocol):
    """Runs the nodes of one network. Nodes and interfaces that are named exist."""

    def lead_ns(self, nodes: int, parts: int) -> int:
        """How far ahead of its time a change has to be announced to happen everywhere at once.

        `nodes` have to be told of it, `parts` of it (routes, conditions) in all.
        """

    async def start(self, on_progress: Progress | None) -> None:
        """Bring every node up; StartError names one that did not and why. `stop` is due then."""

    async def stop(self, grace: float) -> None:
        """End every node; programs may shut down for `grace` seconds. Nothing is left."""

    def kill(self) -> None:
        """End everything now; `stop` still has to be awaited."""

    def now(self) -> int:
        """Network time in ns."""

    def change_links(self, at: int, changes: list[LinkChange]) -> Awaitable[None]:
        """At network time `at` put directions of links into new conditions; done when they are.

        A direction whose node is down is left: `start_node` is told its condition.
        """

    def set_faults(self, at: int, faults: Mapping[str, HostFaults]) -> Awaitable[None]:
        """At network time `at` hosts suffer these faults, and no others; done when they do.

        Those that are down are passed over: they begin without any.
        """

    def install_routes(
        self, at: int, changes: Mapping[str, RouteChange], dead: frozenset[int]
    ) -> None:
        """At network time `at` routers change their tables; `dead` are all links that are down.

        Every node that is up is told of those: programs may ask it for a path.
        """

    async def facts(self, node: str) -> dict[str, Any]:
        """What `inspect` shows of a node.

        TimeoutError when it does not answer, ConnectionError when it is down.
        """

    async def line_of(self, node: str) -> str:
        """The line of a user's at which a node stands that does not answer; empty if unknown."""

    def pid(self, node: str) -> int | None:
        """The process of a node; None where it has none."""

    def ports(self, node: str) -> list[tuple[str, int]]:
        """Where the `ports` of a computer really listen, in the order of its plan."""

    async def accounts(self) -> list[LinkAccount]:
        """Of every direction, in the order of links and from `a` first, at one consistent cut.

        Errors as of `facts`, for nodes that are meant to be up.
        """

    def late(self) -> dict[str, Late]:
        """What nodes were late with since this was last asked; nothing in virtual time."""

    def unrepeatable(self) -> list[str]:
        """In virtual time: what has happened that will not be the same in another run."""

    def observe_frames(self) -> None:
        """From now on keep the last frames of every link, and what became of them."""

    async def recent_frames(self) -> list[FrameRecord]:
        """What was kept, oldest first."""

    async def begin_hops(self, number: int, chosen: HopFilter) -> None:
        """Note what happens to some frames at every node; returns when all that answer do."""

    async def end_hops(self, number: int) -> list[HopBatch]:
        """What was noted since. Nodes that do not answer are left out."""

    def trace_frames(self, path: str) -> None:
        """Write every frame and its fate as lines of JSON; OSError when it cannot be written.

        NotInRealTimeError where that cannot be had.
        """

    async def exec(self, node: str, run: ToolRun) -> int:
        """Run a tool and return its exit code; ConnectionError when the node is or goes down."""

    async def call(
        self,
        node: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a coroutine function on the loop of a computer or router.

        Arguments and result are copied. What it raises is raised; ConnectionError when the node
        is or goes down.
        """

    async def capture(
        self,
        node: str,
        path: str,
        numbers: Mapping[str, int],
        expression: Expression | None,
    ) -> None:
        """Append what passes interfaces to a pcapng file that is begun; OSError when it cannot.

        `numbers` are theirs in the file, by name; only what is asked for is written.
        """

    def begin_capture(self, capture: int, points: Points, expression: Expression | None) -> None:
        """Tell `Reports.captured` what passes interfaces from now on, of what is asked for.

        Those of nodes that are down are captured when these are up again.
        """

    async def end_capture(self, capture: int) -> list[CapturedBatch]:
        """Capture no more; what was not told yet. Nodes that do not answer are left out."""

    def record(self, recording: int, watched: Watched, every_ns: int, at: int) -> None:
        """From network time `at` on measure nodes, every so many ns; `Reports.recorded` is told.

        Those that are down are measured when they are up again.
        """

    async def end_recording(self, recording: int) -> list[Batch]:
        """Measure no more; what was not told yet. Nodes that do not answer are left out."""

    async def crash(self, node: str) -> None:
        """Cut its power; returns when it is gone, which is reported like any end."""

    async def kill_program(self, node: str) -> None:
        """End what runs on a computer as SIGKILL does; the machine closes its sockets, and lives.

        ConnectionError when the node is down, NotRespondingError when it does not answer, here and
        below.
        """

    async def start_program(self, node: str) -> None:
        """Start it again; returns when its services listen. StartError."""

    async def pause(self, node: str, paused: bool) -> None:
        """Let what runs on a computer stand still (SIGSTOP), or go on; the machine lives."""

    async def stop_node(self, node: str, grace: float) -> None:
        """Let its programs shut down, and end it."""

    async def start_node(
        self,
        node: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        """Start a node that is down; returns when its services listen. Errors as of `start`.

        `conditions` are those of its own directions, by interface, none of them up. `connect` is
        awaited as soon as its cables can be plugged in: services may need the network to start.
        """


class Reports(Protocol):
    """What a backend tells the network of its own accord. Times are network time in ns."""

    def carrier_changed(self, node: str, interface: str, up: bool, at: int) -> None:
        """An interface has lost or found its carrier."""

    def logged(self, node: str, level: int, text: str, goes_on: bool = False) -> None:
        """A node or its programs have logged a line; levels as in `logging`.

        It `goes_on` where it belongs to the message of the node's line before.
        """

    def failed(self, text: str) -> None:
        """Something has failed that is no node's; `text` is for a person to read."""

    def noticed(self, node: str, text: str) -> None:
        """Something worth knowing has happened at a node, or to no one in particular ("")."""

    def program_failed(self, node: str, text: str) -> None:
        """A program under `run` has ended with an exception; `text` is for a person to read."""

    def captured(self, capture: int, batch: CapturedBatch) -> None:
        """What a live capture has seen at a node."""

    def recorded(self, recording: int, batch: Batch) -> None:
        """What a recording has measured."""

    def node_ended(self, node: str, how: str, exit_code: int | None) -> None:
        """A node has ended without having been told to stop; `how` is for a person to read.

        `exit_code` is as of `os.waitstatus_to_exitcode`, negative for a signal; None where it has
        lost its power, or it is not known.
        """
