"""What goes wrong with one node, and is mended: `net["r2"].crash()`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from netsim.core.errors import AlreadyRunningError
from netsim.network.faults import Fault, Operation, UnusedOperations
from netsim.network.traffic_faults import ConnectionsView
from netsim.site.backend import ToolRun
from netsim.topology.plan import NetworkPlan


class NodesOfNetwork(Protocol):
    """What the view of a node needs of its network."""

    plan: NetworkPlan
    unused: UnusedOperations

    @property
    def is_running(self) -> bool:
        """Whether nodes can be started: not once the network stops."""

    async def call(
        self,
        node: str,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run a coroutine function on the node's loop; arguments and result are copied."""

    async def exec(self, node: str, run: ToolRun) -> int:
        """Run a tool at a node and return its exit code."""

    def connections(self, to: str, port: int, *, source: str | None = None) -> ConnectionsView:
        """Those to a port of a node, from one node or from all."""

    async def crash(self, node: str) -> None:
        """Cut its power."""

    async def stop_node(self, node: str) -> None:
        """Let its programs shut down, and end it."""

    async def start_node(self, node: str) -> None:
        """Start it again."""

    async def kill_program(self, node: str) -> None:
        """Kill what runs there; the machine lives."""

    async def start_program(self, node: str) -> None:
        """Start it again."""

    async def pause(self, node: str) -> None:
        """Let what runs there stand still."""

    async def resume(self, node: str) -> None:
        """Let it go on."""

    async def restart_node(self, node: str) -> None:
        """Stop it, if it is up, and start it again."""


class NodeOperation(Operation):
    def __init__(
        self, network: NodesOfNetwork, name: str, verb: Callable[[str], Awaitable[None]]
    ) -> None:
        super().__init__(network.unused)
        self._network = network
        self._name = name
        self._verb = verb

    async def _make(self) -> None:
        await self._verb(self._name)


class NodeFault(NodeOperation, Fault):
    """A node that is down, or something of it, for a while."""

    def __init__(
        self,
        network: NodesOfNetwork,
        name: str,
        verb: Callable[[str], Awaitable[None]],
        undo: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(network, name, verb)
        self._undo = undo

    async def _enter(self) -> None:
        await self._make()

    async def _leave(self) -> None:
        if self._network.is_running:
            # `restart: on-failure`, or somebody, was faster; or it went down in the meantime.
            with contextlib.suppress(AlreadyRunningError, ConnectionError):
                await self._undo(self._name)
