"""A running network: the operations that everything else is a face of.

The command line, the control API, scenarios and tests do what this class does and nothing more.
It is the same in both times: a backend runs the nodes, as processes or in virtual time. Here is
what a network is beyond its nodes: what links are meant to be like, who is down, which routes
follow, and who is told.
"""

from __future__ import annotations

import asyncio
import datetime
import difflib
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from netsim.core.errors import (
    AlreadyRunningError,
    InvalidValueError,
    NotRunningError,
    StartError,
    UnknownNameError,
    WrongTimeError,
)
from netsim.core.host_faults import HostFaults
from netsim.core.link_attributes import LinkCondition, condition_words
from netsim.network.events import Event, EventHub, Subscription
from netsim.network.faults import Fault, LinkFaults, UnusedOperations
from netsim.network.inspection import Inspection
from netsim.network.link_conditions import LinkConditions
from netsim.network.link_view import LinkView, find_link
from netsim.network.log_lines import LogHistory, LogLine
from netsim.network.node_view import NodeView
from netsim.network.outages import Outages
from netsim.network.partitions import Partitions
from netsim.network.reachability import OnPing, PingAll, Reachability
from netsim.network.rerouting import Changes, Rerouting
from netsim.network.restart import Restarts
from netsim.network.traffic_faults import ConnectionsView, IpProtocol, TrafficFaults
from netsim.observe.frame_log import FrameRecord
from netsim.observe.link_account import LinkAccount
from netsim.site.backend import Backend, LinkChange, Progress, ToolRun
from netsim.topology.load_topology import load_plan
from netsim.topology.make_plan import make_plan
from netsim.topology.plan import NetworkPlan

if TYPE_CHECKING:
    import networkx

    from netsim.realtime.launcher import Launcher, StartMethod

State = Literal["new", "starting", "running", "degraded", "stopping", "stopped"]
Time = Literal["real", "virtual"]

TIMELINE: Final = 1_000
"""Events that are kept."""
ERRORS: Final = 10_000
"""Lines that are kept."""
STOP_GRACE: Final = 2.0
"""Seconds that programs get to shut down."""


