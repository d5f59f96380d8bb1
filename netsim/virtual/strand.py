"""Threads of programs in virtual time: threads of the process of which one runs at any time.

A program's thread runs only while it has the baton, and gives it back where it would block: in a
lock, a queue, `time.sleep`, a socket. It stands in the timeline like an event loop: who wakes it
says so, and it goes on in its turn. So when it runs depends on nothing but the network's time
(docs/decisions/threads-in-virtual-time.md).
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol

from netsim.core.errors import OutsideError, ThreadLimitError
from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.interception.executor_jobs import job_of, tasks_waiting_for
from netsim.interception.program_threads import Begin, Waiter
from netsim.site.users_lines import line_of_tasks, lines_of, users_line
from netsim.virtual.baton import Baton
from netsim.virtual.left_threads import (
    end_some_time,
    forget,
    free_executors,
    say_nothing_of,
    threads_by_number,
)
from netsim.virtual.waits_in_c import WaitsInC

if TYPE_CHECKING:
    from netsim.virtual.timeline import Timeline, Timer

_OURS: Final = os.path.dirname(os.path.dirname(__file__))
_POLLS: Final = 100
"""A thread may look so often in vain, and then it has to let time go on."""
_POLL_TIME: Final = 1 * MICROSECOND
_LONGEST_POLL_TIME: Final = 1 * MILLISECOND
_LATER: Final = 16
"""The part of the time for which it has looked by which it may be late."""
_HANDLE: Final = asyncio.Handle._run.__code__
"""Frames further out are those of the event loop and of who runs it, none of a program's."""
_UNWINDING: Final = 0.1
"""Seconds of real time that a thread has to let go what it holds."""
_MOST_LEFT: Final = 2_000
"""Threads of the system that crashes may leave in a process: each has a stack and a number."""


class StrandLoop(Protocol):
    """The event loop of those whose threads these are."""

    name: str
    timeline: Timeline
    is_over: bool
    is_paused: bool

    def plan_waking(self, due: int, waiter: Waiter) -> Timer:
        """Have it woken at `due`, unless what is returned is cancelled before."""

    def enter(self) -> None:
        """Code of a program runs from now on."""

    def leave(self) -> None:
        """And no longer; what it has sent leaves."""


class LoopsThread(Waiter, Protocol):
    """The one that runs the event loop, as one that may wait."""

    def stand(self) -> Iterator[tuple[FrameType, int]]:
        """Where it waits, the innermost frame first; nothing while it does not."""


