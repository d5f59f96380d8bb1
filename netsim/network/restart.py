"""When a node that failed is started again: soon, and later and later if it keeps failing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from netsim.core.errors import AlreadyRunningError, NotRespondingError, StartError
from netsim.core.time import MILLISECOND, SECOND
from netsim.topology.plan import NetworkPlan

FIRST_DELAY: Final = 100 * MILLISECOND
LONGEST_DELAY: Final = 10 * SECOND
LONG_RUN: Final = 10 * SECOND
"""After running as long as this a failure counts as the first. All in ns of network time."""


class RestartPolicy:
    """`restart: on-failure` of one node: 100 ms, doubled with each failure up to 10 s."""

    def __init__(self) -> None:
        self._next_delay = FIRST_DELAY
        self._started_at = 0

    def started(self, now: int) -> None:
        """The node is up."""
        self._started_at = now

    def delay(self, now: int) -> int:
        """The node has failed, or has not come up: how long to wait before it is started."""
        if now - self._started_at >= LONG_RUN:
            self._next_delay = FIRST_DELAY
        delay = self._next_delay
        self._next_delay = min(2 * delay, LONGEST_DELAY)
        # Since a start that fails nothing has been running.
        self._started_at = now + delay
        return delay


class Restarts:
    """Starts nodes again that have failed, where their plan says so.

    `start` starts a node, and tells why one did not start.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        now: Callable[[], int],
        start: Callable[[str], Awaitable[None]],
        speed: float = 1.0,
    ) -> None:
        self._speed = speed
        self._policies = {
            node.name: RestartPolicy() for node in plan.nodes if node.restart == "on-failure"
        }
        self._now = now
        self._start = start
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def failed(self, node: str) -> None:
        """A node has ended without having been told to."""
        if node in self._policies:
            self._waiting[node] = asyncio.create_task(self._again(node))

    def started(self, node: str) -> None:
        """A node is up, whoever started it."""
        if node in self._policies:
            self._policies[node].started(self._now())

    def forget(self, node: str) -> None:
        """Somebody else starts the node, or it is to stay down."""
        waiting = self._waiting.pop(node, None)
        if waiting is not None and waiting is not asyncio.current_task():
            waiting.cancel()

    async def end(self) -> None:
        """Start nothing any more."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _again(self, node: str) -> None:
        while True:
            await asyncio.sleep(self._policies[node].delay(self._now()) / SECOND / self._speed)
            with contextlib.suppress(StartError, NotRespondingError):
                with contextlib.suppress(AlreadyRunningError):
                    await self._start(node)
                return
