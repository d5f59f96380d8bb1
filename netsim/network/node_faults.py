"""What goes wrong with one node, and is mended: `net["r2"].crash()`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from netsim.core.errors import AlreadyRunningError
from netsim.network.faults import Fault, Operation
from netsim.network.network_nodes import NetworkNodes


class NodeOperation(Operation):
    def __init__(
        self, network: NetworkNodes, name: str, verb: Callable[[str], Awaitable[None]]
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
        network: NetworkNodes,
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
