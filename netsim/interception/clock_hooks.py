"""The network's clock behind `time` and `datetime`.

On a computer, local time is UTC. The zone is the C library's and belongs to the process: it is UTC
from `install` to `uninstall`, for everyone. `time.process_time` and `time.thread_time` stay real.

A thread of a program sleeps in network time, and in real time as well where it waits for a child
process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from netsim.core.time import SECOND
from netsim.interception.c_functions import (
    ClassMethodReplacement,
    FunctionReplacement,
    Replacement,
)
from netsim.interception.environment import MONOTONIC_BASE_NS, WALL_EPOCH_NS, Presence

_UNIX_EPOCH: Final = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
_WAIT_FOR_CHILD: Final = subprocess.Popen._wait.__code__  # type: ignore[attr-defined]
_MONOTONIC_CLOCKS: Final = frozenset(
    getattr(time, name)
    for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME")
    if hasattr(time, name)
)


class ClockHooks:
    """Every C function that reads a clock, or waits for one."""

    def __init__(self, presence: Presence) -> None:
        self._here = presence.here
        self._replacements: list[Replacement] = [
            self._clock(time.time, lambda now: (WALL_EPOCH_NS + now) / SECOND),
            self._clock(time.time_ns, lambda now: WALL_EPOCH_NS + now),
            self._clock(time.monotonic, lambda now: (MONOTONIC_BASE_NS + now) / SECOND),
            self._clock(time.monotonic_ns, lambda now: MONOTONIC_BASE_NS + now),
            self._clock(time.perf_counter, lambda now: (MONOTONIC_BASE_NS + now) / SECOND),
            self._clock(time.perf_counter_ns, lambda now: MONOTONIC_BASE_NS + now),
            self._numbered_clock(time.clock_gettime, lambda ns: ns / SECOND),
            self._numbered_clock(time.clock_gettime_ns, lambda ns: ns),
            self._broken_down(time.gmtime),
            self._broken_down(time.localtime),
            self._broken_down(time.ctime),
            self._formatted(time.asctime, 0),
            self._formatted(time.strftime, 1),
            self._sleep(),
            self._datetime_now(),
            self._datetime_utcnow(),
            self._date_today(),
        ]
        self._zone = os.environ.get("TZ")

    def install(self) -> None:
        """From now on who is on a computer reads the network's clock."""
        self._zone = os.environ.get("TZ")
        os.putenv("TZ", "UTC")
        time.tzset()
        for replacement in self._replacements:
            replacement.install()

    def uninstall(self) -> None:
        """Put back what was."""
        for replacement in self._replacements:
            replacement.uninstall()
        if self._zone is None:
            os.unsetenv("TZ")
        else:
            os.putenv("TZ", self._zone)
        time.tzset()

    def _clock(self, builtin: Callable[[], Any], read: Callable[[int], Any]) -> FunctionReplacement:
        here = self._here

        def clock() -> Any:
            environment = here()
            return original() if environment is None else read(environment.now_ns())

        replacement = FunctionReplacement(builtin, clock)
        original = replacement.original
        return replacement

    def _numbered_clock(
        self, builtin: Callable[[int], Any], convert: Callable[[int], Any]
    ) -> FunctionReplacement:
        def clock(number: int) -> Any:
            environment = self._here()
            if environment is not None:
                if number == time.CLOCK_REALTIME:
                    return convert(WALL_EPOCH_NS + environment.now_ns())
                if number in _MONOTONIC_CLOCKS:
                    return convert(MONOTONIC_BASE_NS + environment.now_ns())
            return replacement.original(number)

        replacement = FunctionReplacement(builtin, clock)
        return replacement

    def _broken_down(self, builtin: Callable[..., Any]) -> FunctionReplacement:
        def broken_down(seconds: float | None = None) -> Any:
            if seconds is None and (environment := self._here()) is not None:
                seconds = (WALL_EPOCH_NS + environment.now_ns()) // SECOND
            return replacement.original(seconds)

        replacement = FunctionReplacement(builtin, broken_down)
        return replacement

    def _formatted(self, builtin: Callable[..., Any], before: int) -> FunctionReplacement:
        """Of a function that formats the current time unless it is given one after `before`."""

        def formatted(*args: Any) -> Any:
            if len(args) == before and self._here() is not None:
                args = (*args, time.localtime())
            return replacement.original(*args)

        replacement = FunctionReplacement(builtin, formatted)
        return replacement

    def _sleep(self) -> FunctionReplacement:
        def sleep(seconds: float) -> None:
            environment = self._here()
            if environment is None:
                replacement.original(seconds)
                return
            if sys._getframe(1).f_code is _WAIT_FOR_CHILD:
                # A child lives by real time, and would have none.
                replacement.original(seconds)
            environment.sleep(seconds)

        replacement = FunctionReplacement(time.sleep, sleep)
        return replacement

    def _datetime_now(self) -> ClassMethodReplacement:
        def now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
            environment = self._here()
            if environment is None:
                moment: datetime = replacement.original(cls)(tz)
                return moment
            moment = _moment(cls, environment.now_ns(), tz)
            return moment if tz is None else tz.fromutc(moment)

        replacement = ClassMethodReplacement(datetime, "now", now)
        return replacement

    def _datetime_utcnow(self) -> ClassMethodReplacement:
        def utcnow(cls: type[datetime]) -> datetime:
            environment = self._here()
            if environment is None:
                moment: datetime = replacement.original(cls)()
                return moment
            if sys.version_info >= (3, 12):
                warnings.warn(
                    "datetime.datetime.utcnow() is deprecated and scheduled for removal in a "
                    "future version. Use timezone-aware objects to represent datetimes in UTC: "
                    "datetime.datetime.now(datetime.UTC).",
                    DeprecationWarning,
                    stacklevel=2,
                )
            return _moment(cls, environment.now_ns(), None)

        replacement = ClassMethodReplacement(datetime, "utcnow", utcnow)
        return replacement

    def _date_today(self) -> ClassMethodReplacement:
        """Of `date` and `datetime`; from 3.15 on it reads the clock without `time.time`."""

        def today(cls: type[date]) -> date:
            if self._here() is not None:
                return cls.fromtimestamp(time.time())
            moment: date = replacement.original(cls)()
            return moment

        replacement = ClassMethodReplacement(date, "today", today)
        return replacement


def _moment(cls: type[datetime], now: int, tz: tzinfo | None) -> datetime:
    """Network time `now` in UTC, made as CPython makes it, so that a subclass sees the same."""
    at = _UNIX_EPOCH + timedelta(microseconds=(WALL_EPOCH_NS + now) // 1000)
    return cls(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tz)
