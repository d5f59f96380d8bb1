"""What becomes of an event loop that has to wait for a lock that a thread holds.

On a real machine the loop's thread waits, and the holder runs on: logging's lock, or that of a
queue which both use. Here everything else goes on from within the call that waits, until the lock
is free. Where loops of several computers wait so at once, one cannot go on before those that have
begun after it, whose calls stand above its own. Rather than have it late in silence, or the network
stand still, the others are refused their wait as soon as it could go on (BlockingCallError).
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from asyncio import events
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, Protocol

from netsim.core.errors import BlockingCallError
from netsim.core.time import MICROSECOND
from netsim.interception.environment import Environment
from netsim.site.users_lines import lines_of, users_line
from netsim.virtual.strand import StrandLoop
from netsim.virtual.timeline import Timer

_PATIENCE: Final = 1 * MICROSECOND
"""Network time that those have which wait above a loop that could go on: it passes where a lock is
handed on by threads that look for it in a circle."""


class _Loop(StrandLoop, Protocol):
    environment: Environment


class BlockedLoop:
    """The thread of one computer's loop, as one that waits."""

    def __init__(self, loop: _Loop) -> None:
        self.name = loop.name
        self._loop = loop
        self._frame: FrameType | None = None
        """Where it waits, while it does."""
        self._could: Callable[[], bool] = bool
        """Whether what it waits for can be had."""
        self._timer: Timer | None = None
        self._is_woken = False
        self._may_go_on = False
        self._is_looking = False
        self._refusal = ""

    @property
    def is_blocked(self) -> bool:
        """It waits."""
        return self._frame is not None

    def line(self) -> str:
        """`shop.py:12`, a user's line that waits."""
        return users_line(lines_of(self.stand()))

    def stand(self) -> Iterator[tuple[FrameType, int]]:
        """Where it waits, the innermost frame first; nothing while it does not."""
        return iter(()) if self._frame is None else traceback.walk_stack(self._frame)

    def park(self, deadline: int | None, could: Callable[[], bool] = bool) -> bool:
        """As `Waiter`. SystemExit where the computer has ended meanwhile."""
        loop: Any = self._loop
        timeline, environment = loop.timeline, loop.environment
        if deadline is not None and deadline <= timeline.now:
            return False
        timer = None if deadline is None else loop.plan_waking(deadline, self)
        self._timer, self._could = timer, could
        self._frame, self._may_go_on, self._refusal = sys._getframe(1), False, ""
        task = _swap_task(None)
        hooks = sys.get_asyncgen_hooks()
        timeline.interception.leave()
        director: Any = timeline.director
        events._set_running_loop(director)
        sys.set_asyncgen_hooks(director._asyncgen_firstiter_hook, director._asyncgen_finalizer_hook)
        timeline.blocked.append(self)
        try:
            while not self.has_turn:
                timeline.proceed(self)
        finally:
            timeline.blocked.remove(self)
            self._frame, self._timer, self._could = None, None, bool
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(loop)
            timeline.interception.enter(environment)
            _swap_task(task)
            timeline.unblocked()
        if loop.is_over:
            raise SystemExit
        in_time = timer is None or timer.withdraw()
        if self._refusal and in_time and not could():
            raise BlockingCallError(self._refusal)
        return in_time

    def has_polled(self) -> None:
        """As `Waiter`: a loop that goes in a circle is found by the timeline itself."""

    def wake(self) -> bool:
        if not self.is_blocked or self._loop.is_over:
            return False
        if not self._is_woken:
            self._is_woken = True
            self._loop.timeline.wake(self)
        return True

    def step(self) -> None:
        """Called by the timeline, when it was woken."""
        self._is_woken = False
        self._may_go_on = True
        if self._is_kept() and not self._is_looking:
            self._is_looking = True
            self._loop.timeline.blocked[-1].wake()  # it may wait for the same, which is free
            self._look_later()

    def resume(self) -> None:
        """Its computer is no longer paused."""
        if self._may_go_on:
            self.wake()

    @property
    def has_turn(self) -> bool:
        """It goes on where it waits innermost, and else when those that wait after it have."""
        return self._may_go_on and (self._loop.is_over or not self._loop.is_paused)

    def _is_kept(self) -> bool:
        """It could go on, were it not for those that have begun to wait after it."""
        if not (self.is_blocked and self.has_turn) or self._loop.is_over:
            return False
        if self._loop.timeline.blocked[-1] is self:
            return False
        is_late = self._timer is not None and not self._timer.is_planned
        self._may_go_on = is_late or self._could()
        return self._may_go_on

    def _look_later(self) -> None:
        timeline = self._loop.timeline
        timeline.schedule(timeline.now + _PATIENCE, self._look, None)

    def _look(self, now: int, _: None, __: bytes) -> None:
        self._is_looking = self._is_kept()
        if self._is_looking:
            self._loop.timeline.blocked[-1].refuse(self)
            self._look_later()

    def refuse(self, other: BlockedLoop) -> None:
        """Have it wait no longer: the other one is kept from going on."""
        if self._loop.is_paused and not self._loop.is_over:
            self._loop.timeline.fail(
                BlockingCallError(
                    f"{self.name} is paused while its event loop waits at {self.line()} for what a "
                    f"thread holds, and so keeps that of {other.name} from going on at "
                    f"{other.line()}; have one of them wait in a thread: "
                    "await asyncio.to_thread(lock.acquire)"
                )
            )
            return
        self._refusal = (
            f"the event loop of {self.name} cannot wait any longer at {self.line()} for what a "
            f"thread holds: it is the turn of that of {other.name}, which waits at {other.line()} "
            "since before, and in virtual time the one that began last goes on first; wait in a "
            "thread instead: await asyncio.to_thread(lock.acquire)"
        )
        self.wake()


def _swap_task(task: Any) -> Any:
    """From 3.14 on a thread, and not a loop, has one current task."""
    if sys.version_info < (3, 14):
        return None
    tasks: Any = asyncio.tasks
    return tasks._swap_current_task(asyncio.get_running_loop(), task)
