"""Reaps what a node has adopted: processes whose parents, its programs' children, have ended.

A node is a subreaper (`process_tree`), and so the parent of every daemon that a program starts. Its
own children are left to the program, which waits for them, or will.
"""

from __future__ import annotations

import _posixsubprocess
import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable
from typing import Any, Final

from netsim.realtime.process_tree import children

_LOOK_EVERY: Final = 1.0
"""Seconds. Only what was a zombie at two looks is reaped: system(3) waits for its own child."""
_FORKS: Final = (
    *((os, name) for name in ("fork", "posix_spawn", "posix_spawnp")),
    (_posixsubprocess, "fork_exec"),
    (subprocess, "_fork_exec"),
)
"""What returns the pid of a new child."""


class Orphans:
    """Those of this process. It looks for them for as long as there are children."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._own: set[int] = set()
        self._dead: set[int] = set()
        self._looks = False

    def install(self) -> None:
        """From now on note which children programs have made."""
        for module, name in _FORKS:
            original = getattr(module, name, None)
            if original is not None:
                setattr(module, name, self._noting(original))

    def _noting(self, fork: Callable[..., int]) -> Callable[..., int]:
        def noting(*args: Any, **kwargs: Any) -> int:
            pid = fork(*args, **kwargs)
            if pid:
                self._own.add(pid)
                with contextlib.suppress(RuntimeError):  # the loop is closed: the node ends
                    self._loop.call_soon_threadsafe(self._begin)
            return pid

        return noting

    def _begin(self) -> None:
        if not self._looks:
            self._looks = True
            self._loop.call_later(_LOOK_EVERY, self._look)

    def _look(self) -> None:
        pids = children()
        self._own.intersection_update(pids)
        dead = {pid for pid in pids if pid not in self._own and _has_ended(pid)}
        for pid in dead & self._dead:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._dead = dead
        self._looks = bool(pids)
        if pids:
            self._loop.call_later(_LOOK_EVERY, self._look)


def _has_ended(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return False
