"""Threads that programs start, in real time: the machine's, which ask the loop of their computer.

The stack belongs to the thread of the loop. What another thread wants of it is done there, at once,
while that thread waits; so a call costs two switches of threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time
from _thread import allocate_lock
from collections.abc import Callable, Mapping
from typing import TypeVar

from netsim.sockets.machine import Wait
from netsim.sockets.poll_calls import kernels_poll

Result = TypeVar("Result")


def call(loop: asyncio.AbstractEventLoop, function: Callable[..., Result], *args: object) -> Result:
    """Call it in the loop's thread, from another one; its result, or its error."""
    outcome: list[tuple[Result, None] | tuple[None, BaseException]] = []
    done = allocate_lock()
    done.acquire()

    def perform() -> None:
        try:
            outcome.append((function(*args), None))
        except BaseException as error:  # noqa: BLE001  # it belongs to who has asked
            outcome.append((None, error))
        done.release()

    loop.call_soon_threadsafe(perform)
    done.acquire()
    result, error = outcome.pop()
    if error is not None:
        try:
            raise error
        finally:
            del error  # it leads to this frame: the socket would live until there is a collection
    return result  # type: ignore[return-value]


def wait(loop: asyncio.AbstractEventLoop, wait: Wait, seconds: float | None) -> bool:
    """As `Machine.wait`, from a thread that is not the loop's; `seconds` are the machine's."""
    if seconds is not None and seconds <= 0:
        return call(loop, wait.ready)
    deadline = None if seconds is None else time.monotonic() + seconds
    with _Sleep() as sleep:
        try:  # a killed program's thread may get a SystemExit wherever it is
            if call(loop, _look_or_wait, wait, sleep):
                return True
            while True:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return call(loop, wait.ready)
                sleep.until_woken(left, wait.descriptors)
                if call(loop, wait.ready):
                    return True
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                call(loop, _wait_no_more, wait, sleep)


def _look_or_wait(wait: Wait, sleep: _Sleep) -> bool:
    if wait.ready():
        return True
    for queue in wait.queues:
        queue.add(sleep)
    return False


def _wait_no_more(wait: Wait, sleep: _Sleep) -> None:
    for queue in wait.queues:
        queue.discard(sleep)


class _Sleep:
    """A `Waiter` that is a thread of the machine, asleep in the kernel."""

    def __init__(self) -> None:
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __enter__(self) -> _Sleep:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._bell)

    def wake(self) -> None:
        os.eventfd_write(self._bell, 1)

    def until_woken(self, seconds: float | None, descriptors: Mapping[int, int]) -> None:
        """Return when it is woken, a descriptor has an event of its mask, or time is over."""
        poll = kernels_poll()
        poll.register(self._bell, select.POLLIN)
        for descriptor, mask in descriptors.items():
            poll.register(descriptor, mask)
        poll.poll(None if seconds is None else seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
