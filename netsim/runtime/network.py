"""A running network: the operations that everything else is a face of.

The command line and the control API do what this class does and nothing more. It is the
supervisor: it starts a process for each node through the zygote, wires them, notices who dies,
and has routes follow what is up.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import difflib
import logging
import os
import signal
import time as clock
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from netsim.core.errors import StartError, UnknownNameError
from netsim.observe.accounting import LinkAccount
from netsim.runtime.convergence import Convergence
from netsim.runtime.events import Event, EventHub, Subscription
from netsim.runtime.logs import LogBook, LogLine
from netsim.runtime.pingall import OnPing, PingAll, Reachability
from netsim.runtime.process.fleet import Fleet
from netsim.runtime.process.launcher import Launcher, StartMethod, new_launcher
from netsim.runtime.process.node_handle import NodeHandle, Output
from netsim.topology.load import load_plan
from netsim.topology.plan import NetworkPlan
from netsim.topology.planning import make_plan
from netsim.wire.address import format_ip, format_mac

if TYPE_CHECKING:
    import networkx

ANSWER_TIMEOUT: Final = 2.0
"""Seconds after which a node that does not answer is reported as not responding."""
_INSTALL_AHEAD: Final = 5_000_000
"""ns: routes are installed everywhere at one logical time, this far ahead."""

State = Literal["new", "starting", "running", "degraded", "stopping", "stopped"]


class Network:
    """A network in real time: `async with Network("campus.yaml") as net: …`.

    `topology` is a file, a networkx graph of any kind (docs/topology.md, "From Python") or a plan.
    Mistakes raise `InvalidFileError` or `InvalidGraphError`, which list them all. `seed` and `name`
    go before those that are written there.
    `start_method` is how node processes begin: `"fork"` from a zygote, or multiprocessing's
    `"forkserver"` or `"spawn"`. A `launcher` made earlier (`Zygote.start()`) saves the time that
    its imports take.
    """

    def __init__(
        self,
        topology: str | os.PathLike[str] | networkx.Graph[Any] | NetworkPlan,
        *,
        seed: int | None = None,
        name: str | None = None,
        start_method: StartMethod = "fork",
        launcher: Launcher | None = None,
    ) -> None:
        if isinstance(topology, (str, os.PathLike)):
            self.plan = load_plan(topology, name=name, seed=seed)
        else:
            self.plan = make_plan(topology, name=name, seed=seed)
        self.state: State = "new"
        self.epoch = 0
        """`time.monotonic_ns` at network time 0."""
        self._start_method = start_method
        self._launcher = launcher
        self._fleet = Fleet(self.plan, self._hear_node, self._node_ended)
        self._convergence = Convergence(self.plan)
        self._reconverging: asyncio.TimerHandle | None = None
        self._events = EventHub()
        self._logs = LogBook()
        self._cuts = 0
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._stopping: asyncio.Task[None] | None = None

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

    # Starting and stopping

    async def start(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Bring every node up, or none.

        `on_progress(ready, total)` is called as nodes come up. StartError names the node that
        did not and the reason.
        """
        if self.state != "new":
            raise StartError("a Network starts once; make another for another start")
        self.state = "starting"
        self.epoch = clock.monotonic_ns()
        try:
            launcher = self._launcher or new_launcher(self._start_method)
            await self._fleet.start(launcher, self.epoch, on_progress)
        except BaseException:
            await self.stop(grace=0)
            raise
        self.state = "running"

    async def stop(self, *, grace: float = 2.0) -> None:
        """Stop every node: programs may shut down for `grace` seconds, then SIGKILL.

        Nothing is left when it returns. Calling it again waits for the same end.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace))
        await asyncio.shield(self._stopping)

    def kill(self) -> None:
        """SIGKILL everything now; `stop` still has to be awaited."""
        self._fleet.kill()

    async def _stop(self, grace: float) -> None:
        self.state = "stopping"
        if self._reconverging is not None:
            self._reconverging.cancel()
        await self._fleet.stop(grace)
        self.state = "stopped"
        self._events.close()
        self._logs.close()

    # Watching

    def now(self) -> int:
        """Network time in ns."""
        return clock.monotonic_ns() - self.epoch

    def subscribe(self) -> Subscription:
        """Events from now on; close the subscription when done."""
        return self._events.subscribe()

    def logs(self, node: str | None = None, last: int | None = None) -> dict[str, Any]:
        """What the nodes and their programs logged, oldest first: `{dropped, lines}`.

        `last` is how many lines at most. UnknownNameError when there is no such node.
        """
        if node is not None:
            self._node(node)
        return self._logs.document(node, last)

    def subscribe_to_logs(self) -> Subscription:
        """Every line that is logged from now on; close the subscription when done."""
        return self._logs.subscribe()

    def kinds(self) -> dict[str, str]:
        """Every node with its kind, in the order of the file."""
        return {node.name: node.kind for node in self._fleet.nodes.values()}

    def summary(self) -> dict[str, Any]:
        """One row of `netsim ps`."""
        return {
            "name": self.plan.name,
            "file": self.plan.file,
            "supervisor_pid": os.getpid(),
            "started": self._started_at.isoformat(timespec="seconds"),
            "nodes": len(self._fleet.nodes),
            "state": self.state,
        }

    async def inspect(self) -> dict[str, Any]:
        """Everything about every node and link; nodes that do not answer say so."""
        *nodes, frames = await asyncio.gather(
            *(self.inspect_node(name) for name in self._fleet.nodes), self._frames()
        )
        return {
            "name": self.plan.name,
            "state": self.state,
            "nodes": nodes,
            "links": [
                {**link, "frames": each} for link, each in zip(self.links(), frames, strict=True)
            ],
            "ports": self.ports(),
        }

    async def inspect_node(self, name: str) -> dict[str, Any]:
        """Everything about one node; UnknownNameError when there is none of that name."""
        node = self._node(name)
        facts: dict[str, Any] = {
            "name": node.name,
            "kind": node.kind,
            "pid": node.pid,
            "state": node.state,
        }
        try:
            facts |= await node.ask("ask", timeout=ANSWER_TIMEOUT)
            return facts
        except TimeoutError:
            facts["state"] = "not responding"
        except ConnectionError:
            facts["state"] = "dead"
        return facts | {"interfaces": self._planned_interfaces(name)}

    def links(self) -> list[dict[str, Any]]:
        """Both ends of every link, and whether it is up."""
        return [
            {
                "index": index,
                "a": {"node": link.a[0], "interface": link.a[1]},
                "b": {"node": link.b[0], "interface": link.b[1]},
                "up": index not in self._convergence.down_links
                and not {link.a[0], link.b[0]} & self._convergence.down_nodes,
            }
            for index, link in enumerate(self.plan.links)
        ]

    def ports(self) -> list[dict[str, Any]]:
        """Where the network can be entered from outside: `{listen, node, to}`."""
        return [
            {
                "listen": f"{host}:{port}",
                "node": node.name,
                "to": f"{planned.host}:{planned.port}",
            }
            for node in self._fleet.nodes.values()
            for (host, port), planned in zip(
                node.ports, self.plan.node(node.name).ports, strict=False
            )
        ]

    async def accounts(self) -> list[LinkAccount]:
        """The books of every direction at one consistent cut; all nodes must be alive."""
        self._cuts += 1
        answers = await asyncio.gather(
            *(node.cut(self._cuts, ANSWER_TIMEOUT) for node in self._fleet.nodes.values())
        )
        books = dict(zip(self._fleet.nodes, answers, strict=True))
        accounts = []
        for link in self.plan.links:
            for near, far in ((link.a, link.b), (link.b, link.a)):
                egress = books[near[0]]["egress"][near[1]]
                ingress = books[far[0]]["ingress"][far[1]]
                accounts.append(_account(near, egress, ingress))
        return accounts

    async def _frames(self) -> list[list[dict[str, Any]] | None]:
        """Of each link the frames of both directions, from `a` and from `b`.

        None where that cannot be known, because a node has died or does not answer.
        """
        try:
            accounts = await self.accounts() if self.state == "running" else []
        except (TimeoutError, ConnectionError):
            accounts = []
        if not accounts:
            return [None] * len(self.plan.links)
        documents = [_account_facts(account) for account in accounts]
        return [[a, b] for a, b in zip(documents[::2], documents[1::2], strict=True)]

    # Doing

    async def exec(
        self,
        node: str,
        argv: list[str],
        *,
        cwd: str,
        output: Output,
        interrupt: asyncio.Event,
        json: bool = False,
    ) -> int:
        """Run a tool at a node and return its exit code; `interrupt` is its Ctrl-C."""
        handle = self._node(node)
        try:
            return await handle.execute(argv, cwd, json, output, interrupt)
        except ConnectionError as error:
            output("stderr", f"{error}\n".encode())
            return 1

    async def ping_all(
        self,
        *,
        routers: bool = False,
        timeout: float = 2.0,
        on_ping: OnPing | None = None,
    ) -> Reachability:
        """Ping from every computer, and with `routers` from every router, to all others.

        One request for each pair, with `timeout` seconds for its answer; `on_ping` is told of
        each as it ends. A node that is dead reaches nobody.
        """
        kinds = ("computer", "router") if routers else ("computer",)
        names = [name for name, kind in self.kinds().items() if kind in kinds]
        return await PingAll(self.exec, names, timeout).run(on_ping)

    async def capture(self, where: str, path: str | os.PathLike[str]) -> None:
        """Write what passes a node (`"r1"`) or one interface (`"r1:eth0"`) to a pcapng file.

        It goes on until the network stops. UnknownNameError, or OSError when the file cannot
        be written.
        """
        name, _, interface = where.partition(":")
        node = self._node(name)
        known = [each.name for each in self.plan.node(name).interfaces]
        if interface and interface not in known:
            raise UnknownNameError(f"{name} has no interface {interface!r}, but {', '.join(known)}")
        failure = await node.ask(
            "capture", interface or None, os.path.abspath(path), timeout=ANSWER_TIMEOUT
        )
        if failure is not None:
            raise OSError(failure)

    async def crash(self, node: str) -> None:
        """SIGKILL the process of a node; returns when it is gone."""
        handle = self._node(node)
        if handle.pid is not None and not handle.ended.is_set():
            # It may have ended by itself a moment ago, and the report be on its way.
            with contextlib.suppress(ProcessLookupError):
                os.kill(handle.pid, signal.SIGKILL)
            await handle.ended.wait()

    def _node(self, name: str) -> NodeHandle:
        node = self._fleet.nodes.get(name)
        if node is None:
            near = difflib.get_close_matches(name, self._fleet.nodes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownNameError(f"{self.plan.name} has no node {name!r}{hint}")
        return node

    def _planned_interfaces(self, name: str) -> list[dict[str, Any]]:
        return [
            {
                "name": interface.name,
                "mac": format_mac(interface.mac),
                "addresses": [f"{format_ip(interface.address)}/{interface.prefix_length}"]
                if interface.address
                else [],
                "peer": interface.peer,
                "up": False,
            }
            for interface in self.plan.node(name).interfaces
        ]

    # Hearing

    def _publish(self, kind: str, node: str, text: str) -> None:
        self._events.publish(Event(self.now(), kind, node, text))

    def _hear_node(self, node: NodeHandle, message: tuple[Any, ...]) -> None:
        match message:
            case ("carrier", interface, up, at) if self.state in ("running", "degraded"):
                word = "up" if up else "lost"
                self._events.publish(
                    Event(at, "carrier", node.name, f"{node.name}:{interface} carrier {word}")
                )
                self._convergence.carrier_changed(node.name, interface, up)
                self._reconverge()
            case ("log", level, text):
                line = self._logs.add(LogLine(self.now(), node.name, level, text))
                kind = "error" if level >= logging.ERROR else "log"
                self._publish(kind, node.name, line.text)

    def _node_ended(self, node: NodeHandle) -> None:
        expected = self.state not in ("running", "degraded")
        node.state = "stopped" if expected else "dead"
        if expected:
            return
        code = node.exit_code
        if code is None:
            how = "ended with the zygote"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"ended with exit code {code}"
        self._publish("node-died", node.name, f"{node.name} (pid {node.pid}) {how}")
        self.state = "degraded"
        self._convergence.down_nodes.add(node.name)
        self._reconverge()

    def _reconverge(self) -> None:
        """Recompute routes `convergence` after the first of the changes that come together."""
        if self.plan.routing != "auto" or self.state not in ("running", "degraded"):
            return
        if self._reconverging is None:
            delay = self.plan.convergence_ns / 1e9
            self._reconverging = asyncio.get_running_loop().call_later(delay, self._install)

    def _install(self) -> None:
        self._reconverging = None
        changed = self._convergence.recompute()
        if not changed:
            return
        at = self.now() + _INSTALL_AHEAD
        everybody = self._convergence.routes
        for node in self._fleet.nodes.values():
            if node.kind != "switch":
                node.send("routes", at, everybody[node.name], everybody)
        self._publish("routes", "", f"routes of {', '.join(sorted(changed))} have changed")


def _account_facts(account: LinkAccount) -> dict[str, Any]:
    return {
        "from": account.name.partition("/")[0],
        "sent": account.sent,
        "duplicated": account.duplicated,
        "delivered": account.delivered,
        "dropped": account.dropped,
        "in_flight": account.in_flight,
    }


def _account(near: tuple[str, str], egress: dict[str, Any], ingress: dict[str, Any]) -> LinkAccount:
    dropped: dict[str, int] = {}
    for each in (egress["dropped"], egress["lost"], ingress["dropped"]):
        for reason, frames in each.items():
            dropped[reason] = dropped.get(reason, 0) + frames
    return LinkAccount(
        name="/".join(near),
        sent=egress["sent"],
        duplicated=egress["duplicated"],
        delivered=ingress["delivered"],
        dropped=dropped,
        in_flight=egress["queued"] + ingress["in_flight"],
    )
