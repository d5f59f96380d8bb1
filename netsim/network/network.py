"""The operations on a network that everything else is a face of.

The command line, the control API, scenarios and tests do what this class does and nothing more.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from netsim.core.link_attributes import condition_words
from netsim.core.time import Time
from netsim.network.awaited_call import awaited
from netsim.network.capture_files import CaptureFiles
from netsim.network.chosen_nodes import chosen_nodes, nodes_for
from netsim.network.faults import Fault, LinkFaults
from netsim.network.inspection import Inspection
from netsim.network.link_loads import Sampler, Top, check_interval
from netsim.network.link_view import LinkView, find_link
from netsim.network.live_captures import LiveCapture
from netsim.network.measured_network import MeasuredNetwork
from netsim.network.measuring import OnMeasured, Recording, interval, watched_in
from netsim.network.node_view import NodeView
from netsim.network.partitions import Partitions
from netsim.network.reachability import OnPing, PingAll, Reachability
from netsim.network.timing import Timing
from netsim.observe.frame_log import FrameRecord
from netsim.observe.link_account import LinkAccount
from netsim.site.backend import ToolRun
from netsim.topology.kinds import Kind
from netsim.topology.load_topology import load_plan
from netsim.topology.make_plan import make_plan
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node, node_and_interface

if TYPE_CHECKING:
    import networkx

    from netsim.realtime.launcher import Launcher, StartMethod


_LAST_WORDS: Final = 10
"""Lines that `inspect` shows of a node that has died."""


class Network(MeasuredNetwork):
    """A network: `async with Network("campus.yaml") as net: …`.

    `topology` is a file, a networkx graph of any kind (docs/topology.md, "From Python") or a plan.
    Mistakes raise `InvalidFileError` or `InvalidGraphError`, which list them all; what can be built
    and hardly does what is wanted is a UserWarning. `seed`, `name` and `order` go before those that
    are written there; `order` says which of the tasks that are ready on a computer runs next, in
    virtual time: `"fifo"`, `"random"` or `"pct:3"`.

    With `time="real"` every node is a process. `start_method` is how they begin: `"fork"` from a
    zygote, or multiprocessing's `"forkserver"` or `"spawn"`; a `launcher` made earlier
    (`Zygote.start()`) saves the time that its imports take. `speed=0.1` is slow motion: network
    time runs at a tenth of the clock's (0.001 to 1; InvalidValueError).

    With `time="virtual"` all nodes are in this process, time jumps to whatever happens next, and
    everything repeats exactly: inside `netsim.run(main())`, and with netsim's pytest plugin.
    """

    def __init__(
        self,
        topology: str | os.PathLike[str] | networkx.Graph[Any] | NetworkPlan,
        *,
        time: Time = "real",
        seed: int | None = None,
        name: str | None = None,
        order: str | None = None,
        start_method: StartMethod = "fork",
        launcher: Launcher | None = None,
        speed: float | str = 1,
    ) -> None:
        if isinstance(topology, (str, os.PathLike)):
            plan = load_plan(topology, name=name, seed=seed, order=order)
            for doubt in plan.warnings:
                warnings.warn(str(doubt), stacklevel=2)
        else:
            plan = make_plan(topology, name=name, seed=seed, order=order)
        if time not in ("real", "virtual"):
            raise ValueError(f'time is "real" or "virtual", not {time!r}')
        if time == "real" and order is not None:
            raise ValueError('order is drawn in virtual time only; leave it out, or time="virtual"')
        super().__init__(plan, time, start_method, launcher, speed)
        self.happened: dict[str, bool] = {}
        """What `sometimes` was told of, and whether it was so at any time."""
        self._capture_files = CaptureFiles(plan.name, self.run_files)
        self._link_faults = LinkFaults(self)
        self._partitions = Partitions(self._link_faults)

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

    def __getitem__(self, name: str) -> NodeView:
        """A node: `net["alice"]`; UnknownNameError when there is none of that name."""
        check_node(self.plan, name)
        return NodeView(self, name)

    def nodes(self, *names: str, kind: Kind | None = None) -> list[NodeView]:
        """Several nodes, in the order of the file: `net.nodes("h*")`, all of them without a name.

        A name may be a pattern, as in a shell. UnknownNameError where it is that of no node.
        """
        return [NodeView(self, name) for name in chosen_nodes(self.plan, names, kind)]

    def nodes_for(self, tool: str, names: Sequence[str], kind: str | None) -> list[str]:
        """Who is to run a tool: the nodes named, without those that do not have it."""
        return nodes_for(self.plan, tool, names, kind)

    async def _stop(self, grace: float) -> None:
        try:
            await super()._stop(grace)
        finally:
            self._capture_files.close()

    # Watching

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
            "speed": self.speed,
            "failed_programs": self.failed_programs,
            "faults": len(self.faults_in_force()),
        }

    async def inspect(self) -> dict[str, Any]:
        """Everything about every node and link; nodes that do not answer say so."""
        found = await self._inspection.everything()
        found["nodes"] = [self._with_last_words(node) for node in found["nodes"]]
        known = {"name": self.plan.name, "state": self.state, "speed": self.speed}
        ca, timing = self.ca_file and str(self.ca_file), self.timing.as_dict()
        return {**known, **found, "ca": ca, "faults": self.faults_in_force(), "timing": timing}

    async def inspect_node(self, name: str) -> dict[str, Any]:
        """Everything about one node; UnknownNameError when there is none of that name."""
        check_node(self.plan, name)
        return self._with_last_words(await self._inspection.node(name))

    def _with_last_words(self, node: dict[str, Any]) -> dict[str, Any]:
        """Of a node that has died: how, and what it logged last."""
        if node["state"] != "dead":
            return node
        said = self.logs(node["name"], _LAST_WORDS)["lines"]
        how = self.how_ended.get(node["name"], "")
        return {**node, "ended": how, "last_lines": [line["text"] for line in said]}

    def top(self, interval: float = 1.0, count: int | None = None) -> AsyncIterator[Top]:
        """How busy every link is, an interval of seconds after the other; the busiest first.

        `async for each in net.top(): …`; without `count` there is no end. InvalidValueError.
        """
        check_interval(interval, count)
        facts, condition = self._inspection.node, self.condition
        sampler = Sampler(self.plan, self.now, facts, condition, self.timing_watches)
        return sampler.run(interval, count)

    async def metrics(self) -> str:
        """What the network counts, as text that Prometheus reads; NetsimError without its client.

        Nodes that do not answer are down in it, and have no counters.
        """
        from netsim.network.metrics_text import metrics_text

        return metrics_text(await self.inspect())

    def describe(self, name: str) -> dict[str, Any]:
        """`{kind, pid, state}` of a node, without asking it; without a process `pid` is None."""
        check_node(self.plan, name)
        return self._inspection.describe(name)

    def links(self) -> list[dict[str, Any]]:
        """Both ends of every link, and whether it is up."""
        return self._inspection.links()

    def ports(self) -> list[dict[str, Any]]:
        """Where the network can be entered from outside: `{listen, node, to, tls}`."""
        return self._inspection.ports()

    @property
    def ca_file(self) -> Path | None:
        """The certificate that has signed those of services with `tls`, for clients of `ports`.

        In PEM, while the network runs; None where no service speaks TLS.
        """
        return self.certificates.authority

    async def accounts(self) -> list[LinkAccount]:
        """The account of every direction at one consistent cut.

        TimeoutError or ConnectionError when a node that is up does not answer.
        """
        return await self._backend.accounts()

    async def recent_frames(self) -> list[FrameRecord]:
        """The last frames of all links and what became of them, since `observe_frames`."""
        return await self._backend.recent_frames()

    @property
    def timing(self) -> Timing:
        """Whether the timing since the start can be trusted; in virtual time it always can."""
        return self.timing_watches.since_start.timing

    @property
    def unrepeatable(self) -> list[str]:
        """What programs have done in virtual time that will not be the same in another run.

        That is TLS, other processes, and sockets outside the network, with the computer.
        """
        return self._backend.unrepeatable()

    def sometimes(self, what: str, happened: bool = True) -> None:
        """Note whether something happened that some run of a test should have: `"a retry"`.

        It has when any call of a run says so. At the end of pytest what did in no run is told.
        """
        self.happened[what] = bool(happened) or self.happened.get(what, False)

    def observe_frames(self) -> None:
        """Keep the last frames from now on, for `recent_frames`.

        Processes are told, and begin a little later: those that have answered `recent_frames` do.
        """
        self._backend.observe_frames()

    def trace_frames(self, path: str | os.PathLike[str]) -> None:
        """Write every frame from now on, its time and its fate, as lines of JSON.

        In virtual time; OSError when the file cannot be written.
        """
        self._backend.trace_frames(os.path.abspath(path))

    # Doing

    async def _run_tool(self, node: str, run: ToolRun) -> int:
        traits = self.plan.node(node).traits
        if run.argv[0] in ("iperf", "iperf3") and traits.has_stack and not traits.attached:
            from netsim.network.iperf_command import iperf_command

            return await iperf_command(self, node, run)
        return await super()._run_tool(node, run)

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
        with self.watch_timing() as watch:
            found = await PingAll(self.exec, names, timeout, mute, self.speed).run(on_ping)
        return replace(found, timing=watch.timing)

    def capture(
        self, where: str, path: str | os.PathLike[str], *, filter: str = ""
    ) -> Awaitable[None]:
        """Write what passes a node (`"r1"`) or one interface (`"r1:eth0"`) to a pcapng file.

        Several captures may go to one file, in which interfaces are called `r1:eth0`. It goes on
        when the node starts again. `filter` has tcpdump's words: `"tcp port 80"`. UnknownNameError,
        InvalidFilterError; whoever awaits it gets OSError when the file cannot be written, else
        that is logged.
        """
        name, interface = node_and_interface(self.plan, where)
        known = [each.name for each in self.plan.node(name).interfaces]
        interfaces = known if interface is None else [interface]
        expression = self.live_captures.expression_of(filter)
        file = os.path.abspath(path)
        return self._spawn(
            self._capture_files.capture(name, interfaces, file, expression, self._backend.capture)
        )

    def live_capture(self, *where: str, filter: str = "", count: int | None = None) -> LiveCapture:
        """Frames as they pass nodes (`"r1"`) and interfaces (`"web:eth0"`), in order of time.

            async with net.live_capture("r1", filter="tcp port 80") as capture:
                async for passed in capture: …

        Each is a `CapturedFrame`. Those that were lost on the way are among them, with the reason.
        At most `count`. It goes on when a node starts again. UnknownNameError, InvalidFilterError,
        InvalidValueError.
        """
        return self.live_captures.new(where, filter, count)

    def record(
        self,
        *where: str,
        to: str | os.PathLike[str],
        every: str = "10ms",
        on_measured: OnMeasured | None = None,
    ) -> Recording:
        """Measure nodes (`"alice"`) and interfaces (`"r1:eth0"`), for plots of one's own.

            await net.record("r1:eth0", "alice", to="out.csv")

        Every so much network time a line for each interface (queue, rate, drops) and, of whole
        nodes, for each TCP connection (congestion window, round trip, in flight, rate) goes to a
        CSV file; `on_measured` is given the same. Until the network stops, or the end of an `async
        with`. UnknownNameError, InvalidValueError, UnitError; OSError where it is awaited.
        """
        watched = watched_in(self.plan, where)
        return Recording(self.recordings, watched, interval(every), to, on_measured)

    # Links and what passes them

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

    @awaited
    async def repair(self) -> None:
        """Bring back what partitions have taken down, and heal what vanishes or goes wrong.

        That is all of `partition`, `drop`, `isolate` and `connections`, and nothing else.
        """
        await self._partitions.repair()
        await self._traffic_faults.repair()

    def faults_in_force(self) -> list[str]:
        """Those that no link shows, in words: `traffic_faults`, and computers whose programs were
        killed, or stand still."""
        killed = (f"kill_program {node}" for node in sorted(self.without_program))
        paused = (f"pause {node}" for node in sorted(self.paused))
        return [*self.traffic_faults(), *killed, *paused]

    def down_links(self) -> list[int]:
        """The indices of links that are meant to be down, whether or not their nodes are up."""
        return [
            index
            for index, link in enumerate(self.plan.links)
            if not self._conditions.meant(index, link.a[0]).up
        ]

    def conditions_of(self, link: int) -> list[dict[str, Any]]:
        """What both directions are meant to be like, from `a` first, in the words of the file."""
        plan = self.plan.links[link]
        return [
            {"from": node, "to": peer} | condition_words(self.condition(link, node))
            for node, peer in ((plan.a[0], plan.b[0]), (plan.b[0], plan.a[0]))
        ]

    @property
    def _inspection(self) -> Inspection:
        return Inspection(self.plan, self._backend, self._conditions, self._outages, self.now())

    def _spawn(self, work: Any) -> asyncio.Future[Any]:
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
