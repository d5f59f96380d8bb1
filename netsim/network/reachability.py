"""Who reaches whom: one ping from each of some nodes to each of the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netsim.core.units import check_seconds
from netsim.network.timing import Timing
from netsim.site.backend import ToolRun

AT_ONCE: Final = 16
"""Pings under way. More would make the hosts of a small machine late, and late is lost."""
_FIRST_GAP: Final = 0.01
_LONGEST_GAP: Final = 0.05
"""Seconds between the starts of two pings: at first, and when the machine is very slow."""
_WEIGHT: Final = 0.25
"""Of the newest ping in the gap."""
_PATIENCE: Final = 3.0
"""Wall-clock seconds beyond the time-out after which a node that says nothing is given up."""

Execute = Callable[[str, ToolRun], Awaitable[int]]
"""`Network.exec`."""


@dataclass(frozen=True, slots=True)
class Ping:
    """One of them; `rtt_ms` is None when no answer came."""

    source: str
    target: str
    rtt_ms: float | None

    def as_dict(self) -> dict[str, Any]:
        return {"from": self.source, "to": self.target, "rtt_ms": self.rtt_ms}


OnPing = Callable[[Ping, int], None]
"""Takes a ping that has ended, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """All of them, by source and then by target in the order of the nodes."""

    nodes: list[str]
    pings: list[Ping]
    timing: Timing = field(default_factory=Timing)
    """Whether round trips, and answers that came too late, are those of the network."""

    @property
    def received(self) -> int:
        """Pings that were answered."""
        return sum(ping.rtt_ms is not None for ping in self.pings)

    def totals(self) -> dict[str, Any]:
        """`{sent, received, dropped_percent, timing}`; nothing sent is nothing dropped."""
        sent, received = len(self.pings), self.received
        percent = 100 * (sent - received) / sent if sent else 0.0
        return {
            "sent": sent,
            "received": received,
            "dropped_percent": percent,
            "timing": self.timing.as_dict(),
        }

    def as_dict(self) -> dict[str, Any]:
        pings = [ping.as_dict() for ping in self.pings]
        return {"nodes": self.nodes, "pings": pings, **self.totals()}


class PingAll:
    """Pings between all pairs of `nodes`, `AT_ONCE` at a time; `timeout` in seconds.

    Those that are `mute` are pinged and do not ping. What a ping takes beyond its round trip is
    the work of starting it. The next starts when that much time has passed: round trips overlap,
    and the work does not, else requests would wait for processes that start other pings. In virtual
    time the work takes none.
    """

    def __init__(
        self,
        execute: Execute,
        nodes: Sequence[str],
        timeout: float,
        mute: Sequence[str] = (),
        speed: float = 1.0,
    ) -> None:
        check_seconds(timeout=timeout)
        self._patience = timeout / speed + _PATIENCE
        self._execute = execute
        self._nodes = list(nodes)
        self._mute = frozenset(mute)
        self._timeout = timeout
        self._gap = _FIRST_GAP
        self._next_start = 0.0
        """On the clock of the loop."""

    async def run(self, on_ping: OnPing | None = None) -> Reachability:
        """Do it; `on_ping` is told of each as it ends."""
        pairs = self._pairs()
        total = (len(self._nodes) - len(self._mute)) * (len(self._nodes) - 1)
        pings: dict[tuple[str, str], Ping] = {}

        async def work() -> None:
            for pair in pairs:
                ping = pings[pair] = Ping(*pair, await self._rtt_ms(*pair))
                if on_ping is not None:
                    on_ping(ping, total)

        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(work())
        order = [(a, b) for a in self._nodes for b in self._nodes if a != b and a not in self._mute]
        return Reachability(self._nodes, [pings[pair] for pair in order])

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """In an order that gives every node its turn, so that none has all the work at once."""
        nodes = self._nodes
        for step in range(1, len(nodes)):
            for position, source in enumerate(nodes):
                if source not in self._mute:
                    yield source, nodes[(position + step) % len(nodes)]

    async def _rtt_ms(self, source: str, target: str) -> float | None:
        printed = bytearray()

        def output(stream: str, data: bytes) -> None:
            if stream == "stdout":
                printed.extend(data)

        clock = asyncio.get_running_loop().time
        start = self._next_start = max(clock(), self._next_start)
        self._next_start += self._gap
        await asyncio.sleep(start - clock())
        start = clock()
        argv = ("ping", "-c", "1", "-W", str(self._timeout), target)
        try:
            async with asyncio.timeout(self._patience):
                code = await self._execute(
                    source, ToolRun(argv=argv, cwd="/", output=output, json=True)
                )
        except TimeoutError:  # its process was stopped, or is far behind
            return None
        if code:
            return None
        rtt_ms = float(json.loads(printed)["replies"][0]["rtt_ms"])
        work = min(_LONGEST_GAP, max(0.0, clock() - start - rtt_ms / 1000))
        self._gap += _WEIGHT * (work - self._gap)
        return rtt_ms
