"""What becomes of an event loop that has to wait for a lock that a thread holds.

On a real machine the loop's thread waits, and the holder runs on: logging's lock, or that of a
queue which both use. Here everything else goes on from within the call that waits, until the lock
is free. Where loops of two computers wait so at once, the one that began first goes on last.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from asyncio import events
from types import FrameType
from typing import Any, Protocol

from netsim.interception.environment import Environment
from netsim.site.users_lines import lines_of, users_line
from netsim.virtual.strand import StrandLoop


class _Loop(StrandLoop, Protocol):
    environment: Environment


class BlockedLoop:
    """The thread of one computer's loop, as one that waits."""

    def __init__(self, loop: _Loop) -> None:
        self.name = loop.name
        self._loop = loop
        self._frame: FrameType | None = None
        """Where it waits, while it does."""
        self._is_woken = False
        self._has_turn = False

    @property
    def is_blocked(self) -> bool:
        """It waits."""
        return self._frame is not None

    def line(self) -> str:
        """`shop.py:12`, a user's line that waits."""
        return users_line(lines_of(traceback.walk_stack(self._frame)))

    def park(self, deadline: int | None) -> bool:
        """As `Waiter`. SystemExit where the computer has ended meanwhile."""
        loop: Any = self._loop
        timeline, environment = loop.timeline, loop.environment
        if deadline is not None and deadline <= timeline.now:
            return False
        timer = None if deadline is None else loop.plan_waking(deadline, self)
        self._frame, self._has_turn = sys._getframe(1), False
        task = _swap_task(None)
        hooks = sys.get_asyncgen_hooks()
        timeline.interception.leave()
        director: Any = timeline.director
        events._set_running_loop(director)
        sys.set_asyncgen_hooks(director._asyncgen_firstiter_hook, director._asyncgen_finalizer_hook)
        timeline.blocked.append(self)
        try:
            while not self._has_turn:
                timeline.proceed(self)
        finally:
            timeline.blocked.remove(self)
            self._frame = None
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(loop)
            timeline.interception.enter(environment)
            _swap_task(task)
            timeline.unblocked()
        if loop.is_over:
            raise SystemExit
        return timer is None or timer.withdraw()

    def has_polled(self) -> None:
        """As `Waiter`: a loop that goes in a circle is found by the timeline itself."""

    def wake(self) -> bool:
        if not self.is_blocked:
            return False
        if not self._is_woken:
            self._is_woken = True
            self._loop.timeline.wake(self)
        return True

    def step(self) -> None:
        """Called by the timeline, when it was woken."""
        self._is_woken = False
        self._has_turn = True

    @property
    def has_turn(self) -> bool:
        """It goes on when those that began to wait after it have."""
        return self._has_turn


def _swap_task(task: Any) -> Any:
    """From 3.14 on a thread, and not a loop, has one current task."""
    if sys.version_info < (3, 14):
        return None
    tasks: Any = asyncio.tasks
    return tasks._swap_current_task(asyncio.get_running_loop(), task)
