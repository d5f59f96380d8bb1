"""A network that runs: its nodes start, end and come back, and links and routes follow them.

It is the same in both times: a backend runs the nodes, as processes or in virtual time. Here is
what a network is beyond its nodes: what is in force on links and at hosts, who is down, and which
routes follow. What a caller does with it stands in `Network`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from netsim.core.errors import (
    AlreadyRunningError,
    InvalidValueError,
    NotRunningError,
    StartError,
    WrongTimeError,
)
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition
from netsim.core.time import MILLISECOND, SECOND
from netsim.network.events import Event
from netsim.network.fault_history import FaultHistory
from netsim.network.faults import UnusedOperations
from netsim.network.link_conditions import LinkConditions
from netsim.network.measuring import Recordings
from netsim.network.network_events import ERRORS, NetworkEvents
from netsim.network.outages import Outages
from netsim.network.rerouting import Changes, Rerouting
from netsim.network.restart import Restarts
from netsim.network.run_files import RunFiles
from netsim.network.traffic_faults import TrafficFaults
from netsim.observe.measurement import Batch
from netsim.site.backend import Backend, LinkChange, Progress
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node

if TYPE_CHECKING:
    from netsim.realtime.launcher import Launcher, StartMethod

State = Literal["new", "starting", "running", "degraded", "stopping", "stopped"]
Time = Literal["real", "virtual"]

_ROUTES_OF_A_START: Final = 5.0
"""Seconds that routes have to follow what has ended at the start; some go and come for ever."""
STOP_GRACE: Final = 2.0
"""Seconds that programs get to shut down."""


class RunningNetwork(NetworkEvents):
    """The nodes of a plan, from their start to their end."""

    def __init__(
        self,
        plan: NetworkPlan,
        time: Time,
        start_method: StartMethod,
        launcher: Launcher | None,
    ) -> None:
        super().__init__(plan)
        self.time: Time = time
        self.state: State = "new"
        self._start_method = start_method
        self._launcher = launcher
        self._started: Backend | None = None
        self._outages = Outages(plan)
        self._conditions = LinkConditions(plan, self._outages.nodes)
        self.fault_history = FaultHistory(plan, self._conditions)
        self.unused = UnusedOperations()
        self._traffic_faults = TrafficFaults(self)
        self.run_files = RunFiles(beside=time == "virtual")
        self.recordings = Recordings(
            self.unused, lambda: self._backend, self.failed, self.run_files
        )
        self._rerouting = Rerouting(plan, self._outages, self._install_routes)
        self._restarts = Restarts(
            plan,
            self.now,
            self.start_node,
            lambda node, text: self._publish("error", node, text),
        )
        self._routes_at = -MILLISECOND
        """When the routes that were told last come into force; ns of network time."""
        self.paused: set[str] = set()
        """Computers whose programs stand still."""
        self.failed_programs = 0
        """How many programs under `run` have ended with an exception."""
        self._ended_early: dict[str, tuple[str, int | None]] = {}
        """Nodes that ended while they, or others, still came up; how, and the exit code."""
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._stopping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Future[Any]] = set()

    # Starting and stopping

    async def start(self, on_progress: Progress | None = None) -> None:
        """Bring every node up, or none; routes go round those whose programs have ended them since.

        `on_progress(ready, total)` is called as nodes come up. StartError names the node that
        did not and the reason.
        """
        if self.state != "new":
            raise StartError("a Network starts once; make another for another start")
        self._started = self._new_backend()
        self.state = "starting"
        try:
            await self._backend.start(on_progress)
        except StartError as error:
            with_log = self._with_log(error)
            await self.stop(grace=0)
            raise with_log from error.__cause__
        except BaseException:
            await self._end(grace=0)
            raise
        self._outages.network_started()
        self.state = "running"
        if self.time == "virtual" and any(node.ports for node in self.plan.nodes):
            self._publish("notice", "", "`ports` stay closed in virtual time")
        for node in list(self._ended_early):
            self._report_early_end(node)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ROUTES_OF_A_START):
                await self.converged()

    async def stop(self, *, grace: float = STOP_GRACE) -> None:
        """Stop every node: programs may shut down for `grace` seconds, then they are ended.

        Nothing is left when it returns. Calling it again waits for the same end. NotAwaitedError,
        when all is gone, for faults that were neither awaited nor entered; it hides no other error.
        """
        await self._end(grace)
        if sys.exc_info()[0] is None:
            self.unused.check()

    async def _end(self, grace: float) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace))
        await asyncio.shield(self._stopping)

    def kill(self) -> None:
        """End everything now; `stop` still has to be awaited."""
        if self._started is not None:
            self._started.kill()

    def _new_backend(self) -> Backend:
        if self.time == "virtual":
            from netsim.topology.places import check_time_can_jump
            from netsim.virtual.virtual_backend import VirtualBackend

            check_time_can_jump(self.plan)
            return VirtualBackend(self.plan, self)
        if hasattr(asyncio.get_running_loop(), "timeline"):
            raise WrongTimeError(
                'inside netsim.run(main()), and in tests in virtual time, write time="virtual"; '
                "a network in real time runs inside asyncio.run(main())"
            )
        from netsim.realtime.process_backend import ProcessBackend

        return ProcessBackend(self.plan, self, self._start_method, self._launcher)

    async def _stop(self, grace: float) -> None:
        self.state = "stopping"
        self._rerouting.end()
        await self._restarts.end()
        for task in self._tasks:
            task.cancel()
        await self.recordings.end()
        for node in sorted(self.paused):
            await self._resume_to_end(node)
        if self._started is not None:
            await self._started.stop(grace)
        self._outages.network_stopped()
        self.state = "stopped"
        self._events.close()
        self._logs.close()

    # What is in force

    def now(self) -> int:
        """Network time in ns."""
        return 0 if self._started is None else self._started.now()

    @property
    def is_running(self) -> bool:
        """Whether it can be changed: it has started, and does not stop yet."""
        return self.state in ("running", "degraded")

    def condition(self, link: int, node: str) -> LinkCondition:
        """What the direction of a link that leaves `node` is meant to be like."""
        return self._conditions.meant(link, node)

    def planned_condition(self, link: int, node: str) -> LinkCondition:
        """What it is like in the topology."""
        return self._conditions.planned(link, node)

    async def set_conditions(self, changes: list[LinkChange]) -> None:
        """Put directions of links into new conditions, all at one logical time.

        Returns when that time is over at both ends. With carriers that change routes follow.
        """
        await self._put_in_force(self._conditions.change(changes, self.now()))
        self.fault_history.links_changed(dict.fromkeys(link for link, _, _ in changes), self.now())

    async def _put_in_force(self, changes: list[LinkChange]) -> None:
        told = len({node for _, node, _ in changes})
        at = self.now() + self._backend.lead_ns(told, len(changes))
        await self._backend.change_links(at, changes)
        for link in dict.fromkeys(link for link, _, _ in changes):
            up = self._conditions.is_up(link)
            for node, interface in (self.plan.links[link].a, self.plan.links[link].b):
                if node not in self._outages.nodes:
                    self.carrier_changed(node, interface, up, at)

    async def set_host_faults(self, faults: Mapping[str, HostFaults]) -> None:
        """Have hosts suffer these faults, and no others, all from one logical time on."""
        up = {name: own for name, own in faults.items() if name not in self._outages.nodes}
        parts = sum(len(own.packets) + len(own.connections) for own in up.values())
        if up:
            at = self.now() + self._backend.lead_ns(len(up), parts)
            await self._backend.set_faults(at, up)
        self.fault_history.traffic_changed(self._traffic_faults.texts(), self.now())

    async def connections_hit(self, node: str) -> dict[int, int]:
        """How many connections each fault has reset, cut or refused at a node, by its number."""
        facts = await self._backend.facts(node)
        return {int(each): hits for each, hits in facts["counters"]["connection_faults"].items()}

    async def converged(self) -> None:
        """Wait until the routes follow what has changed so far: carriers, and nodes that came up.

        That is `convergence` after the change, and what it takes to tell the routers.
        """
        await self._rerouting.settled.wait()
        wait = self._routes_at + MILLISECOND - self.now()
        if wait > 0 and self.is_running:
            await asyncio.sleep(wait / SECOND)

    # Nodes that go and come

    async def crash(self, node: str) -> None:
        """Cut the power of a node, SIGKILL to its process; returns when it is gone."""
        check_node(self.plan, node)
        if node not in self._outages.nodes:
            await self._backend.crash(node)

    async def stop_node(self, node: str, *, grace: float = STOP_GRACE) -> None:
        """Let the programs of a node shut down for `grace` seconds, then end it."""
        check_node(self.plan, node)
        if node in self._outages.nodes:
            return
        await self._resume_to_end(node)
        self._outages.node_gone(node, stopped=True)
        await self._backend.stop_node(node, grace)
        self._gone(node, "node-stopped", f"{node} has stopped", stopped=True)

    async def start_node(self, node: str) -> None:
        """Start a node that is down; returns when it is up and its services listen.

        AlreadyRunningError when it is not down; StartError when it does not come up.
        """
        check_node(self.plan, node)
        if node not in self._outages.nodes or self._outages.state(node) == "starting":
            raise AlreadyRunningError(f"{node} is up already, or about to be")
        self._restarts.forget(node)

        async def connect() -> None:
            self._outages.node_plugged_in(node)
            self._rerouting.node_started(node)
            await self._put_in_force(self._conditions.of_node(node))
            faults = self._traffic_faults.of(node)
            if faults.packets or faults.connections:
                await self.set_host_faults({node: faults})

        self._outages.node_boots(node)
        try:
            await self._backend.start_node(node, self._conditions.unplugged(node), connect)
        except BaseException as error:
            self._ended_early.pop(node, None)
            self._gone(node, "node-died", f"{node} did not start")
            if isinstance(error, StartError):
                raise self._with_log(error) from error.__cause__
            raise
        self._outages.node_started(node)
        self.fault_history.ended(("node", node), self.now())
        self._publish("node-started", node, f"{node} is up")
        self._restarts.started(node)
        if self.state == "degraded" and not self._outages.nodes:
            self.state = "running"
        self._rerouting.soon()
        self._report_early_end(node)

    async def kill_program(self, node: str) -> None:
        """End what runs on a computer, as SIGKILL does: the process dies, and the machine lives.

        Its sockets are closed as a kernel closes them. InvalidValueError where no program runs,
        ConnectionError when the node is down.
        """
        self._check_programs(node)
        await self._backend.kill_program(node)
        await self._resume_to_end(node)
        self._began("program", node, f"what ran on {node} was killed")

    async def start_program(self, node: str) -> None:
        """Start what runs on a computer again, after `kill_program`; StartError."""
        self._check_programs(node)
        await self._backend.start_program(node)
        self.fault_history.ended(("program", node), self.now())
        self._publish("notice", node, f"what runs on {node} was started")

    async def pause(self, node: str) -> None:
        """Let what runs on a computer stand still, as SIGSTOP does; the machine lives.

        Connections are accepted and data is acknowledged, as far as buffers reach, and nobody
        answers. Errors as of `kill_program`.
        """
        self._check_programs(node)
        await self._backend.pause(node, True)
        self.paused.add(node)
        self._began("pause", node, f"what runs on {node} stands still")

    async def resume(self, node: str) -> None:
        """Let it go on, after `pause`."""
        self._check_programs(node)
        await self._backend.pause(node, False)
        self._goes_on(node)
        self._publish("notice", node, f"what runs on {node} goes on")

    async def _resume_to_end(self, node: str) -> None:
        """What stands still could neither shut down nor be killed as what runs is."""
        if node in self.paused:
            self._goes_on(node)
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self._backend.pause(node, False)

    def _goes_on(self, node: str) -> None:
        self.paused.discard(node)
        self.fault_history.ended(("pause", node), self.now())

    def _began(self, what: str, node: str, text: str) -> None:
        """What runs on a node is broken, while the machine lives."""
        self.fault_history.began((what, node), text, self.now())
        self._publish("notice", node, text)

    def _check_programs(self, node: str) -> None:
        check_node(self.plan, node)
        planned = self.plan.node(node)
        if not planned.traits.runs_programs:
            what = f"a {planned.kind}" if planned.tap is None else f"attached to tap:{planned.tap}"
            raise InvalidValueError(f"{node} is {what} and runs no program; write a computer")
        if node in self._outages.nodes:
            raise ConnectionError(f"{node} is not running")

    async def restart_node(self, node: str) -> None:
        """Stop it, if it is up, and start it again."""
        await self.stop_node(node)
        await self.start_node(node)

    def _gone(self, node: str, kind: str, text: str, *, stopped: bool = False) -> None:
        self._goes_on(node)
        self.fault_history.ended(("program", node), self.now())
        self._outages.node_gone(node, stopped=stopped)
        if self.is_running:
            self.fault_history.began(("node", node), text, self.now())
            self.state = "degraded"
            self._publish(kind, node, text)
            self._rerouting.soon()

    # Reports of the backend

    def carrier_changed(self, node: str, interface: str, up: bool, at: int) -> None:
        if self.is_running and self._outages.carrier_changed(node, interface, up):
            word = "up" if up else "lost"
            self._tell(Event(at, "carrier", node, f"{node}:{interface} carrier {word}"))
            self._rerouting.soon()

    def program_failed(self, node: str, text: str) -> None:
        self.failed_programs += 1
        self._publish("program-failed", node, f"{node}: {text}")

    def recorded(self, recording: int, batch: Batch) -> None:
        self.recordings.measured(recording, batch)

    def node_ended(self, node: str, how: str, exit_code: int | None) -> None:
        if self.state == "starting" or self._outages.state(node) == "starting":
            self._ended_early[node] = how, exit_code
        elif self.is_running and node not in self._outages.nodes:
            text = f"{node} {how}"
            if exit_code:
                # A program's own end with an error, like an exception that nobody caught.
                self.logged(node, logging.ERROR, f"ended with exit code {exit_code}")
                if len(self.exits) < ERRORS:
                    self.exits.append(Event(self.now(), "node-died", node, text))
            self._gone(node, "node-died", text)
            if exit_code != 0:
                self._restarts.failed(node)

    def _report_early_end(self, node: str) -> None:
        if node in self._ended_early:
            self.node_ended(node, *self._ended_early.pop(node))

    # The rest

    @property
    def _backend(self) -> Backend:
        if self._started is None:
            raise NotRunningError("the network has not been started: `async with Network(…)`")
        return self._started

    def _install_routes(self, changes: Changes, dead: frozenset[int]) -> None:
        at = self.now() + self._backend.lead_ns(
            len(self.plan.nodes), sum(map(len, changes.values()))
        )
        self._routes_at = at
        self._backend.install_routes(at, changes, dead)
        if changes:
            self._publish("routes", "", f"routes of {', '.join(sorted(changes))} have changed")
