"""Linear axes with round ticks, and network time across the page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.scenario.html.markup import label
from netsim.scenario.results import ScenarioResult

WIDTH: Final = 1250.0
LEFT: Final = 300.0
"""Where the axis of network time begins: labels stand left of it."""
RIGHT: Final = 1220.0
_MINUTE: Final = 60 * SECOND
_SLOW: Final = tuple(
    factor * unit
    for unit, factors in (
        (SECOND, (10, 30)),
        (_MINUTE, (1, 2, 5, 10, 30)),
        (60 * _MINUTE, (1, 2, 6, 12, 24)),
    )
    for factor in factors
)
"""Steps of ticks where minutes count, in ns."""


def round_step(span: float, ticks: int) -> float:
    """1, 2 or 5 times a power of ten, for at most so many ticks."""
    if span <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(span / ticks))
    return next(power * each for each in (1, 2, 5, 10) if power * each * ticks >= span * 0.999999)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Network time in ns from `LEFT` to `RIGHT`."""

    start: int
    end: int

    def x(self, ns: float) -> float:
        """Where a time is."""
        share = (ns - self.start) / (self.end - self.start)
        return LEFT + min(1.0, max(0.0, share)) * (RIGHT - LEFT)

    def draw(self, top: float, bottom: float) -> Iterator[str]:
        """Grid lines with their times below."""
        span = self.end - self.start
        step = int(max(1, round_step(span, 10)))
        if step > 5 * SECOND:
            step = next((each for each in _SLOW if each * 10 >= span), step)
        unit, name = next(
            (unit, name)
            for unit, name in (
                (_MINUTE, "min"),
                (SECOND, "s"),
                (MILLISECOND, "ms"),
                (MICROSECOND, "µs"),
                (1, "ns"),
            )
            if step >= (unit if unit == _MINUTE else unit / 10) or unit == 1
        )
        first = -(-self.start // step) * step
        for tick in range(first, self.end + 1, step):
            x = self.x(tick)
            yield f'<path class="grid" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>'
            yield label("tick mid", x, bottom + 15, f"{tick / unit:.10g} {name}")


def time_axis(result: ScenarioResult) -> TimeAxis:
    """Of all that happened. It begins at 0 unless nothing happened for most of the time."""
    starts = [step.started_ns for step in result.steps]
    starts += [fault.started_ns for fault in result.faults]
    starts += [sample.time_ns for sample in result.samples]
    starts += [line.time_ns for line in result.errors]
    ends = [step.ended_ns for step in result.steps]
    ends += [fault.ended_ns or 0 for fault in result.faults]
    end = max([1, result.network_ns, *starts, *ends])
    first = min(starts, default=0)
    if first <= end * 0.4 or first == end:
        return TimeAxis(0, end)
    step = int(max(1, round_step(end - first, 10)))
    return TimeAxis(first // step * step, end)
