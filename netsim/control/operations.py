"""What the control API needs of a network; `netsim.runtime.network.Network` has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, Protocol

from netsim.runtime.pingall import OnPing, Reachability

Output = Callable[[Literal["stdout", "stderr"], bytes], None]


class Events(Protocol):
    """A subscription: iterate over it, and close it when done."""

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]: ...
    def close(self) -> None: ...


class Operations(Protocol):
    """Each is one resource or verb of the API. UnknownNameError where a node is named."""

    def summary(self) -> dict[str, Any]: ...
    def kinds(self) -> dict[str, str]: ...
    async def inspect(self) -> dict[str, Any]: ...
    async def inspect_node(self, name: str, /) -> dict[str, Any]: ...
    def links(self) -> list[dict[str, Any]]: ...
    async def exec(
        self,
        node: str,
        argv: list[str],
        *,
        cwd: str,
        output: Output,
        interrupt: asyncio.Event,
        json: bool = False,
    ) -> int: ...
    async def ping_all(self, *, routers: bool, timeout: float, on_ping: OnPing) -> Reachability: ...
    def logs(self, node: str | None, last: int | None, /) -> dict[str, Any]: ...
    def subscribe_to_logs(self) -> Events: ...
    def subscribe(self) -> Events: ...
