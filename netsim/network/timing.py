"""Whether the timing of a network in real time can be trusted, in words.

With more traffic than the machine can carry nodes handle frames late. Up to 20 ms nobody notices:
everything is due at its logical time. What is later has its time moved (`Late`), and then measured
times are those of the machine and not of the network. A busy machine that is otherwise well is late
with a few frames now and then, by little more: that is counted, and not worth a word.

See docs/decisions/logical-due-times.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from netsim.core.time import MILLISECOND
from netsim.observe.late import Late

FEW: Final = 10
"""As many late frames and timers in an interval are one too many."""
VERY_LATE: Final = 40 * MILLISECOND
"""One that is as late is one too many: its time was moved by 20 ms or more."""
_LOOK_EVERY: Final = 1.0
"""Seconds."""
_TELL_EVERY: Final = 10.0
"""Seconds after an event: the next one is about all of them."""
_NODES: Final = 3
"""That are named."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What nodes were late with in some interval; of those that were in time there is nothing."""

    nodes: dict[str, Late] = field(default_factory=dict)
    """By node."""

    @property
    def total(self) -> Late:
        """Of all nodes together."""
        return sum(self.nodes.values(), Late())

    @property
    def trusted(self) -> bool:
        """Whether measured times are those of the network."""
        total = self.total
        return total.frames + total.timers < FEW and total.max_ns < VERY_LATE and not total.lost

    @property
    def text(self) -> str:
        """Why timing cannot be trusted, in a line for a person; empty where it can."""
        if self.trusted:
            return ""
        total = self.total
        came = [_counted(total.frames, "frame")] if total.frames else []
        came += [_counted(total.timers, "timer")] if total.timers else []
        parts = []
        if came:
            most = f"{total.max_ns / MILLISECOND:.0f} ms"
            how = f"{'up to ' if total.frames + total.timers > 1 else ''}{most} late"
            parts.append(f"{' and '.join(came)} {how}")
        if total.lost:
            parts.append(f"{_counted(total.lost, 'frame')} lost between processes")
        return f"timing cannot be trusted: {', '.join(parts)}, at {self._where()}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "trusted": self.trusted,
            "text": self.text,
            **_numbers(self.total),
            "nodes": [{"node": name, **_numbers(late)} for name, late in self._worst_first()],
        }

    def _worst_first(self) -> list[tuple[str, Late]]:
        return sorted(self.nodes.items(), key=lambda item: (-item[1].events, item[0]))

    def _where(self) -> str:
        worst = self._worst_first()
        if len(worst) == 1:
            return worst[0][0]
        named = ", ".join(f"{name} ({late.events:,})" for name, late in worst[:_NODES])
        more = len(worst) - _NODES
        return named if more <= 0 else f"{named} and {_counted(more, 'more node')}"


class TimingWatch:
    """Watches the timing from its beginning on, until it has ended."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._nodes: dict[str, Late] = {}
        self._has_ended = False

    def add(self, news: dict[str, Late]) -> None:
        """For `TimingWatches`."""
        for node, late in news.items():
            self._nodes[node] = self._nodes.get(node, Late()) + late

    @property
    def timing(self) -> Timing:
        """Until now, or until its end."""
        if not self._has_ended:
            self._look()
        return Timing(dict(self._nodes))

    def end(self) -> Timing:
        """Watch no more."""
        timing = self.timing
        self._has_ended = True
        return timing


class TimingWatches:
    """Everybody who watches the timing of one network.

    `take` tells what nodes were late with since it was last called.
    """

    def __init__(self, take: Callable[[], dict[str, Late]]) -> None:
        self._take = take
        self._watches: set[TimingWatch] = set()
        self.since_start = self.begin()
        """Of the network."""

    def network_started(self) -> None:
        """While nodes come up they are late with what concerns nobody."""
        self.end(self.since_start)
        self.since_start = self.begin()

    def begin(self) -> TimingWatch:
        """Watch from now on; end it when done."""
        self._look()
        watch = TimingWatch(self._look)
        self._watches.add(watch)
        return watch

    def end(self, watch: TimingWatch) -> Timing:
        """Watch no more: what it has come to."""
        timing = watch.end()
        self._watches.discard(watch)
        return timing

    @contextmanager
    def watching(self) -> Iterator[TimingWatch]:
        """`begin`, and `end` with the block."""
        watch = self.begin()
        try:
            yield watch
        finally:
            self.end(watch)

    async def tell(self, publish: Callable[[str], None]) -> None:
        """Publish in words what was late, until cancelled: soon, and then every now and then."""
        seconds = _LOOK_EVERY
        while True:
            with self.watching() as watch:
                await asyncio.sleep(seconds)
                text = watch.timing.text
            if text:
                publish(text)
            seconds = _TELL_EVERY if text else _LOOK_EVERY

    def _look(self) -> None:
        news = self._take()
        if news:
            for watch in self._watches:
                watch.add(news)


def _numbers(late: Late) -> dict[str, Any]:
    return {
        "late_frames": late.frames,
        "late_timers": late.timers,
        "lost_frames": late.lost,
        "max_late_ms": late.max_ns / MILLISECOND,
        "last_late_ns": late.last_ns,
    }


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
