"""Measured values against network time, as SVG: a point for each, a line through the medians."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.scenario.html.axes import LEFT, RIGHT, WIDTH, TimeAxis, round_step
from netsim.scenario.html.markup import clean, count, duration, label, picture, rate, table
from netsim.scenario.results import FaultRecord, Sample, SampleKind

_HEIGHT: Final = 200.0
_TOP: Final = 26.0
_MOST_SERIES: Final = 8
_TITLES: Final[dict[SampleKind, str]] = {
    "rtt": "Round-trip time",
    "response": "Response time",
    "goodput": "Goodput",
    "cwnd": "Congestion window",
    "in_flight": "Data in flight",
    "queue": "Queue",
    "rate": "Rate",
}
_STEADY: Final = ("cwnd", "in_flight", "queue", "rate")
"""Measured at regular times: however dense, a line leads through."""
_TIMES: Final = ((SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "µs"), (1, "ns"))
_RATES: Final = ((10**9, "Gbit/s"), (10**6, "Mbit/s"), (1000, "kbit/s"), (1, "bit/s"))
_BYTES: Final = ((10**6, "MB"), (1000, "kB"), (1, "bytes"))
_PACKETS: Final = ((1, "packets"),)
_UNITS: Final = {
    "goodput": (_RATES, rate),
    "rate": (_RATES, rate),
    "cwnd": (_BYTES, lambda octets: f"{octets:,.0f} B"),
    "in_flight": (_BYTES, lambda octets: f"{octets:,.0f} B"),
    "queue": (_PACKETS, lambda packets: f"{packets:,.0f}"),
}
"""Of what is no time: the units of an axis, and how a value is told."""
_DENSE: Final = 150
"""Marks above which a series is a cloud of dots, without a line."""
_DOT: Final = "m-1.5 0a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0 -3 0z"
_MARKS: Final = (
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "m-3 -3h6v6h-6z",
    "m0 -4l4 7h-8z",
    "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
)


def plots(samples: Sequence[Sample], faults: Sequence[FaultRecord], axis: TimeAxis) -> str:
    """A plot for each kind of which there is something, with a table of its series."""
    drawn = []
    for kind, title in _TITLES.items():
        series: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if sample.kind == kind and math.isfinite(sample.value):
                series[sample.label].append(sample)
        if series:
            largest = sorted(series, key=lambda name: -len(series[name]))[:_MOST_SERIES]
            shown = {name: its for name, its in series.items() if name in largest}
            drawn.append(_plot(kind, title, shown, faults, axis))
            if len(series) > len(shown):
                more = len(series) - len(shown)
                drawn.append(f'<p class="note">{more} more series are not drawn.</p>')
    return "\n".join(drawn)


def _plot(
    kind: str,
    title: str,
    series: dict[str, list[Sample]],
    faults: Sequence[FaultRecord],
    axis: TimeAxis,
) -> str:
    highest = max(sample.value for its in series.values() for sample in its)
    units, form = _UNITS.get(kind, (_TIMES, duration))
    unit, unit_name = next((each for each in units if highest >= each[0]), units[-1])
    step = round_step(highest / unit, 5)
    ticks = max(1, math.ceil(highest / unit / step - 1e-9))

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (1 - max(0.0, value) / unit / (step * ticks))

    parts = [
        f'<g><title>faults</title><path class="shade" d="{_shades(faults, axis)}"/></g>',
        *axis.draw(_TOP, _TOP + _HEIGHT),
        label("part", 8, 14, f"{title} in {unit_name}"),
    ]
    for tick in range(ticks + 1):
        height = y(tick * step * unit)
        parts.append(f'<path class="grid" d="M{LEFT:.0f} {height:.1f}H{RIGHT:.0f}"/>')
        parts.append(label("tick end", LEFT - 8, height + 4, f"{tick * step:.6g}"))
    for number, (name, its) in enumerate(series.items()):
        parts += _series(number, name, its, axis, y, is_steady=kind in _STEADY)
    told = f"{title} in {unit_name} against network time: {', '.join(series)}"
    return picture(WIDTH, _TOP + _HEIGHT + 24, told, parts) + _legend(title, series, form)


def _shades(faults: Sequence[FaultRecord], axis: TimeAxis) -> str:
    """Where anything is broken; what touches is one."""
    spans: list[tuple[float, float]] = []
    # A link that is set to something else carries on: that is no outage.
    broken = [fault for fault in faults if fault.kind != "set"]
    for fault in sorted(broken, key=lambda fault: fault.started_ns):
        left = axis.x(fault.started_ns)
        right = axis.x(axis.end if fault.ended_ns is None else fault.ended_ns)
        right = max(right, left + 1)
        if spans and left <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(right, spans[-1][1]))
        else:
            spans.append((left, right))
    return "".join(
        f"M{left:.1f} {_TOP:.0f}H{right:.1f}v{_HEIGHT:.0f}H{left:.1f}z" for left, right in spans
    )


def _series(
    number: int,
    name: str,
    its: Sequence[Sample],
    axis: TimeAxis,
    y: Callable[[float], float],
    *,
    is_steady: bool,
) -> Iterator[str]:
    """Values that share a pixel are one mark, with a line from the least to the greatest."""
    columns: dict[int, list[float]] = defaultdict(list)
    for sample in its:
        columns[round(axis.x(sample.time_ns))].append(sample.value)
    middles = [(x, y(statistics.median(values))) for x, values in sorted(columns.items())]
    line = "L".join(f"{x} {height:.1f}" for x, height in middles)
    ranges = "".join(
        f"M{x} {y(min(values)):.1f}V{y(max(values)):.1f}"
        for x, values in sorted(columns.items())
        if len(values) > 1
    )
    is_dense = len(middles) > _DENSE
    mark = _DOT if is_dense else _mark(number)
    marks = "".join(f"M{x} {height:.1f}{mark}" for x, height in middles)
    through = f'<path class="line" d="M{line}"/>' if is_steady or not is_dense else ""
    yield (
        f'<g class="s{number}"><title>{clean(name)}</title>{through}'
        f'<path class="range" d="{ranges}"/><path class="mark" d="{marks}"/></g>'
    )


def _mark(number: int) -> str:
    return _MARKS[number % len(_MARKS)]


def _legend(title: str, series: dict[str, list[Sample]], form: Callable[[float], str]) -> str:
    rows = []
    for number, (name, its) in enumerate(series.items()):
        values = [sample.value for sample in its]
        told = (min(values), statistics.median(values), max(values))
        swatch = (
            f'<svg class="s{number}" width="14" height="14" aria-hidden="true">'
            f'<path class="mark" d="M7 7{_mark(number)}"/></svg>'
        )
        cells = "".join(f'<td class="number">{form(value)}</td>' for value in told)
        rows.append(
            f'<tr><th scope="row">{swatch} {clean(name)}</th>'
            f'<td class="number">{len(its):,}</td>{cells}</tr>'
        )
    measured = count(sum(map(len, series.values())), "value")
    heads = ("between", "values", "least", "median", "greatest")
    return table(f"{title}: {measured}", heads, rows, "legend")
