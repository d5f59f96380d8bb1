"""Processes by their kernel handles: who belongs to a network, and when all of them are gone.

A pid alone may mean another process by the time it is used; a pid with its start time does not,
and a pidfd (Linux 5.3) is told of the end without asking again and again.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

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


class Watch:
    """Waits for the end of processes; those that have already ended are left out."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self._descriptors: dict[int, Process] = {}
        self._watched: list[Process] = []
        for process in dict.fromkeys(processes):
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(process.pid)
                # Asked after it was opened: it cannot be another one any more.
                if _is_listed(process):
                    self._descriptors[descriptor] = process
                    self._watched.append(process)
                else:
                    os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def wait(self, timeout: float) -> list[Process]:
        """Those that are still there when all have ended or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        poll = select.poll()
        for descriptor in self._descriptors:
            poll.register(descriptor, select.POLLIN)
        while self._descriptors:
            left = max(0.0, deadline - time.monotonic())
            ended = poll.poll(left * 1000)
            if not ended:
                break
            for descriptor, _ in ended:
                poll.unregister(descriptor)
                del self._descriptors[descriptor]
                os.close(descriptor)
        return list(self._descriptors.values())

    def wait_for_reaping(self, timeout: float) -> None:
        """Wait until nothing of those that ended is in the process list any more.

        An orphan stays there as a zombie until init has looked, which nobody can be told of.
        """
        deadline = time.monotonic() + timeout
        for process in self._watched:
            while _is_listed(process) and time.monotonic() < deadline:
                time.sleep(0.002)

    def signal(self, number: signal.Signals, only: int | None = None) -> None:
        """Send a signal to all, or to the one with the pid `only`."""
        for descriptor, process in self._descriptors.items():
            if only in (None, process.pid):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)


def _is_listed(process: Process) -> bool:
    stat = _stat(process.pid)
    return stat is not None and int(stat[_START_TIME]) == process.started


def _stat(pid: int) -> list[str] | None:
    """The fields after the name; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
