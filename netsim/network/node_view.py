"""One node as tests see it: `net["alice"]`."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from netsim.core.errors import (
    InvalidValueError,
    NoCoroutineError,
    NoPathError,
    NoProgramsError,
    TransferFailedError,
    UnknownNameError,
)
from netsim.core.units import check_seconds, parse_size
from netsim.network.awaited_call import awaited
from netsim.network.faults import Fault, Operation
from netsim.network.network_nodes import NetworkNodes
from netsim.network.node_faults import NodeFault, NodeOperation
from netsim.network.traffic_faults import ConnectionsView
from netsim.site.backend import ToolRun
from netsim.topology.kinds import KINDS, Kind
from netsim.topology.plan import NetworkPlan
from netsim.wire.address import format_ip

# What runs on a node is imported with the first thing that is asked of it: the stack and aiohttp
# are a third of what a supervisor would import, and only nodes need them.
if TYPE_CHECKING:
    from netsim.tools.http_exchange import Headers
    from netsim.tools.http_reply import HttpReply
    from netsim.tools.path_trace import PathTrace
    from netsim.tools.ping_measurement import PingReport
    from netsim.tools.transfer import Sent, Transfer

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Completed:
    """A tool that has ended: its exit code, and what it printed."""

    code: int
    stdout: str
    stderr: str
    untrusted: str = ""
    """Why times that it printed may be those of a busy machine; empty else."""


class NodeView:
    """A computer, router or switch of a running network.

    What is measured happens at the node, in network time. ConnectionError when the node is down,
    or goes down meanwhile; NoProgramsError where a switch would have to do it. Cancelling the call
    ends it at the node.
    """

    def __init__(self, network: NetworkNodes, name: str) -> None:
        self._network = network
        self.unused = network.unused
        self._spoken_name = f'network["{name}"]'
        self.name = name
        self.kind: Kind = network.plan.node(name).kind

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    # Programs

    @awaited
    async def get(
        self,
        url: str,
        *,
        headers: Headers | None = None,
        timeout: float | None = None,
        follow_redirects: bool = False,
    ) -> HttpReply:
        """`request("GET", url)`."""
        return await self.request(
            "GET", url, headers=headers, timeout=timeout, follow_redirects=follow_redirects
        )

    @awaited
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        body: bytes | str | None = None,
        timeout: float | None = None,
        follow_redirects: bool = False,
    ) -> HttpReply:
        """An HTTP exchange from here, on a connection of its own: the whole reply.

        `timeout` is in seconds for all of it; None waits as long as TCP does. Text is sent as
        UTF-8. HttpFailedError when there is no whole reply; any status is a reply. UnitError,
        InvalidValueError for a `timeout` that is none.
        """
        from netsim.tools.http_exchange import http_exchange

        if timeout is not None:
            check_seconds(timeout=timeout)
        content = body.encode() if isinstance(body, str) else body
        with self._network.watch_timing() as watch:
            reply = await self.run(
                http_exchange, method, url, headers, content, timeout, follow_redirects
            )
        return replace(reply, untrusted=watch.timing.text)

    @awaited
    async def ping(
        self,
        to: str,
        *,
        count: int = 3,
        interval: float = 1.0,
        timeout: float = 2.0,
        size: int = 56,
    ) -> PingReport:
        """Echo requests to a name or address: `count` of them, one each `interval` seconds.

        An answer counts within `timeout` seconds; `size` is in bytes of data. What is not
        answered is loss, and no error; UnknownNameError for a name that nobody has, UnitError and
        InvalidValueError for arguments that cannot be.
        """
        from netsim.tools.ping_measurement import ping

        check_seconds(interval=interval, timeout=timeout)
        if count < 1 or not 0 <= size <= 65_507:
            raise InvalidValueError("count is 1 or more, size is 0 to 65507")
        with self._network.watch_timing() as watch:
            report = await self.run(ping, to, count, interval, timeout, size)
        return replace(report, untrusted=watch.timing.text)

    @awaited
    async def path(self, to: str) -> list[str]:
        """The names of the routers on the way to a name or address, as packets really travel.

        NoPathError when they do not arrive; UnknownNameError for a name that nobody has.
        """
        from netsim.tools.path_trace import trace_path

        trace = await self.run(trace_path, to)
        routers = [self._owner(address) or address for address in trace.hops]
        if trace.problem:
            raise NoPathError(self._no_path(to, trace, routers), routers)
        return routers

    @awaited
    async def resolve(self, name: str) -> str | None:
        """The IPv4 address that a name has here; None when it has none."""
        from netsim.tools.resolve import resolve

        return await self.run(resolve, name)

    @awaited
    async def transfer(self, to: str, size: int | str, *, timeout: float | None = None) -> Transfer:
        """Send bytes (`1_000_000`, `"20MiB"`) to another computer over one TCP connection.

        `to` is a name or address. Both ends are simulated programs, so nothing has to listen
        there. `timeout` is in seconds of the network for all of it; None waits as long as TCP does.
        TransferFailedError when not all arrive; UnknownNameError, UnitError,
        InvalidValueError.
        """
        size = size if isinstance(size, int) else parse_size(size)
        if timeout is not None:
            check_seconds(timeout=timeout)
        if size < 1:
            raise InvalidValueError("a transfer has 1 byte or more")
        with self._network.watch_timing() as watch:
            transfer = await self._transfer(to, size, timeout)
        return replace(transfer, untrusted=watch.timing.text)

    async def _transfer(self, to: str, size: int, timeout: float | None) -> Transfer:
        from netsim.tools import transfer as ends

        address = await self.resolve(to)
        receiver = None if address is None else self._owner(address)
        if address is None or receiver is None:
            raise UnknownNameError(f"{self._network.plan.name} has no computer {to!r}")
        port = await self._network.call(receiver, ends.open_sink, (size,))
        arriving = asyncio.ensure_future(self._network.call(receiver, ends.drain_sink, (port,)))
        sending = asyncio.ensure_future(self.run(ends.send_bytes, address, port, size))
        patience = None if timeout is None else timeout / self._network.speed
        try:
            ended, _ = await asyncio.wait(
                {arriving, sending}, timeout=patience, return_when=asyncio.FIRST_EXCEPTION
            )
            if len(ended) < 2 and not any(side.exception() for side in ended):
                arrived = await self._network.call(receiver, ends.received_bytes, (port,))
                raise TransferFailedError(
                    f"{arrived} of {size} bytes arrived: timed out after {timeout:g} s"
                )
            for side in (sending, arriving):
                if side.done():
                    side.result()
            sent: Sent = sending.result()
            progress = arriving.result()
            elapsed = progress[-1][0] - sent.started_at
            return ends.Transfer(size, elapsed, sent.retransmissions, progress)
        finally:
            for side in (sending, arriving):
                side.cancel()
            await asyncio.gather(sending, arriving, return_exceptions=True)
            await self._close_sink(receiver, port)

    @awaited
    async def exec(
        self, *argv: str, cwd: str | os.PathLike[str] = ".", json: bool = False
    ) -> Completed:
        """Run a tool here: `await net["alice"].exec("ping", "-c1", "web")`.

        `cwd` is where tools read and write files. `json` asks for one JSON document instead of
        text. A tool that does not exist has exit code 127.
        """
        printed = {"stdout": bytearray(), "stderr": bytearray()}
        interrupt = asyncio.Event()
        run = ToolRun(
            argv=argv,
            cwd=os.path.abspath(cwd),
            output=lambda stream, data: printed[stream].extend(data),
            interrupt=interrupt,
            json=json,
        )
        try:
            with self._network.watch_timing() as watch:
                code = await self._network.exec(self.name, run)
        except asyncio.CancelledError:
            interrupt.set()
            raise
        return Completed(
            code,
            printed["stdout"].decode(errors="replace"),
            printed["stderr"].decode(errors="replace"),
            watch.timing.text,
        )

    @overload
    async def run(
        self,
        function: Callable[Arguments, Awaitable[Result]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result: ...

    @overload
    async def run(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result: ...

    @awaited
    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function here, with this node's network: a coroutine function on its event loop, a
        plain function, which may block, in a thread of its own.

        Any asyncio code will do (aiohttp, httpx, plain streams), or any that blocks (requests,
        sockets, drivers of databases). The function must be importable in real time; arguments and
        result are copied in both times (CopyError). What it raises is raised. Cancelling the call
        cancels a coroutine; a thread goes on. NoCoroutineError for what is no function.
        """
        if not callable(function):
            what = repr(function)
            if inspect.iscoroutine(function):
                function.close()
                what = f"the coroutine {function.__qualname__}"
            raise NoCoroutineError(
                f"{what} is no function; write the function and its arguments: "
                '`run(fetch, "http://web/")`, not `run(fetch("http://web/"))`'
            )
        tap = self._network.plan.node(self.name).tap
        if tap is not None:
            raise NoProgramsError(
                f"{self.name} is attached to tap:{tap} and runs no programs of ours; ask another"
            )
        if not KINDS[self.kind].has_stack:
            raise NoProgramsError(
                f"{self.name} is a {self.kind} and runs no programs; ask a computer or a router"
            )
        return await self._network.call(self.name, function, args, kwargs)

    # The node itself

    def crash(self) -> Fault:
        """Cut its power: its programs, connections and caches are gone, its links lose carrier.

        With `async with` it is started again at the end of the block.
        """
        return NodeFault(self._network, self.name, self._network.crash, self._network.start_node)

    def stop(self) -> Fault:
        """Let its programs shut down, and end it; `async with` as with `crash`."""
        return NodeFault(
            self._network, self.name, self._network.stop_node, self._network.start_node
        )

    def start(self) -> Operation:
        """Start it again after `crash` or `stop`; done when its services listen.

        AlreadyRunningError when it is up; StartError when it does not come up.
        """
        return NodeOperation(self._network, self.name, self._network.start_node)

    def restart(self) -> Operation:
        """Stop it, if it is up, and start it."""
        return NodeOperation(self._network, self.name, self._network.restart_node)

    def kill_program(self) -> Fault:
        """Kill what runs on this computer (SIGKILL): the process dies, and the machine lives.

        It closes the sockets, as a kernel does: peers get a FIN, or a RST where data was not read,
        and new connections are refused. `restart` brings it back, or the end of an `async with`.
        In real time tasks are cancelled: what they do in `finally` runs still, without a network.
        """
        return NodeFault(
            self._network, self.name, self._network.kill_program, self._network.start_program
        )

    def pause(self) -> Fault:
        """Let what runs on this computer stand still (SIGSTOP) until `resume`; the machine lives.

        Connections are accepted and data is acknowledged, as far as buffers reach, and nobody
        answers. In real time what runs hears and says nothing, but its own timers go on.
        """
        return NodeFault(self._network, self.name, self._network.pause, self._network.resume)

    def resume(self) -> Operation:
        """Let it go on after `pause`."""
        return NodeOperation(self._network, self.name, self._network.resume)

    def connections(self, to: str, port: int) -> ConnectionsView:
        """TCP connections from here to a port of another node, to go wrong.

        UnknownNameError, InvalidValueError.
        """
        return self._network.connections(to, port, source=self.name)

    # Names

    def _owner(self, address: str) -> str | None:
        return owner_of(self._network.plan, self.name, address)

    def _no_path(self, to: str, trace: PathTrace, routers: list[str]) -> str:
        where = ""
        if trace.reporter is not None:
            where = f", says {self._owner(trace.reporter) or trace.reporter}"
        elif routers:
            where = f" beyond {routers[-1]}"
        return f"{self.name} does not reach {to}: {trace.problem}{where}"

    async def _close_sink(self, receiver: str, port: int) -> None:
        from netsim.tools.transfer import close_sink

        try:
            await self._network.call(receiver, close_sink, (port,))
        except ConnectionError:
            # It went down, and its sink with it.
            return


def owner_of(plan: NetworkPlan, asker: str, address: str) -> str | None:
    """The node that has an address; 127.0.0.0/8 is whoever asks."""
    if address.startswith("127."):
        return asker
    for node in plan.nodes:
        for interface in node.interfaces:
            if interface.address is not None and format_ip(interface.address) == address:
                return node.name
    return None
