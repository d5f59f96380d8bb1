"""Processes by their kernel handles: when all that belong to a network are gone.

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
from typing import Self

from netsim.realtime.process_tree import Process, is_listed


class ProcessWatch:
    """Waits for the end of processes; those that have already ended are left out."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self._descriptors: dict[int, Process] = {}
        self._watched: list[Process] = []
        for process in dict.fromkeys(processes):
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(process.pid)
                # Asked after it was opened: it cannot be another one any more.
                if is_listed(process):
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
            while is_listed(process) and time.monotonic() < deadline:
                time.sleep(0.002)

    def signal(self, number: signal.Signals, only: int | None = None) -> None:
        """Send a signal to all, or to the one with the pid `only`."""
        for descriptor, process in self._descriptors.items():
            if only in (None, process.pid):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)
