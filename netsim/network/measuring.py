"""Measurements of a running network, written to a file of comma-separated values (RFC 4180)."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from netsim.core.errors import InvalidValueError
from netsim.core.time import MILLISECOND, SECOND
from netsim.core.units import parse_duration
from netsim.network.deferred import UnusedOperations
from netsim.network.faults import Operation
from netsim.network.run_files import RunFiles
from netsim.observe.measurement import Batch, Measurement, Watched
from netsim.site.backend import Backend
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import node_and_interface

MOST_LINES: Final = 1_000_000
"""Of a file; what comes then is counted."""
SHORTEST_NS: Final = MILLISECOND // 10
_TIMES: Final = {"time_ns": ("time_s", SECOND), "rtt_ns": ("rtt_ms", MILLISECOND)}
COLUMNS: Final = tuple(_TIMES.get(field, (field,))[0] for field in Measurement._fields)
_IN_DECIMALS: Final = [(Measurement._fields.index(field), _TIMES[field][1]) for field in _TIMES]
OnMeasured = Callable[[Sequence[Measurement]], None]


class Recordings:
    """Those of one network that go on; `backend` runs its nodes.

    `failed` is told what has gone wrong, for a person to read.
    """

    def __init__(
        self,
        unused: UnusedOperations,
        backend: Callable[[], Backend],
        failed: Callable[[str], None],
        run_files: RunFiles,
    ) -> None:
        self.unused = unused
        self.run_files = run_files
        self.backend = backend
        self._failed = failed
        self._running: dict[int, Recording] = {}
        self._number = 0

    def add(self, recording: Recording) -> int:
        """One has begun; its number."""
        self._number += 1
        self._running[self._number] = recording
        return self._number

    def remove(self, number: int) -> None:
        """One is over."""
        self._running.pop(number, None)

    def measured(self, number: int, batch: Batch) -> None:
        """The nodes of a recording have measured."""
        recording = self._running.get(number)
        if recording is None:
            return
        failure = recording.take(batch.measurements, batch.left_out)
        if failure is not None:
            self._failed(failure)

    async def end(self) -> None:
        """The network stops."""
        for recording in list(self._running.values()):
            await recording.end()


class Recording(Operation):
    """Measurements that are written to a file: awaited, until the network stops.

    async with net.record("r1:eth0", "alice", to="out.csv") as recording:
        ...  # until the block ends
    """

    def __init__(
        self,
        recordings: Recordings,
        watched: Watched,
        every_ns: int,
        path: str | os.PathLike[str],
        on_measured: OnMeasured | None,
    ) -> None:
        super().__init__(recordings.unused)
        self._recordings = recordings
        self._watched = watched
        self._every_ns = every_ns
        self._path = self._written = os.path.abspath(path)
        self._on_measured = on_measured
        self._file: io.TextIOWrapper | None = None
        self._key = 0
        self.lines = 0
        """Measurements that were written."""
        self.left_out = 0
        """Those that were not: connections above a hundred of a node, lines above a million, and
        what a full disk did not take."""

    async def _make(self) -> None:
        backend = self._recordings.backend()
        self._written = self._recordings.run_files.written(self._path)
        file = Path(self._written).open("w", encoding="utf-8", newline="")  # noqa: SIM115  # see `end`
        self._writer = csv.writer(file)
        try:
            self._writer.writerow(COLUMNS)
            file.flush()
        except OSError:
            with contextlib.suppress(OSError):
                file.close()
            raise
        self._file = file
        self._key = self._recordings.add(self)
        told = len(self._watched)
        at = backend.now() + backend.lead_ns(told, told)
        backend.record(self._key, self._watched, self._every_ns, at)

    async def __aenter__(self) -> Recording:
        await self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end()

    async def end(self) -> None:
        """Measure no more; the file is whole. What has ended stays as it is."""
        number, self._key = self._key, 0
        if not number:
            return
        try:
            for batch in await self._recordings.backend().end_recording(number):
                self._recordings.measured(number, batch)
        finally:
            self._recordings.remove(number)
            if self._file is not None:
                self._file.close()
                self._file = None
            self._recordings.run_files.put_in_place(self._written, self._path)

    def take(self, measured: Sequence[Measurement], left_out: int) -> str | None:
        """Write what was measured; what has failed, for a person to read."""
        failure = self._tell(measured)
        rows = measured[: MOST_LINES - self.lines]
        self.left_out += left_out + len(measured) - len(rows)
        if self._file is None:
            self.left_out += len(rows)
            return failure
        try:
            self._writer.writerows(map(_line, rows))
            self._file.flush()
        except OSError as error:
            self.left_out += len(rows)
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            return f"{self._path}: {error.strerror}; nothing more is written to it"
        self.lines += len(rows)
        return failure

    def _tell(self, measured: Sequence[Measurement]) -> str | None:
        """Whoever wants to know; one who fails is told no more."""
        if self._on_measured is None:
            return None
        try:
            self._on_measured(measured)
        except Exception as error:  # noqa: BLE001  # it ends no network
            self._on_measured = None
            return f"on_measured of {self._path}: {type(error).__name__}: {error}"
        return None


def _line(measured: Measurement) -> list[Any]:
    line: list[Any] = list(measured)
    for index, unit in _IN_DECIMALS:
        if line[index] is not None:
            line[index] = _decimal(line[index], unit)
    return line


def _decimal(ns: int, unit: int) -> str:
    """Exactly, without an exponent."""
    digits = len(str(unit)) - 1
    return f"{ns // unit}.{ns % unit:0{digits}d}"


def interval(every: str) -> int:
    """Between measurements, in ns; UnitError, InvalidValueError."""
    every_ns = parse_duration(every)
    if every_ns < SHORTEST_NS:
        raise InvalidValueError(f"`{every}` is too often; write `100us` or more")
    return every_ns


def watched_in(plan: NetworkPlan, where: Sequence[str]) -> Watched:
    """What `r1:eth0` and `alice` mean; UnknownNameError, InvalidValueError."""
    if not where:
        raise InvalidValueError("nothing is to be measured; write for example `r1:eth0`, `alice`")
    watched: dict[str, frozenset[str] | None] = {}
    for each in where:
        name, interface = node_and_interface(plan, each)
        own = watched.get(name, frozenset())
        watched[name] = None if own is None or interface is None else own | {interface}
    return watched
