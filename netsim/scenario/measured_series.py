"""What `record` measures, thinned for a report: a few hundred values of each series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from netsim.observe.measurement import Measurement
from netsim.scenario.results import Sample, SampleKind

_MOST_SERIES: Final = 60
_MOST_VALUES: Final = 500


class _Series:
    """Every so many of its values, evenly over time."""

    def __init__(self) -> None:
        self.values: list[tuple[int, float]] = []
        self._seen = 0
        self._stride = 1

    def add(self, time_ns: int, value: float) -> None:
        if self._seen % self._stride == 0:
            self.values.append((time_ns, value))
            if len(self.values) >= _MOST_VALUES:
                self._stride *= 2
                self.values = self.values[::2]
        self._seen += 1


class MeasuredSeries:
    """By what is measured, and where. All values are in the file; those of a report are fewer."""

    def __init__(self) -> None:
        self._series: dict[tuple[SampleKind, str], _Series] = {}
        self._left_out: set[tuple[SampleKind, str]] = set()

    def add(self, measured: Sequence[Measurement]) -> None:
        """More of them, in the order of time."""
        for each in measured:
            for kind, label, value in _values(each):
                key = (kind, label)
                series = self._series.get(key)
                if series is None:
                    if len(self._series) >= _MOST_SERIES:
                        if len(self._left_out) < 10 * _MOST_SERIES:
                            self._left_out.add(key)
                        continue
                    series = self._series[key] = _Series()
                series.add(each.time_ns, value)

    def samples(self) -> Iterator[Sample]:
        """What was kept."""
        for (kind, label), series in self._series.items():
            for time_ns, value in series.values:
                yield Sample(time_ns, kind, label, value)

    def notices(self) -> Iterator[str]:
        """What was not."""
        if self._left_out:
            yield f"{len(self._left_out)} series of measurements are in the file only"


def _values(measured: Measurement) -> Iterator[tuple[SampleKind, str, float]]:
    if measured.interface:
        label = f"{measured.node}:{measured.interface}"
    else:
        port = measured.local.rpartition(":")[2]
        label = f"{measured.node}:{port} → {measured.remote}"
    values: tuple[tuple[SampleKind, float | None], ...] = (
        ("cwnd", measured.cwnd_bytes),
        ("in_flight", measured.in_flight_bytes),
        ("rtt", measured.rtt_ns),
        ("queue", measured.queue_packets),
        ("rate", measured.rate_bps),
    )
    for kind, value in values:
        if value is not None:
            yield kind, label, value
