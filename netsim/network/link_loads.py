"""Which links are busiest: what passes them in an interval, what waits, and what is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from netsim.core.errors import InvalidValueError
from netsim.core.link_attributes import LinkCondition
from netsim.core.time import SECOND
from netsim.core.units import check_seconds
from netsim.network.timing import Timing, TimingWatches
from netsim.topology.plan import NetworkPlan

SHORTEST: Final = 0.1
LONGEST: Final = 3_600.0
"""Seconds of an interval."""
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LinkLoad:
    """One direction of a link in one interval."""

    sender: str
    """`alice:eth0`."""
    receiver: str
    rate_bps: float
    """bit/s of frames that were sent and not dropped before the cable, headers included."""
    utilisation: float | None
    """Of the bandwidth, 0..1; None without a fixed one."""
    frames_per_s: float
    queued: int
    """Frames that wait for the cable, at the end of the interval."""
    dropped: int
    """Frames in the interval, by both ends."""


@dataclass(frozen=True, slots=True)
class Top:
    """One interval of a network."""

    time_ns: int
    """Network time at its end."""
    seconds: float
    """How long it was."""
    links: tuple[LinkLoad, ...]
    """Every direction of which both ends answer, the busiest first."""
    silent: tuple[str, ...]
    """Nodes that are down or do not answer."""
    timing: Timing
    """Whether times of the interval can be trusted, and which nodes were late."""

    def as_dict(self) -> Facts:
        """As JSON has it."""
        return {
            "time_ns": self.time_ns,
            "seconds": self.seconds,
            "links": [asdict(link) for link in self.links],
            "silent": list(self.silent),
            "timing": self.timing.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class _Sample:
    at: int
    interfaces: dict[tuple[str, str], Facts]
    silent: tuple[str, ...]


class Sampler:
    """Looks at a network again and again.

    `facts` asks a node for what `inspect` shows, `condition` is what a direction is meant to be.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        now: Callable[[], int],
        facts: Callable[[str], Awaitable[Facts]],
        condition: Callable[[int, str], LinkCondition],
        timing: TimingWatches,
    ) -> None:
        self._plan = plan
        self._now = now
        self._facts = facts
        self._condition = condition
        self._timing = timing

    async def run(self, interval: float, count: int | None) -> AsyncIterator[Top]:
        """An interval after the other, `count` of them or without an end."""
        before = await self._sample()
        shown = 0
        while count is None or shown < count:
            with self._timing.watching() as watch:
                await asyncio.sleep(interval)
                after = await self._sample()
            shown += 1
            yield self._between(before, after, watch.timing)
            before = after

    async def _sample(self) -> _Sample:
        names = [node.name for node in self._plan.nodes]
        found = await asyncio.gather(*map(self._facts, names))
        answered = [node for node in found if all("tx" in each for each in node["interfaces"])]
        silent = {*names} - {node["name"] for node in answered}
        interfaces = {
            (node["name"], each["name"]): each for node in answered for each in node["interfaces"]
        }
        return _Sample(self._now(), interfaces, tuple(name for name in names if name in silent))

    def _between(self, before: _Sample, after: _Sample, timing: Timing) -> Top:
        seconds = max(after.at - before.at, 1) / SECOND
        loads = []
        for index, link in enumerate(self._plan.links):
            for near, far in ((link.a, link.b), (link.b, link.a)):
                ends = [
                    sample.interfaces.get(end) for end in (near, far) for sample in (before, after)
                ]
                if None not in ends:
                    bandwidth = self._condition(index, near[0]).attributes.bandwidth_bps
                    limit = bandwidth if isinstance(bandwidth, int) else None
                    loads.append(_load(near, far, ends, seconds, limit))
        loads.sort(key=lambda load: (-load.rate_bps, -load.dropped, -load.queued, load.sender))
        return Top(after.at, seconds, tuple(loads), after.silent, timing)


def _load(
    near: tuple[str, str],
    far: tuple[str, str],
    ends: list[Any],
    seconds: float,
    bandwidth: int | None,
) -> LinkLoad:
    near_before, near_after, far_before, far_after = ends
    tx_before, tx = near_before["tx"], near_after["tx"]
    if tx["frames"] < tx_before["frames"]:  # it has started again meanwhile
        tx_before = {"frames": 0, "bytes": 0, "dropped": {}}
    frames = tx["frames"] - tx_before["frames"]
    lost = _total(tx["dropped"]) - _total(tx_before["dropped"])
    # Which frames were dropped, and how long they were, nobody counts: they are as long as others.
    passed = max(0, frames - lost)
    bits = 8 * (tx["bytes"] - tx_before["bytes"]) * passed / frames if frames else 0.0
    rate = bits / seconds
    lost_there = _total(far_after["rx"]["dropped"]) - _total(far_before["rx"]["dropped"])
    return LinkLoad(
        sender=":".join(near),
        receiver=":".join(far),
        rate_bps=rate,
        utilisation=None if bandwidth is None else min(1.0, rate / bandwidth),
        frames_per_s=passed / seconds,
        queued=tx["queued"],
        dropped=max(0, lost) + max(0, lost_there),
    )


def _total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def check_interval(interval: float, count: int | None) -> None:
    """UnitError, InvalidValueError where they cannot be meant so."""
    check_seconds(interval=interval)
    if not SHORTEST <= interval <= LONGEST:
        raise InvalidValueError(
            f"an interval of {interval:g} s cannot be; write {SHORTEST:g} to {LONGEST:g} seconds"
        )
    if count is not None and count < 1:
        raise InvalidValueError(f"{count} intervals cannot be; write 1 or more")