class Strand:
    """A thread that a program has started."""

    def __init__(self, strands: Strands, function: Callable[[], None]) -> None:
        self.ident = 0
        self.is_over = False
        self.at_end: list[Callable[[], None]] = []
        self.name = strands.loop.name
        self.timers = 0
        self._started_at = strands.line()
        self._strands = strands
        self._function = function
        self._baton = Baton()
        self.native = 0
        """The kernel's number."""
        self._is_woken = False
        self._is_parked = False
        self._is_lost = False
        """Nobody waits for it any more."""
        self._lender: Strand | None = None
        """The thread that waits while it runs, where that is not the event loop's."""
        self._polls = 0
        self._polls_since: int | None = None

    # In the thread

    def main(self) -> None:
        """What the thread of the process calls."""
        self.native = threading.get_native_id()
        self._baton.await_turn()
        try:
            self._function()
        finally:
            self.is_over = True
            if self._is_lost:
                self._baton.end()
            else:
                self._baton.give_back()

    def park(self, deadline: int | None, could: Callable[[], bool] = bool) -> bool:
        loop = self._strands.loop
        if deadline is not None and deadline <= loop.timeline.now:
            return False
        self._polls, self._polls_since = 0, None
        timer = None if deadline is None else loop.plan_waking(deadline, self)
        self._is_parked = True
        self._baton.give_back()
        self._baton.await_turn()
        self._is_parked = False
        return timer is None or timer.withdraw()

    def has_polled(self) -> None:
        self._polls += 1
        if self._polls >= _POLLS:
            self.look_later(self.park)

    def look_later(self, wait: Callable[[int], bool]) -> bool:
        """Have who looks in a circle `wait` until a time: whether something was found by then.

        It is the later the longer nothing is.
        """
        now = self._strands.loop.timeline.now
        since = now if self._polls_since is None else self._polls_since
        step = min(max((now - since) // _LATER, _POLL_TIME), _LONGEST_POLL_TIME)
        found = wait(now + step)
        self._polls_since = None if found else since
        return found

    def has_found(self) -> None:
        """What it looked for: it begins to wait anew."""
        self._polls_since = None

    # Outside of it

    def wake(self) -> bool:
        if self.is_over or self._is_lost or self._strands.loop.is_over:
            return False
        if self._is_parked and not self._is_woken:
            self._is_woken = True
            self._strands.line_up(self)
        return True

    def step(self) -> None:
        """Called by the timeline, when it was woken."""
        loop = self._strands.loop
        if loop.is_paused and not loop.is_over:
            self._strands.held_back.append(self)
            return
        if loop.is_over:
            return
        loop.enter()
        try:
            self.go_on()
        finally:
            loop.leave()

    def go_on(self) -> None:
        """The same, where its computer was entered already."""
        self._is_woken = False
        if not (self.is_over or self._is_lost or self._strands.loop.is_over):
            self.run()

    def run(self) -> None:
        """Let it run, on behalf of who has the baton, until it parks or ends."""
        strands = self._strands
        interception = strands.loop.timeline.interception
        waiter, running = strands.current, strands.running
        strands.current = strands.running = self
        lender = interception.lend(self.ident)
        self._lender = running
        strands.waits_in_c.begin()
        try:
            self._baton.lend(strands.waits_in_c.look if lender == strands.home else None)
        except BaseException as error:  # noqa: BLE001  # it is raised where the network runs on
            # Not here: in the midst of `Thread.start` it would be taken for another one.
            if lender == strands.home:
                strands.give_up(error)
        finally:
            if running is None or not running._is_lost:
                interception.lend(lender)
                strands.current, strands.running = waiter, running
        if running is not None and running._is_lost:
            raise SystemExit  # and lets go what it holds: `submit` has a lock of all executors
        if self.is_over:
            strands.ended(self)

    def stand(self) -> Iterator[tuple[FrameType, int]]:
        """Where it is, the innermost frame first."""
        frame = None if self.is_over else sys._current_frames().get(self.ident)
        return iter(()) if frame is None else traceback.walk_stack(frame)

    def frames(self) -> list[tuple[CodeType, int]]:
        """As `DrawnThread`."""
        stand = [
            (frame, number)
            for frame, number in self.stand()
            if users_line(lines_of([(frame, number)]))
        ]
        return [(frame.f_code, number) for frame, number in reversed(stand)]

    def line(self) -> str:
        """`shop.py:12`, the innermost of a user's."""
        return users_line(
            (file, number) for file, number in lines_of(self.stand()) if file != __file__
        )

    def where(self) -> str:
        """The same, in words; where no line is a user's, what it does, and for whom."""
        line = self.line()
        if line:
            return f"at {line}"
        begun = f", in a thread started at {self._started_at}" if self._started_at else ""
        job = job_of(self.stand())
        if job is not None:
            line = self._strands.line_waiting_for(job.future)
            return f"in {job.name}" + (f", for which {line} waits" if line else begun)
        for file, number in lines_of(self.stand()):
            if not file.startswith(_OURS):
                return f"at {os.path.basename(file)}:{number}{begun}"
        return f"at its beginning{begun}"

    def thread(self) -> threading.Thread | None:
        """Of the module `threading`, where that has started it."""
        return threads_by_number().get(self.ident)

    def title(self) -> str:
        """As the program calls it."""
        thread = self.thread()
        return "a thread" if thread is None else f"thread {thread.name}"

    def is_daemon(self) -> bool:
        """The end of a program does not wait for it."""
        thread = self.thread()
        return thread is None or thread.daemon

    def lose(self) -> None:
        """Nobody waits for it any more; it stays where it is."""
        self._is_lost = True


class Strands:
    """The threads of one computer's programs."""

    left = 0
    """How many threads stay for ever where crashes found them, of all computers ever."""

    def __init__(self, loop: StrandLoop, home: int, on_loop: LoopsThread | None) -> None:
        self.loop = loop
        self.on_loop = on_loop
        self.home = home
        """The number of the thread that runs event loops."""
        self.current: Waiter | None = on_loop
        self.running: Strand | None = None
        self.takes_threads = on_loop is not None
        self.alive: dict[Strand, None] = {}
        """In the order in which they were started."""
        self.held_back: list[Strand] = []
        """Woken while the computer was paused."""
        self.line_up: Callable[[Strand], None] = loop.timeline.wake
        """Have one that was woken go on in its turn."""
        self.take_loop: Callable[[object], None] = _no_loop
        self.waits_in_c = WaitsInC(self)
        self._after: dict[Strand, Callable[[], None]] = {}

    def start(
        self, function: Callable[[], None], begin: Begin, ended: Callable[[], None]
    ) -> Strand:
        """As `ProgramThreads`; ThreadLimitError."""
        if Strands.left >= _MOST_LEFT:
            raise ThreadLimitError(
                f"can't start new thread: crashes of computers have left {Strands.left} in this "
                "process, where they wait for ever; do the rest in another one"
            )
        strand = Strand(self, function)
        strand.ident = begin(strand.main)
        self.alive[strand] = None
        self._after[strand] = ended
        strand.run()
        return strand

    def ended(self, strand: Strand) -> None:
        """Its function has."""
        self.alive.pop(strand, None)
        after = self._after.pop(strand)
        after()
        for each in strand.at_end:
            each()

    def line(self) -> str:
        """A user's line that runs, or waits for the task that does."""
        stack = traceback.walk_stack(None)
        of_program = itertools.takewhile(lambda each: each[0].f_code is not _HANDLE, stack)
        line = users_line(lines_of(of_program))
        if line or self.running is not None or asyncio._get_running_loop() is None:
            return line
        task = asyncio.current_task()
        return "" if task is None else line_of_tasks(tasks_waiting_for(task))

    def line_waiting_for(self, future: Future[Any]) -> str:
        """A user's line, in a task or a thread."""
        if line := line_of_tasks(tasks_waiting_for(future)):
            return line
        stacks = [strand.stand() for strand in self.alive]
        if self.on_loop is not None:
            stacks.append(self.on_loop.stand())
        for stack in map(list, stacks):
            if any(frame.f_locals.get("self") is future for frame, _ in stack):
                return users_line(lines_of(stack))
        return ""

    def awaited(self) -> list[Strand]:
        """Those that a program's end waits for."""
        return [strand for strand in self.alive if not strand.is_daemon()]

    def dismiss(self) -> None:
        """Have workers of executors end when they have nothing left to do."""
        executors: Any = sys.modules.get("concurrent.futures.thread")
        if executors is None:
            return
        for strand in list(self.alive):
            thread: Any = strand.thread()
            if thread in executors._threads_queues:
                executor = thread._args[0]()  # a weak reference
                if executor is not None:
                    executor.shutdown(wait=False)

    def resume(self) -> None:
        """The computer is no longer paused."""
        held, self.held_back = self.held_back, []
        for strand in held:
            self.line_up(strand)

    def give_up(self, error: BaseException) -> None:
        """Whoever runs now is waited for no more, nor who has lent it the baton.

        `error` is raised where the network runs on.
        """
        self.loop.timeline.fail(error)
        computes = self.running
        lost = [
            strand
            for strand in self.alive
            if not (strand._is_parked or strand._is_lost or strand.is_over)
        ]
        for strand in lost:
            strand.lose()
            forget(strand.thread())
            say_nothing_of(strand.thread())
            if (job := job_of(strand.stand())) is not None:
                job.future._done_callbacks.clear()  # type: ignore[attr-defined]  # private
        for strand in lost:
            if strand._lender in lost:
                strand._baton.give_back()  # that one ends now, too
                strand._lender._baton.await_end(_UNWINDING)
        if computes is not None:
            end_some_time(computes.ident)

    def bury(self) -> list[Strand]:
        """They run no more; neither does the end of the interpreter wait for them."""
        buried = [strand for strand in self.alive if not strand.is_over]
        for strand in buried:
            strand.lose()
            forget(strand.thread())
            free_executors(strand.stand(), functools.partial(self._waits_for, strand))
            if strand._is_parked:  # who waits in C leaves it by itself
                Strands.left += 1
                threads_by_number().pop(strand.ident, None)
        self.alive.clear()
        return buried

    def _waits_for(self, strand: Strand, lock: object) -> bool:
        return self.loop.timeline.interception.room.is_waiting(strand, lock)


def _no_loop(loop: object) -> None:
    """Only on a computer, where its network would be."""
    raise OutsideError(
        "a thread of the test is on no computer of the network, and neither are event loops of its "
        "own: run what makes one on a computer, await network['alice'].run(f, …)"
    )
