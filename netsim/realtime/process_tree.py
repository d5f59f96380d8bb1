"""Processes and their descendants, as /proc has them; killing all of them.

A subreaper (prctl(2)) is the parent of every descendant whose own parent has ended, in whatever
session: a tree of processes stays one, and nobody gets away.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_prctl: Final = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
"""Looked up once, here: in each node it would cost 180 page faults."""
_PARENT: Final = 1
_START_TIME: Final = 19
"""Positions in /proc/PID/stat (proc(5)) after the name, which may contain anything but ends
with the last parenthesis."""


class Process(NamedTuple):
    """One process, told apart from a later one of the same pid. JSON: `[pid, started]`."""

    pid: int
    started: int
    """Clock ticks since boot."""


def family(pid: int) -> list[Process]:
    """The process `pid` and all its descendants, as they are now."""
    children: dict[int, list[Process]] = {}
    found: list[Process] = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) is not None:
            process = Process(int(entry), int(stat[_START_TIME]))
            children.setdefault(int(stat[_PARENT]), []).append(process)
            if process.pid == pid:
                found.append(process)
    for process in found:  # grows while it is walked
        found.extend(children.get(process.pid, ()))
    return found


def is_listed(process: Process) -> bool:
    """Whether it is in the process list, be it as a zombie."""
    stat = _stat(process.pid)
    return stat is not None and int(stat[_START_TIME]) == process.started


def children() -> list[int]:
    """The pids of this process's children, of those that it has adopted as well."""
    own = os.getpid()
    with suppress(OSError):
        # Bytes: a codec would be imported, and not every zygote may read the library any more.
        text = Path(f"/proc/{own}/task/{own}/children").read_bytes()
        return [int(pid) for pid in text.split()]
    return [process.pid for process in family(own)[1:] if _parent(process.pid) == own]


def kill_family(pid: int) -> None:
    """SIGKILL a process and all its descendants, also those that are being forked meanwhile."""
    with suppress(ProcessLookupError):
        # It reaps nobody and starts nobody from here on, so that what is found stays what it is.
        os.kill(pid, signal.SIGSTOP)
    kill_descendants(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_descendants(pid: int) -> None:
    """SIGKILL all that a process, which is a subreaper, and they themselves have started."""
    killed: set[Process] = set()
    while found := set(family(pid)[1:]) - killed:
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        killed |= found


def become_subreaper() -> None:
    """Adopt descendants whose parents end. Linux has it; elsewhere nothing happens."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Let the kernel kill this process, or send `number`, when its parent `parent` ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _parent(pid: int) -> int | None:
    stat = _stat(pid)
    return None if stat is None else int(stat[_PARENT])


def _stat(pid: int) -> list[str] | None:
    """The fields after the name; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
