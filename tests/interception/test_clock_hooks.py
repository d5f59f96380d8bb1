"""Programs on a computer read the network's clock, however they came by the function."""

from __future__ import annotations

import contextlib
import datetime as datetime_module
import functools
import logging
import os
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import partial
from threading import Thread
from time import monotonic, time_ns
from typing import Any

import pytest
from computers import SetClock, computer

from netsim.core.errors import BlockingSleepError
from netsim.core.time import SECOND
from netsim.interception.environment import MONOTONIC_BASE_NS, WALL_EPOCH_NS
from netsim.interception.interception import Interception

NOW = 3_661 * SECOND + 123_456_789
AT = datetime(2026, 1, 1, 1, 1, 1, 123_456)
LATER_THAN_ANY_TEST = 2_000_000_000

now_by_name = datetime.now
utcnow_by_name = datetime.utcnow
now_in_utc = partial(datetime.now, UTC)
now_with_keyword = partial(datetime.now, tz=UTC)


@dataclass
class Record:
    """As programs write it."""

    made: float = field(default_factory=time.time)
    at: datetime = field(default_factory=datetime.now)


class Stamp(datetime):
    """A program's own."""


now_of_subclass = Stamp.now


class HalfHours(tzinfo):
    """A zone whose `fromutc` is its own."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(minutes=30)

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        return "half"

    def fromutc(self, dt: datetime) -> datetime:
        assert dt.tzinfo is self
        return dt + timedelta(minutes=30)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def here(clock: SetClock, request: pytest.FixtureRequest) -> Iterator[Interception]:
    """The test is on a computer, at NOW. From its first line on: pytest takes times."""
    test = request.node.obj
    with Interception() as interception:

        @functools.wraps(test)
        def on_a_computer(**arguments: Any) -> None:
            interception.enter(computer(clock=clock))
            test(**arguments)

        request.node.obj = on_a_computer
        yield interception


def in_a_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.usefixtures("here")
def test_every_clock_of_time_is_exact() -> None:
    wall, steady = WALL_EPOCH_NS + NOW, MONOTONIC_BASE_NS + NOW
    assert time.time_ns() == time_ns() == wall
    assert time.time() == wall / SECOND
    assert time.monotonic_ns() == time.perf_counter_ns() == steady
    assert time.monotonic() == monotonic() == time.perf_counter() == steady / SECOND
    assert time.clock_gettime_ns(time.CLOCK_REALTIME) == wall
    assert time.clock_gettime(time.CLOCK_REALTIME) == wall / SECOND
    assert time.clock_gettime_ns(time.CLOCK_MONOTONIC) == steady
    assert time.clock_gettime(time.CLOCK_MONOTONIC) == steady / SECOND


def test_time_goes_on_with_the_network(here: Interception, clock: SetClock) -> None:
    before = time.time_ns(), monotonic()
    clock.now += 5 * SECOND
    assert time.time_ns() - before[0] == 5 * SECOND
    assert monotonic() - before[1] == 5.0


@pytest.mark.usefixtures("here")
def test_broken_down_time_without_an_argument() -> None:
    expected = (2026, 1, 1, 1, 1, 1, 3, 1, 0)
    assert tuple(time.gmtime()) == tuple(time.localtime()) == expected
    assert tuple(time.gmtime(None)) == tuple(time.localtime(None)) == expected
    assert time.ctime() == time.ctime(None) == time.asctime() == "Thu Jan  1 01:01:01 2026"
    assert time.strftime("%H:%M:%S %Z") == "01:01:01 UTC"


@pytest.mark.usefixtures("here")
def test_broken_down_time_of_an_argument_is_that_of_the_argument() -> None:
    assert time.gmtime(0).tm_year == 1970
    assert time.localtime(3600.9).tm_hour == 1
    assert time.ctime(0) == "Thu Jan  1 00:00:00 1970"
    assert time.strftime("%Y", time.gmtime(0)) == "1970"
    assert time.asctime(time.gmtime(0)) == "Thu Jan  1 00:00:00 1970"
    with pytest.raises(TypeError):
        time.gmtime("soon")  # type: ignore[arg-type]


@pytest.mark.usefixtures("here")
def test_now_and_today() -> None:
    assert datetime.now() == AT
    assert now_by_name() == AT
    assert datetime_module.datetime.now() == AT
    assert datetime.today() == AT + timedelta(microseconds=1), "CPython rounds here"
    assert date.today() == AT.date()
    assert Stamp.now() == AT
    assert type(Stamp.now()) is type(now_of_subclass()) is type(Stamp.today()) is Stamp


@pytest.mark.usefixtures("here")
def test_now_somewhere_else() -> None:
    aware = AT.replace(tzinfo=UTC)
    zone = timezone(timedelta(hours=-5))
    for now in (datetime.now, now_by_name, Stamp.now, now_of_subclass):
        assert now(UTC) == now(tz=UTC) == now(tz=zone) == aware
        assert now(zone).hour == 20
        assert now(zone).tzinfo is zone
        assert now(HalfHours()).replace(tzinfo=None) == AT + timedelta(minutes=30)
        assert now(None).tzinfo is None
    assert now_in_utc() == now_with_keyword() == aware
    assert type(Stamp.now(UTC)) is Stamp
    assert datetime.now().astimezone() == aware


@pytest.mark.usefixtures("here")
def test_utcnow_as_the_interpreter_has_it() -> None:
    for utcnow in (datetime.utcnow, utcnow_by_name, Stamp.utcnow):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert utcnow() == AT
        deprecated = [DeprecationWarning] if sys.version_info >= (3, 12) else []
        assert [warning.category for warning in caught] == deprecated


@pytest.mark.usefixtures("here")
def test_defaults_that_were_bound_before() -> None:
    record = Record()
    assert record.made == (WALL_EPOCH_NS + NOW) / SECOND
    assert record.at == AT


@pytest.mark.usefixtures("here")
def test_wrong_arguments_are_errors_as_ever() -> None:
    with pytest.raises(TypeError, match="tzinfo"):
        datetime.now(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        time.time(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        time.clock_gettime()  # type: ignore[call-arg]


@pytest.mark.usefixtures("here")
def test_wrong_arguments_of_a_method_bound_before(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemError):
        now_by_name(3)  # type: ignore[arg-type]
    assert "TypeError: tzinfo argument" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_log_records_have_the_time_of_the_network() -> None:
    record = logging.makeLogRecord({})
    assert logging.Formatter("%(asctime)s").format(record) == "2026-01-01 01:01:01,123"


@pytest.mark.usefixtures("here")
def test_builtins_look_as_they_did() -> None:
    assert repr(time.time) == "<built-in function time>"
    assert pickle.loads(pickle.dumps(time.time)) is time.time  # noqa: S301  # our own bytes


@pytest.mark.usefixtures("here")
def test_other_threads_have_the_real_time() -> None:
    assert in_a_thread(time.time) > (WALL_EPOCH_NS + NOW) / SECOND + 60 * 60
    assert in_a_thread(monotonic) != monotonic()
    assert in_a_thread(lambda: in_a_thread(datetime.now)) != AT
    assert in_a_thread(now_by_name) != AT
    assert in_a_thread(lambda: datetime.now(UTC)) != AT.replace(tzinfo=UTC)
    assert in_a_thread(date.today) >= date(2026, 1, 1)
    assert in_a_thread(lambda: time.sleep(0)) is None


def test_who_has_left_has_the_real_time(here: Interception) -> None:
    here.leave()
    assert time.time_ns() != WALL_EPOCH_NS + NOW
    assert datetime.now() != AT
    assert now_by_name() != AT


def test_uninstall_puts_back_what_was(clock: SetClock) -> None:
    objects: list[Any] = [time.time, time.sleep, time.gmtime, vars(datetime)["now"]]
    zone = os.environ.get("TZ"), time.tzname
    selves = [time.time.__self__, time.sleep.__self__]  # type: ignore[attr-defined]
    interception = Interception()
    for _ in range(3):
        interception.install()
        assert time.time.__self__ is not selves[0]  # type: ignore[attr-defined]
        interception.enter(computer(clock=clock))
        assert monotonic() == (MONOTONIC_BASE_NS + NOW) / SECOND
        interception.uninstall()
        assert [time.time, time.sleep, time.gmtime, vars(datetime)["now"]] == objects
        assert [time.time.__self__, time.sleep.__self__] == selves  # type: ignore[attr-defined]
        assert monotonic() != (MONOTONIC_BASE_NS + NOW) / SECOND
        assert time.time_ns() != WALL_EPOCH_NS + NOW
        assert now_by_name() != AT
        assert datetime.now() != AT
        assert (os.environ.get("TZ"), time.tzname) == zone


def test_local_time_is_utc_and_the_zone_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    time.tzset()
    try:
        assert time.localtime(0).tm_hour == 19
        with Interception() as interception:
            interception.enter(computer())
            assert time.localtime(0).tm_hour == 0
            assert datetime.fromtimestamp(0) == datetime(1970, 1, 1)
            assert datetime.now().astimezone().utcoffset() == timedelta(0)
        assert time.localtime(0).tm_hour == 19
        assert time.tzname == ("EST", "EDT")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.usefixtures("here")
def test_sleep_on_a_loop_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"asyncio\.sleep") as raised:
        time.sleep(0.1)
    assert isinstance(raised.value, BlockingSleepError)
    time.sleep(0)


class InAThread:
    """As the threads of a computer of which one runs; who parks has the clock go on."""

    takes_threads = True
    ident = 0
    is_over = False

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.at_end: list[Callable[[], None]] = []

    @property
    def running(self) -> InAThread:
        return self

    current = running

    def park(self, deadline: int | None) -> bool:
        assert deadline is not None
        self.clock.now = deadline
        return False

    def wake(self) -> bool:
        return True

    def has_polled(self) -> None: ...

    def start(self, function: Any, begin: Any, ended: Any) -> Any: ...

    def take_loop(self, loop: object) -> None: ...


@contextlib.contextmanager
def in_a_program_thread(clock: SetClock) -> Iterator[None]:
    environment = computer(clock=clock)
    environment.threads = InAThread(clock)  # type: ignore[assignment]  # `current` is read-only
    with Interception() as interception:
        interception.enter(environment)
        yield


def test_sleep_in_a_thread_takes_network_time(clock: SetClock) -> None:
    with in_a_program_thread(clock):
        before = monotonic()
        time.sleep(1)
        time.sleep(0.5)
        assert monotonic() - before == 1.5


def test_no_sleep_at_all_takes_the_least_time_that_the_kernel_needs(clock: SetClock) -> None:
    before = clock.now
    with in_a_program_thread(clock):
        time.sleep(0)
    assert clock.now - before == 50_000


@pytest.mark.parametrize(("seconds", "ns"), [(0.1, 100_000_001), (3, 3 * SECOND), (True, SECOND)])
def test_sleep_is_rounded_up(clock: SetClock, seconds: float, ns: int) -> None:
    before = clock.now
    with in_a_program_thread(clock):
        time.sleep(seconds)
    assert clock.now - before == ns


@pytest.mark.parametrize(
    ("seconds", "error"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)]
)
def test_sleep_refuses_what_it_always_refused(
    clock: SetClock, seconds: Any, error: type[Exception]
) -> None:
    with in_a_program_thread(clock), pytest.raises(error):
        time.sleep(seconds)