class Network:
    """A network: `async with Network("campus.yaml") as net: …`.

    `topology` is a file, a networkx graph of any kind (docs/topology.md, "From Python") or a plan.
    Mistakes raise `InvalidFileError` or `InvalidGraphError`, which list them all. `seed` and `name`
    go before those that are written there.

    With `time="real"` every node is a process. `start_method` is how they begin: `"fork"` from a
    zygote, or multiprocessing's `"forkserver"` or `"spawn"`; a `launcher` made earlier
    (`Zygote.start()`) saves the time that its imports take. With `time="virtual"` all nodes are in
    this process, time jumps to whatever happens next, and everything repeats exactly; that is for
    programs inside `netsim.run(main())`, and for tests with netsim's pytest plugin.
    """

    def __init__(
        self,
        topology: str | os.PathLike[str] | networkx.Graph[Any] | NetworkPlan,
        *,
        time: Time = "real",
        seed: int | None = None,
        name: str | None = None,
        start_method: StartMethod = "fork",
        launcher: Launcher | None = None,
    ) -> None:
        if isinstance(topology, (str, os.PathLike)):
            self.plan = load_plan(topology, name=name, seed=seed)
        else:
            self.plan = make_plan(topology, name=name, seed=seed)
        if time not in ("real", "virtual"):
            raise ValueError(f'time is "real" or "virtual", not {time!r}')
        self.time: Time = time
        self.state: State = "new"
        self._start_method = start_method
        self._launcher = launcher
        self._started: Backend | None = None
        self._outages = Outages(self.plan)
        self._conditions = LinkConditions(self.plan, self._outages.nodes)
        self.unused = UnusedOperations()
        self._link_faults = LinkFaults(self)
        self._partitions = Partitions(self._link_faults)
        self._traffic_faults = TrafficFaults(self)
        self._rerouting = Rerouting(self.plan, self._outages, self._install_routes)
        self._restarts = Restarts(
            self.plan,
            self.now,
            self.start_node,
            lambda node, text: self._publish("error", node, text),
        )
        self._events = EventHub()
        self._logs = LogHistory()
        self.errors: list[LogLine] = []
        """What nodes and programs have logged as errors, exceptions of handlers among it: the
        first `ERRORS` lines."""
        self.failed_programs = 0
        """How many programs under `run` have ended with an exception."""
        self._timeline: deque[Event] = deque(maxlen=TIMELINE)
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._stopping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Future[Any]] = set()

    async def __aenter__(self) -> Network:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        if error is None:
            self.unused.check()

    def __getitem__(self, name: str) -> NodeView:
        """A node: `net["alice"]`; UnknownNameError when there is none of that name."""
        self._check_name(name)
        return NodeView(self, name)

    # Starting and stopping

    async def start(self, on_progress: Progress | None = None) -> None:
        """Bring every node up, or none.

        `on_progress(ready, total)` is called as nodes come up. StartError names the node that
        did not and the reason.
        """
        if self.state != "new":
            raise StartError("a Network starts once; make another for another start")
        self._started = self._new_backend()
        self.state = "starting"
        try:
            await self._backend.start(on_progress)
        except BaseException:
            await self.stop(grace=0)
            raise
        self._outages.network_started()
        self.state = "running"
        if self.time == "virtual" and any(node.ports for node in self.plan.nodes):
            self._publish("notice", "", "`ports` stay closed in virtual time")

    async def stop(self, *, grace: float = STOP_GRACE) -> None:
        """Stop every node: programs may shut down for `grace` seconds, then they are ended.

        Nothing is left when it returns. Calling it again waits for the same end.
        """
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
        if self._started is not None:
            await self._started.stop(grace)
        self._outages.network_stopped()
        self.state = "stopped"
        self._events.close()
        self._logs.close()

    # Watching

    def now(self) -> int:
        """Network time in ns."""
        return 0 if self._started is None else self._started.now()

    @property
    def timeline(self) -> list[Event]:
        """What happened to nodes, carriers and routes, oldest first: the last `TIMELINE` events."""
        return list(self._timeline)

    def subscribe(self) -> Subscription:
        """Events from now on; close the subscription when done."""
        return self._events.subscribe()

    def logs(self, node: str | None = None, last: int | None = None) -> dict[str, Any]:
        """What the nodes and their programs logged, oldest first: `{dropped, lines}`.

        `last` is how many lines at most. UnknownNameError when there is no such node.
        """
        if node is not None:
            self._check_name(node)
        return self._logs.document(node, last)

    def subscribe_to_logs(self) -> Subscription:
        """Every line that is logged from now on; close the subscription when done."""
        return self._logs.subscribe()

    def kinds(self) -> dict[str, str]:
        """Every node with its kind, in the order of the file."""
        return {node.name: node.kind for node in self.plan.nodes}

    def summary(self) -> dict[str, Any]:
        """One row of `netsim ps`."""
        return {
            "name": self.plan.name,
            "file": self.plan.file,
            "supervisor_pid": os.getpid(),
            "started": self._started_at.isoformat(timespec="seconds"),
            "nodes": len(self.plan.nodes),
            "state": self.state,
            "failed_programs": self.failed_programs,
        }

    async def inspect(self) -> dict[str, Any]:
        """Everything about every node and link; nodes that do not answer say so."""
        found = await self._inspection.everything()
        return {"name": self.plan.name, "state": self.state, **found}

    async def inspect_node(self, name: str) -> dict[str, Any]:
        """Everything about one node; UnknownNameError when there is none of that name."""
        self._check_name(name)
        return await self._inspection.node(name)

    def describe(self, name: str) -> dict[str, Any]:
        """`{kind, pid, state}` of a node, without asking it; without a process `pid` is None."""
        self._check_name(name)
        return self._inspection.describe(name)

    def links(self) -> list[dict[str, Any]]:
        """Both ends of every link, and whether it is up."""
        return self._inspection.links()

    def ports(self) -> list[dict[str, Any]]:
        """Where the network can be entered from outside: `{listen, node, to}`."""
        return self._inspection.ports()

    async def accounts(self) -> list[LinkAccount]:
        """The account of every direction at one consistent cut.

        TimeoutError or ConnectionError when a node that is up does not answer.
        """
        return await self._backend.accounts()

    async def recent_frames(self) -> list[FrameRecord]:
        """The last frames of all links and what became of them, since `observe_frames`."""
        return await self._backend.recent_frames()

    @property
    def unrepeatable(self) -> list[str]:
        """What programs have done in virtual time that will not be the same in another run.

        That is TLS, threads, other processes, and sockets outside the network, with the computer.
        """
        return self._backend.unrepeatable()

    def observe_frames(self) -> None:
        """Keep the last frames from now on, for `recent_frames`."""
        self._backend.observe_frames()

    def trace_frames(self, path: str | os.PathLike[str]) -> None:
        """Write every frame from now on, its time and its fate, as lines of JSON.

        In virtual time; OSError when the file cannot be written.
        """
        self._backend.trace_frames(os.path.abspath(path))

    # Doing

    async def exec(self, node: str, run: ToolRun) -> int:
        """Run a tool at a node and return its exit code."""
        self._check_name(node)
        try:
            return await self._backend.exec(node, run)
        except ConnectionError as error:
            run.output("stderr", f"{error}\n".encode())
            return 1

    async def call(
        self,
        node: str,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run a coroutine function on a computer or router: on its loop, with its network.

        Arguments and result are copied (CopyError). What it raises is raised; ConnectionError
        when the node is or goes down.
        """
        self._check_name(node)
        return await self._backend.call(node, function, args, kwargs or {})

    async def ping_all(
        self,
        *,
        routers: bool = False,
        timeout: float = 2.0,
        on_ping: OnPing | None = None,
    ) -> Reachability:
        """Ping from every computer, and with `routers` from every router, to all others.

        One request for each pair, with `timeout` seconds for its answer; `on_ping` is told of
        each as it ends. A node that is dead reaches nobody. One that is attached to a TAP device
        is pinged, and pings nobody itself.
        """
        names = [
            node.name
            for node in self.plan.nodes
            if node.traits.has_stack and (routers or not node.traits.forwards)
        ]
        mute = [name for name in names if self.plan.node(name).traits.attached]
        return await PingAll(self.exec, names, timeout, mute).run(on_ping)

    def capture(self, where: str, path: str | os.PathLike[str]) -> Awaitable[None]:
        """Write what passes a node (`"r1"`) or one interface (`"r1:eth0"`) to a pcapng file.

        It goes on until the node goes down or the network stops. UnknownNameError; whoever awaits
        it gets OSError when the file cannot be written, else that is logged.
        """
        name, _, interface = where.partition(":")
        self._check_name(name)
        known = [each.name for each in self.plan.node(name).interfaces]
        if interface and interface not in known:
            raise UnknownNameError(f"{name} has no interface {interface!r}, but {', '.join(known)}")
        return self._spawn(self._backend.capture(name, interface or None, os.path.abspath(path)))

    # Links

    def link(self, a: str, b: str) -> LinkView:
        """The link between two nodes, to be broken and mended.

        An end is `"r1"`, or `"r1:eth1"` where there are several. UnknownNameError.
        """
        return LinkView(self._link_faults, find_link(self.plan, a, b))

    def partition(self, group_a: Sequence[str], group_b: Sequence[str]) -> Fault:
        """Pull the plugs of the fewest links that leave no path between two groups of nodes.

        Nodes notice: carriers and routes are lost. For packets that only vanish see `isolate`.
        Awaited, it lasts until `repair`; as a context manager until the block ends.
        UnknownNameError, and InvalidValueError for groups that are empty or overlap.
        """
        return self._partitions.between(group_a, group_b)

    async def repair(self) -> None:
        """Bring back what partitions have taken down, and heal what vanishes or goes wrong.

        That is all of `partition`, `drop`, `isolate` and `connections`, and nothing else.
        """
        await self._partitions.repair()
        await self._traffic_faults.repair()

    def drop(
        self,
        source: str,
        destination: str,
        *,
        both_ways: bool = False,
        protocol: IpProtocol | None = None,
        port: int | None = None,
    ) -> Fault:
        """Packets from one node to another vanish on arrival, and nobody is told: links stay up.

        All of them, or those of a protocol, or of TCP and UDP those from or to a port. Until
        `repair`, or the end of the block. UnknownNameError, InvalidValueError.
        """
        return self._traffic_faults.drop(
            source, destination, both_ways=both_ways, protocol=protocol, port=port
        )

    def isolate(self, group_a: Sequence[str], group_b: Sequence[str]) -> Fault:
        """Packets between any of one group and any of the other vanish, both ways, as in `drop`.

        A `partition` pulls plugs, which hosts and routers notice; here nobody does.
        """
        return self._traffic_faults.isolate(group_a, group_b)

    def connections(self, to: str, port: int, *, source: str | None = None) -> ConnectionsView:
        """TCP connections to a port of a node, from one node or from all, to go wrong.

        UnknownNameError, InvalidValueError.
        """
        return self._traffic_faults.connections(to, port, source)

    def traffic_faults(self) -> list[str]:
        """What `drop`, `isolate` and `connections` have in force, in words, oldest first."""
        return self._traffic_faults.texts()

    def down_links(self) -> list[int]:
        """The indices of links that are meant to be down, whether or not their nodes are up."""
        return [
            index
            for index, link in enumerate(self.plan.links)
            if not self._conditions.meant(index, link.a[0]).up
        ]

    @property
    def is_running(self) -> bool:
        """Whether it can be changed: it has started, and does not stop yet."""
        return self.state in ("running", "degraded")

    def condition(self, link: int, node: str) -> LinkCondition:
        """What the direction of a link that leaves `node` is meant to be like."""
        return self._conditions.meant(link, node)

    def conditions_of(self, link: int) -> list[dict[str, Any]]:
        """What both directions are meant to be like, from `a` first, in the words of the file."""
        plan = self.plan.links[link]
        return [
            {"from": node, "to": peer} | condition_words(self.condition(link, node))
            for node, peer in ((plan.a[0], plan.b[0]), (plan.b[0], plan.a[0]))
        ]

    def planned_condition(self, link: int, node: str) -> LinkCondition:
        """What it is like in the topology."""
        return self._conditions.planned(link, node)

    async def set_conditions(self, changes: list[LinkChange]) -> None:
        """Put directions of links into new conditions, all at one logical time.

        Returns when that time is over at both ends. With carriers that change routes follow.
        """
        await self._put_in_force(self._conditions.change(changes))

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

    # Nodes that go and come

    async def crash(self, node: str) -> None:
        """Cut the power of a node, SIGKILL to its process; returns when it is gone."""
        self._check_name(node)
        if node not in self._outages.nodes:
            await self._backend.crash(node)

    async def stop_node(self, node: str, *, grace: float = STOP_GRACE) -> None:
        """Let the programs of a node shut down for `grace` seconds, then end it."""
        self._check_name(node)
        if node in self._outages.nodes:
            return
        self._outages.node_gone(node, stopped=True)
        await self._backend.stop_node(node, grace)
        self._gone(node, "node-stopped", f"{node} has stopped", stopped=True)

    async def start_node(self, node: str) -> None:
        """Start a node that is down; returns when it is up and its services listen.

        AlreadyRunningError when it is not down; StartError when it does not come up.
        """
        self._check_name(node)
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
        except BaseException:
            self._gone(node, "node-died", f"{node} did not start")
            raise
        self._outages.node_started(node)
        self._publish("node-started", node, f"{node} is up")
        self._restarts.started(node)
        if self.state == "degraded" and not self._outages.nodes:
            self.state = "running"
        self._rerouting.soon()

    async def kill_program(self, node: str) -> None:
        """End what runs on a computer, as SIGKILL does: the process dies, and the machine lives.

        Its sockets are closed as a kernel closes them. InvalidValueError where no program runs,
        ConnectionError when the node is down.
        """
        self._check_programs(node)
        await self._backend.kill_program(node)
        self._publish("notice", node, f"what ran on {node} was killed")

    async def start_program(self, node: str) -> None:
        """Start what runs on a computer again, after `kill_program`; StartError."""
        self._check_programs(node)
        await self._backend.start_program(node)
        self._publish("notice", node, f"what runs on {node} was started")

    async def pause(self, node: str) -> None:
        """Let what runs on a computer stand still, as SIGSTOP does; the machine lives.

        Connections are accepted and data is acknowledged, as far as buffers reach, and nobody
        answers. Errors as of `kill_program`.
        """
        self._check_programs(node)
        await self._backend.pause(node, True)
        self._publish("notice", node, f"what runs on {node} stands still")

    async def resume(self, node: str) -> None:
        """Let it go on, after `pause`."""
        self._check_programs(node)
        await self._backend.pause(node, False)
        self._publish("notice", node, f"what runs on {node} goes on")

    def _check_programs(self, node: str) -> None:
        self._check_name(node)
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
        self._outages.node_gone(node, stopped=stopped)
        if self.is_running:
            self.state = "degraded"
            self._publish(kind, node, text)
            self._rerouting.soon()

    # Reports of the backend

    def carrier_changed(self, node: str, interface: str, up: bool, at: int) -> None:
        if self.is_running and self._outages.carrier_changed(node, interface, up):
            word = "up" if up else "lost"
            self._tell(Event(at, "carrier", node, f"{node}:{interface} carrier {word}"))
            self._rerouting.soon()

    def logged(self, node: str, level: int, text: str) -> None:
        line = self._logs.add(LogLine(self.now(), node, level, text))
        is_error = level >= logging.ERROR
        if is_error and len(self.errors) < ERRORS:
            self.errors.append(line)
        kind = "error" if is_error else "log"
        self._events.publish(Event(line.time_ns, kind, node, line.text))

    def failed(self, text: str) -> None:
        self._publish("error", "", text)

    def program_failed(self, node: str, text: str) -> None:
        self.failed_programs += 1
        self._publish("program-failed", node, f"{node}: {text}")

    def node_ended(self, node: str, how: str, *, failed: bool) -> None:
        if self.is_running and node not in self._outages.nodes:
            self._gone(node, "node-died", f"{node} {how}")
            if failed:
                self._restarts.failed(node)

    # The rest

    @property
    def _backend(self) -> Backend:
        if self._started is None:
            raise NotRunningError("the network has not been started: `async with Network(…)`")
        return self._started

    @property
    def _inspection(self) -> Inspection:
        return Inspection(self.plan, self._backend, self._conditions, self._outages)

    def _install_routes(self, changes: Changes, dead: frozenset[int]) -> None:
        at = self.now() + self._backend.lead_ns(
            len(self.plan.nodes), sum(map(len, changes.values()))
        )
        self._backend.install_routes(at, changes, dead)
        if changes:
            self._publish("routes", "", f"routes of {', '.join(sorted(changes))} have changed")

    def announce(self, text: str) -> None:
        """Put an error that is no node's into the timeline, and tell who subscribes to events."""
        self._publish("error", "", text)

    def _publish(self, kind: str, node: str, text: str) -> None:
        self._tell(Event(self.now(), kind, node, text))

    def _tell(self, event: Event) -> None:
        self._timeline.append(event)
        self._events.publish(event)

    def _spawn(self, work: Any) -> asyncio.Future[Any]:
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _check_name(self, name: str) -> None:
        if name not in self.plan.positions:
            near = difflib.get_close_matches(name, self.plan.positions, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownNameError(f"{self.plan.name} has no node {name!r}{hint}")
