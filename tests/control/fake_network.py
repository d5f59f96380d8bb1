from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from fake_links import FakeLinks, two_computers

from netsim import (
    Event,
    InvalidValueError,
    LogLine,
    NetsimError,
    NetworkPlan,
    Ping,
    Reachability,
    Span,
    Subscription,
    Trace,
    UnknownNameError,
)
from netsim.control.control_server import ControlServer
from netsim.control.state_directory import StateDirectory
from netsim.core.units import parse_duration
from netsim.network.certificate_files import CertificateFiles
from netsim.network.chosen_nodes import nodes_for
from netsim.network.events import EventHub
from netsim.network.link_loads import LinkLoad, Top, check_interval
from netsim.network.live_captures import LiveCapture, LiveCaptures
from netsim.network.log_lines import LogHistory, Wanted, event_line, level_of
from netsim.network.metrics_text import metrics_text
from netsim.network.reachability import OnPing
from netsim.network.timing import Timing, TimingWatches
from netsim.observe.captured import CapturedBatch, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.late import Late
from netsim.site.backend import Backend, ToolRun

VERY_LATE = Late(frames=12_000, max_ns=94_400_000)
UNTRUSTED = "timing cannot be trusted: 12,000 frames up to 94 ms late, at web"
ENDLESS = 3599.0
"""The time-out of a pingall that never has pinged all."""


