"""Virtual time: one clock for networks, computers and the test, which jumps to what happens next.

Everything that is going to happen stands in one agenda, ordered by (due, source, the source's own
count). Event loops that have something to run at the present time are woken and run in turn, before
time goes on. So an order never depends on addresses, threads or how long anything takes.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final, Protocol

from netsim.core.errors import DeadlockError, StandstillError, WallLimitError
from netsim.core.units import format_duration
from netsim.interception.drawn_order import Choices
from netsim.interception.interception import Interception
from netsim.interception.unrepeatable import Findings
from netsim.observe.frame_log import FrameRecord
from netsim.site.driver import Action, Agenda, Entry
from netsim.virtual.waiting import describe_waiting

_LOOK_AROUND: Final = 4096
"""Steps between looks at the limits."""
_STANDSTILL: Final = 250
"""So many looks at one and the same time mean that time stands still."""
_LAST_SOURCE: Final = 1 << 60
"""The test comes after whatever else happens at the same time: it sees it all done."""
_BEFORE_LAST: Final = _LAST_SOURCE - 1
"""Computers whose order is drawn: they run when all that is due has come, and so is ready."""
_FEWEST_CANCELLED: Final = 1000
_SHORT_WAIT: Final = 0.001
"""Seconds of real time between looks whether a thread of the process has done anything."""
_LONGEST_WAIT: Final = 10.0
"""Seconds for which it may do nothing where all depends on it."""
_LENGTHS: Final = 500
_DUES: Final = 100


class Schedule:
    """The present time, and what is going to happen, of all that lives in one virtual time."""

    def __init__(self) -> None:
        self.now = 0
        """ns."""
        self.agenda: Agenda = []
        """A heap, see `netsim.site.driver`."""


class Timer(asyncio.TimerHandle):
    """Is called when it is due, unless it was cancelled before: then it comes up for nothing."""

    is_planned: bool = False
    """It stands in the agenda."""

    def withdraw(self) -> bool:
        """Cancel it; False where it has come up already."""
        if not self.is_planned:
            return False
        self.cancel()
        return True


class TimersSeen:
    """How long programs on computers let timers run, cancelled ones too, and when these were due.

    That is where their time-outs and pauses show. Of each length, and of lengths, the first are
    kept.
    """

    def __init__(self) -> None:
        self.dues: dict[int, list[int]] = {}
        """By length in ns: network times in ns."""
        self.left_out = 0
        """Timers that were more than are kept."""

    def note(self, length_ns: int, due: int) -> None:
        if length_ns <= 0:
            return
        dues = self.dues.get(length_ns)
        if dues is None and len(self.dues) < _LENGTHS:
            dues = self.dues[length_ns] = []
        if dues is None or len(dues) >= _DUES:
            self.left_out += 1
        else:
            dues.append(due)


class Stepped(Protocol):
    """What runs in turn while time stands: an event loop, or a thread of a program."""

    name: str

    def step(self) -> None:
        """Run what is ready, and what that has made ready not before the next step."""


class SteppedLoop(Stepped, Protocol):
    """An event loop."""

    timers: int
    """How many of its timers will call something."""

    def wake(self) -> None:
        """Have it run."""

    def waiting_threads(self) -> Iterator[tuple[str, str]]:
        """What threads of its programs are called, and where they stand."""

    def unfinished_tasks(self) -> list[asyncio.Task[Any]]:
        """In the order in which they were made."""


class Blocked(Stepped, Protocol):
    """A loop that waits in the midst of its step."""

    @property
    def has_turn(self) -> bool:
        """It goes on when those that began to wait after it have."""

    def wake(self) -> bool:
        """Have it look again."""

    def refuse(self, other: Any) -> None:
        """Have it wait no longer: the other one is kept from going on."""


class Timeline(Schedule):
    """The time, in ns from 0, and all that is going to happen."""

    def __init__(self, director: SteppedLoop) -> None:
        super().__init__()
        self.findings = Findings()
        """What will not be the same in another run."""
        self.interception = Interception(self.findings)
        self.choices = Choices()
        """Which of the tasks that were ready has run, where that is drawn."""
        self.course = 0
        """Equal in runs whose frames had the same lengths, at the same times, on the same links."""
        self.timers_seen: TimersSeen | None = None
        """Where somebody wants to know."""
        self.wall_limit: float | None = None
        """Seconds of real time, from when the limit was set."""
        self.watched: dict[object, Callable[[], None]] = {}
        """By who waits for what is outside of virtual time: looks whether it has happened."""
        self.blocked: list[Blocked] = []
        """Loops that wait in the midst of a step, the last of them innermost."""
        self._served = -1
        """How many of who waited for locks had got them when all were last told to look."""
        self.director = director
        self._loops: list[SteppedLoop] = []
        self._woken: deque[Stepped] = deque()
        self._cancelled = 0
        self._count = 0
        self._sources = 0
        self._steps_to_look = _LOOK_AROUND
        self._looked_at = -1
        self._looks = 0
        self._wall_started = 0.0

    # What takes part

    def allocate_sources(self, count: int) -> int:
        """The first of `count` numbers for sources of events, which nobody else has."""
        first = self._sources
        self._sources += count
        return first

    def join(self, loop: SteppedLoop) -> None:
        """A loop lives in this time from now on."""
        self._loops.append(loop)

    def leave(self, loop: SteppedLoop, *, thoroughly: bool = False) -> None:
        """The loop runs no more, and what it had planned does not happen.

        `thoroughly`: cancelled timers do not come up either.
        """
        self._loops.remove(loop)
        if loop in self._woken:
            self._woken.remove(loop)
        # Most have none when they end, and looking for them takes long in a large network.
        if loop.timers or thoroughly:
            self._discard(lambda entry: _is_of(entry, loop))

    def planned_by(self, loop: SteppedLoop) -> list[Entry]:
        """What the loop has in the agenda."""
        return [entry for entry in self.agenda if _is_of(entry, loop)]

    def wake(self, loop: Stepped) -> None:
        """The loop has something to run now; it says so once, until it has run."""
        self._woken.append(loop)

    def fail(self, error: BaseException) -> None:
        """Raise an error where time goes on, before anything else happens."""
        self._woken.appendleft(_Failure(self, error))

    def unblocked(self) -> None:
        """A loop that waited in the midst of its step goes on."""
        if self.blocked and self.blocked[-1].has_turn:
            self.wake(self.blocked[-1])  # whose turn came while the other one waited
        # What it has set off, or stopped, is looked at where it runs by itself.
        self.director.wake()

    def wake_last(self, action: Action) -> None:
        """Call `action(now, None, b"")` after all else of now, but for the director."""
        self._count += 1
        heappush(self.agenda, (self.now, _BEFORE_LAST, self._count, action, None, b""))

    def schedule(self, due: int, action: Action, argument: Any) -> None:
        """Call `action(now, argument, b"")` after all else that happens at `due`."""
        self._count += 1
        heappush(self.agenda, (due, _LAST_SOURCE, self._count, action, argument, b""))

    def timer_cancelled(self) -> None:
        """A timer in the agenda will do nothing when it is due."""
        self._cancelled += 1
        if self._cancelled > _FEWEST_CANCELLED and 2 * self._cancelled > len(self.agenda):
            self._discard(_is_cancelled)

    def timer_over(self) -> None:
        """A cancelled timer has come up and is in the agenda no more."""
        self._cancelled -= 1

    def limit_wall_time(self, seconds: float) -> None:
        """WallLimitError when the run goes on for longer, from now on."""
        self.wall_limit = seconds
        self._wall_started = real_seconds()

    def is_wall_time_over(self) -> bool:
        """Whether the run has taken all the real time that it has."""
        limit = self.wall_limit
        return limit is not None and real_seconds() - self._wall_started > limit

    def step_mark(self) -> tuple[int, int, int]:
        """Another one after every step."""
        return self._steps_to_look, self._looks, self.now

    def note_frame(self, record: FrameRecord) -> None:
        """What became of a frame is known."""
        self.course = hash((self.course, record.time_ns, record.link, len(record.frame)))

    # Running

    def proceed(self, until: Stepped | None = None) -> None:
        """Let everything go on until the director, or `until`, has run once, or has been stopped.

        DeadlockError when nothing is left that would ever run it.
        """
        woken, agenda = self._woken, self.agenda
        last = self.director if until is None else until
        while True:
            while woken:
                loop = woken.popleft()
                loop.step()
                if loop is last:
                    return
                self._steps_to_look -= 1
                if not self._steps_to_look:
                    self._look_around()
            if self.watched:
                self._look_outside()
                if woken:
                    continue
            if len(agenda) <= self._cancelled:
                self._look_once_more()
                continue
            due, _, _, action, argument, frame = heappop(agenda)
            self.now = due
            action(due, argument, frame)
            self._steps_to_look -= 1
            if not self._steps_to_look:
                self._look_around()

    def _look_outside(self) -> None:
        """Wake those that wait for what happens outside of virtual time, if it has."""
        for look in list(self.watched.values()):
            look()

    def _look_once_more(self) -> None:
        """Nothing is left to happen, unless somebody wakes who waits for a lock: DeadlockError."""
        room = self.interception.room
        if room.waiting and room.served != self._served:
            # Of locks that were let go in a way that nobody has seen (`lock_hooks`).
            self._served = room.served
            room.wake_all()
            if self._woken:
                return
        waits_until = real_seconds() + _LONGEST_WAIT
        while self.interception.foreign_threads and real_seconds() < waits_until:
            select.select((), (), (), _SHORT_WAIT)
            self._look_outside()
            if self._woken:
                return
        raise DeadlockError(
            f"nothing is left to happen at {format_duration(self.now)}, but "
            f"{describe_waiting(self._waiting(), self._waiting_threads())}"
        )

    def _waiting(self) -> Iterator[tuple[str, asyncio.Task[Any]]]:
        for loop in self._loops:
            for task in loop.unfinished_tasks():
                yield loop.name, task

    def _waiting_threads(self) -> Iterator[tuple[str, str, str]]:
        for loop in self._loops:
            for title, line in loop.waiting_threads():
                yield loop.name, title, line

    def _look_around(self) -> None:
        self._steps_to_look = _LOOK_AROUND
        if self.is_wall_time_over():
            raise WallLimitError(
                f"the limit of {self.wall_limit:g} s of real time is over, at "
                f"{format_duration(self.now)} of network time"
            )
        if self.now != self._looked_at:
            self._looked_at = self.now
            self._looks = 0
        self._looks += 1
        if self._looks > _STANDSTILL:
            busy = ", ".join(loop.name for loop in self._woken) or "the network"
            raise StandstillError(
                f"time stands still at {format_duration(self.now)}: {busy} goes on and on; give "
                "links a delay, or let the program sleep"
            )

    def _discard(self, unwanted: Callable[[Entry], bool]) -> None:
        self.agenda[:] = [entry for entry in self.agenda if not unwanted(entry)]
        heapify(self.agenda)
        self._cancelled = sum(map(_is_cancelled, self.agenda))


class _Failure:
    """Raises an error in its turn."""

    name = "the network"

    def __init__(self, timeline: Timeline, error: BaseException) -> None:
        self._timeline = timeline
        self._error = error

    def step(self) -> None:
        if self._timeline.blocked:
            # It passes through a program that waits, which may catch it.
            self._timeline.fail(self._error)
        raise self._error


def real_seconds() -> float:
    """Of a clock that `ClockHooks` leaves alone, whoever reads it."""
    return os.times().elapsed


def _is_of(entry: Entry, loop: Stepped) -> bool:
    return getattr(entry[3], "__self__", None) is loop


def _is_cancelled(entry: Entry) -> bool:
    timer = entry[4]
    return isinstance(timer, Timer) and timer.cancelled()
