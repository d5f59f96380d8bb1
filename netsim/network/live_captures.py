"""Captures that somebody follows while frames pass, of any number of nodes, in order of time.

Nodes send what has passed in batches. It is held back for a moment, in which those of other nodes
come in: so the frames of all are in the order in which they passed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from types import TracebackType
from typing import Final

from netsim.core.errors import InvalidValueError
from netsim.core.time import MILLISECOND, SECOND
from netsim.observe.capture_filter import parse_filter
from netsim.observe.captured import CapturedBatch, CapturedFrame, Passed, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.filter_tokens import Names
from netsim.site.backend import Backend
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import node_and_interface
from netsim.wire.address import IpAddress

HELD_BACK: Final = 100 * MILLISECOND
"""In real time. Whoever sends later than that is out of order; its times are right."""
MOST_CAPTURES: Final = 32
"""At once, in one network."""
MOST_FRAMES: Final = 50_000
MOST_OCTETS: Final = 16 << 20
"""That wait for a slow reader; what comes then is lost and counted."""
_AT_ONCE: Final = 1000


class LiveCapture:
    """Frames as they pass, one by one:

        async with net.live_capture("r1", "web:eth0", filter="tcp port 80") as capture:
            async for passed in capture:
                print(passed.time_ns, passed.interface, passed.frame.hex())

    The iteration ends after `count` frames, with `end`, and with the network.
    """

    def __init__(
        self,
        captures: LiveCaptures,
        points: Points,
        expression: Expression | None,
        count: int | None,
    ) -> None:
        self.interfaces = [f"{node}:{each}" for node, own in points.items() for each in own]
        """`r1:eth0`, by their number."""
        self.points = points
        self.expression = expression
        self.dropped = [0] * len(self.interfaces)
        """By interface: frames that were lost because they were not taken in time."""
        self.ended = False
        self._captures = captures
        self._left = count
        self._number = 0
        self._waiting: list[tuple[int, int, Passed]] = []
        """A heap: time, number of arrival, frame."""
        self._octets = 0
        self._arrived = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> LiveCapture:
        self._number = self._captures.begin(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end()

    def __aiter__(self) -> LiveCapture:
        return self

    async def __anext__(self) -> CapturedFrame:
        for passed in await self.some(1):
            return passed
        raise StopAsyncIteration

    async def some(self, most: int = _AT_ONCE) -> Sequence[CapturedFrame]:
        """Those whose time has come, at least one; none when it has ended."""
        while True:
            if due := list(self._due(most)):
                return due
            if self.ended or self._left == 0:
                return ()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._changed.wait()

    async def end(self) -> None:
        """Capture no more; what has passed until now still comes."""
        number, self._number = self._number, 0
        if number:
            await self._captures.end(number)
        self.stop()

    def stop(self) -> None:
        """Nothing more comes from the nodes."""
        self.ended = True
        self._changed.set()

    def take(self, frames: Sequence[Passed], lost: Mapping[int, int]) -> None:
        """What has passed at a node, and how much of what it could not send."""
        for passed in frames:
            if len(self._waiting) >= MOST_FRAMES or self._octets >= MOST_OCTETS:
                self.dropped[passed[1]] += 1
                continue
            self._arrived += 1
            heappush(self._waiting, (passed[0], self._arrived, passed))
            self._octets += len(passed[3])
        for number, frames_lost in lost.items():
            self.dropped[number] += frames_lost
        self._changed.set()

    def _due(self, most: int) -> Iterator[CapturedFrame]:
        if self._left is not None:
            most = min(most, self._left)
        waiting = self._waiting
        # Nothing is held back any more when all is here.
        horizon = None if self.ended else self._captures.horizon()
        while most and waiting and (horizon is None or waiting[0][0] <= horizon):
            time_ns, number, direction, frame, dropped = heappop(waiting)[2]
            self._octets -= len(frame)
            most -= 1
            if self._left is not None:
                self._left -= 1
            yield CapturedFrame(time_ns, self.interfaces[number], direction, frame, dropped)

    def _until_due(self) -> float | None:
        """Seconds until the next one is due; None where nothing waits."""
        horizon = self._captures.horizon()
        if not self._waiting or horizon is None:
            return None
        return max(0, self._waiting[0][0] - horizon) / SECOND


class LiveCaptures:
    """Those of one network. `backend` runs its nodes; frames wait `held_back` ns for others."""

    def __init__(self, plan: NetworkPlan, backend: Callable[[], Backend], held_back: int) -> None:
        self._plan = plan
        self._backend = backend
        self._held_back = held_back
        self._running: dict[int, LiveCapture] = {}
        self._number = 0

    def new(self, where: Sequence[str], filter: str, count: int | None) -> LiveCapture:
        """One that has not begun; UnknownNameError, InvalidFilterError, InvalidValueError."""
        if count is not None and count < 1:
            raise InvalidValueError(f"{count} frames are none; write 1 or more")
        points = points_in(self._plan, where)
        return LiveCapture(self, points, self.expression_of(filter), count)

    def expression_of(self, filter: str) -> Expression | None:
        """What the words mean in this network; InvalidFilterError."""
        return parse_filter(filter, names_in(self._plan)) if filter else None

    def begin(self, capture: LiveCapture) -> int:
        """It has begun; its number. InvalidValueError."""
        if len(self._running) >= MOST_CAPTURES:
            raise InvalidValueError(
                f"{MOST_CAPTURES} captures are going on, as many as there may be; end one of them"
            )
        self._number += 1
        self._backend().begin_capture(self._number, capture.points, capture.expression)
        self._running[self._number] = capture
        return self._number

    async def end(self, number: int) -> None:
        """It is over, when its nodes have told what passed last."""
        if number not in self._running:
            return
        try:
            for batch in await self._backend().end_capture(number):
                self.captured(number, batch)
        finally:
            self._running.pop(number, None)

    def captured(self, number: int, batch: CapturedBatch) -> None:
        """A node has told what has passed."""
        if number in self._running:
            self._running[number].take(batch.frames, batch.lost)

    def stop(self) -> None:
        """The network has ended."""
        for capture in self._running.values():
            capture.stop()
        self._running.clear()

    def horizon(self) -> int | None:
        """The network time until which all has come in; None where all that is here is in order."""
        return self._backend().now() - self._held_back if self._held_back else None


def points_in(plan: NetworkPlan, where: Sequence[str]) -> Points:
    """What `r1:eth0` and `web` mean, numbered in the order of the file; UnknownNameError."""
    if not where:
        raise InvalidValueError("nothing is to be captured; write for example `r1:eth0`, `web`")
    wanted: set[tuple[str, str]] = set()
    for each in where:
        name, interface = node_and_interface(plan, each)
        known = [own.name for own in plan.node(name).interfaces]
        wanted |= {(name, own) for own in known if interface in (None, own)}
    points: dict[str, dict[str, int]] = {}
    ordered = ((node.name, own.name) for node in plan.nodes for own in node.interfaces)
    for number, (name, own) in enumerate(each for each in ordered if each in wanted):
        points.setdefault(name, {})[own] = number
    return points


def names_in(plan: NetworkPlan) -> Names:
    """The hosts of a network, with all of their addresses."""
    addresses: dict[str, list[IpAddress]] = {}
    for node in plan.nodes:
        own = [address for each in node.interfaces for address, _ in each.addresses]
        own += node.loopback
        if own:
            addresses[node.name.lower()] = own
            addresses[f"{node.name.lower()}.{plan.domain}"] = own
    return addresses