class FakeNetwork(FakeLinks):
    """Two nodes and a few tools, without processes."""

    def __init__(self, plan: NetworkPlan | None = None) -> None:
        super().__init__(plan or two_computers())
        self.hub = EventHub()
        self.history = LogHistory(capacity=3)
        self.asked_to_ping: list[tuple[bool, float]] = []
        self.printed = 0
        """Bytes, by the tool `much`."""
        self.stands_still = asyncio.Event()
        """It waits for who reads."""
        self.late: dict[str, Late] = {}
        """What nodes are late with next."""
        self.timing_watches = TimingWatches(self._take_late)
        self.certificates = CertificateFiles(self.plan, "real")
        self.executions: list[tuple[str, list[str], str, bool]] = []
        self.tracing = asyncio.Event()
        self.interrupted = asyncio.Event()
        self.clock_ns = 0
        self.live_captures = LiveCaptures(self.plan, lambda: cast(Backend, self), 0)
        self.capturing: LiveCapture | None = None
        """The last one that was asked for."""
        self.ended_captures: list[int] = []

    def summary(self) -> dict[str, Any]:
        return {"name": "campus", "nodes": 2, "state": "running"}

    async def inspect(self) -> dict[str, Any]:
        nodes = [await self.inspect_node("alice"), await self.inspect_node("web")]
        timing = self.timing_watches.since_start.timing.as_dict()
        facts = {"nodes": nodes, "links": self.links(), "ports": [], "timing": timing}
        return {"name": "campus", **facts}

    def top(self, interval: float, count: int | None, /) -> AsyncIterator[Top]:
        check_interval(interval, count)
        return self._intervals(interval, count)

    async def _intervals(self, interval: float, count: int | None) -> AsyncIterator[Top]:
        for number in range(count or 10**9):
            await asyncio.sleep(min(interval, 0.1) if number else 0)
            links = (
                LinkLoad("alice:eth0", "web:eth0", 1_250_000.0, 0.125, 104.2, 3, 7),
                LinkLoad("web:eth0", "alice:eth0", 0.0, None, 0.0, 0, 0),
            )
            timing = Timing({"web": VERY_LATE} if number else {})
            yield Top(1_500_000_000, interval, links, ("lab",) if number else (), timing)

    async def metrics(self) -> str:
        return metrics_text(await self.inspect())

    async def inspect_node(self, name: str) -> dict[str, Any]:
        if name not in ("alice", "web"):
            raise UnknownNameError(f"campus has no node {name!r}; write `alice`")
        return {"name": name, "kind": "computer", "pid": 1, "state": "running", "interfaces": []}

    async def exec(self, node: str, run: ToolRun, /) -> int:
        argv, output, interrupt = list(run.argv), run.output, run.interrupt
        await self.inspect_node(node)
        self.executions.append((node, argv, run.cwd, run.json))
        match argv:
            case ["echo", text]:
                output("stdout", text.encode())
            case ["late"]:
                self.late = {"web": VERY_LATE}
            case ["bytes"]:
                output("stdout", bytes(range(256)))
                output("stderr", "gr\u00fc\u00dfe\n".encode())
            case ["much"]:
                while not interrupt.is_set() and self.printed < 100 * 2**20:
                    output("stdout", bytes(2**16))
                    self.printed += 2**16
                    try:
                        async with asyncio.timeout(0.5):
                            await run.taken()
                    except TimeoutError:
                        self.stands_still.set()
                        await run.taken()
                self.interrupted.set()
            case ["wait"]:
                await interrupt.wait()
                self.interrupted.set()
                output("stdout", b"statistics\n")
            case ["ping"]:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(interrupt.wait(), 30)
                self.interrupted.set()
            case ["fail"]:
                raise NetsimError("the tool broke")
            case ["break"]:
                raise ZeroDivisionError("a bug")
            case ["crash"]:
                return 7
        return 0

    def nodes_for(self, tool: str, names: Sequence[str], kind: str | None, /) -> list[str]:
        return nodes_for(self.plan, tool, names, kind)

    def _take_late(self) -> dict[str, Late]:
        taken, self.late = self.late, {}
        return taken

    def kinds(self) -> dict[str, str]:
        return {"alice": "computer", "web": "computer"}

    async def trace(self, client: str, url: str, /, *, timeout: float) -> Trace:
        """One second of it, and no packets; a time-out of an hour is one that nobody waits for."""
        await self.inspect_node(client)
        if timeout == 3600:
            self.tracing.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.interrupted.set()
        if url == "http://gone/":
            raise ConnectionError("alice has ended")
        if "/" not in url:
            raise InvalidValueError(f"`{url}` is no URL; write for example `http://{url}/`")
        error = "connection refused" if url.endswith(":81/") else ""
        return Trace(
            client=client,
            method="GET",
            url=url,
            status=0 if error else 200,
            reason="" if error else "OK",
            location={"http://web/old": "/", "http://web/loop": "loop"}.get(url, ""),
            size=5,
            error=error,
            started_ns=10**9,
            ended_ns=2 * 10**9,
            nodes=("alice", "web"),
            packets=(),
            spans=(Span(10**9, 2 * 10**9, "server", "hosts", "web"),),
        )

    async def ping_all(self, *, routers: bool, timeout: float, on_ping: OnPing) -> Reachability:
        """Web never answers. A time-out of an hour is one that nobody waits for."""
        pings = [Ping("web", "alice", 1.5), Ping("alice", "web", None)]
        with self.timing_watches.watching() as watch:
            if routers:
                self.late = {"web": VERY_LATE}
        self.asked_to_ping.append((routers, timeout))
        for ping in pings:
            on_ping(ping, 2)
        if timeout in (3600, ENDLESS):
            try:
                while timeout == ENDLESS:
                    on_ping(pings[0], 2)
                    await asyncio.sleep(0)
                await asyncio.Event().wait()
            finally:
                self.interrupted.set()
        return Reachability(["alice", "web"], pings, watch.timing)

    def logs(
        self,
        nodes: Sequence[str],
        last: int | None,
        /,
        *,
        since: str | None,
        level: str | None,
        events: bool,
    ) -> dict[str, Any]:
        for node in nodes:
            if node not in ("alice", "web"):
                raise UnknownNameError(f"campus has no node {node!r}; write `alice`")
        since_ns = 0 if since is None else 2_000_000_000 - parse_duration(since)
        least = 0 if level is None else level_of(level)
        return self.history.document(Wanted(frozenset(nodes), since_ns, least, events), last)

    def now(self) -> int:
        return self.clock_ns

    def live_capture(self, *where: str, filter: str, count: int | None) -> LiveCapture:
        self.capturing = self.live_captures.new(where, filter, count)
        return self.capturing

    def begin_capture(self, capture: int, points: Points, expression: Expression | None) -> None:
        """As a backend."""

    async def end_capture(self, capture: int) -> list[CapturedBatch]:
        self.ended_captures.append(capture)
        return []

    def subscribe_to_logs(self, events: bool = False, /) -> Subscription:
        return self.history.subscribe(events)

    def subscribe(self) -> Subscription:
        return self.hub.subscribe()

    def failed(self, text: str) -> None:
        self.hub.publish(Event(1, "error", "", text))

    def say(self, text: str, level: int = logging.INFO) -> None:
        self.hub.publish(Event(1, "log", "web", text))
        self.history.add(LogLine(1_500_000_000, "web", level, text))

    def happens(self, kind: str, node: str, text: str) -> None:
        self.history.add(event_line(Event(1_600_000_000, kind, node, text)))


class Served:
    """A fake network behind a control server."""

    def __init__(self, network: FakeNetwork, state: StateDirectory) -> None:
        self.network = network
        self.state = state
        self.stop_requests = 0
        self.server = ControlServer(network, self._request_stop)

    def _request_stop(self) -> None:
        self.stop_requests += 1
