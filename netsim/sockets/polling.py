"""Waiting for descriptors of both kinds: a computer's sockets, and the kernel's own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from netsim.core.errors import BlockingCallError
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.machine import Machine, Wait, WaitQueue

Events = dict[int, int]
"""Of `poll(2)`, by descriptor; none without any."""


def descriptor_of(file: object) -> int:
    """The number of what has one; TypeError, ValueError as `select`."""
    number = file if isinstance(file, int) else getattr(file, "fileno", None)
    if callable(number):
        number = number()
    if not isinstance(number, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    return number


class Polled(Protocol):
    """Descriptors that somebody waits for."""

    kernels: Mapping[int, int]
    """Those of the kernel's that it has, and their masks."""

    def endpoints(self) -> list[Endpoint]:
        """What stands behind those of computers."""

    def queues(self) -> Sequence[WaitQueue]:
        """Which ones wake who waits for a computer's."""

    def look(self) -> Events:
        """What has happened until now, of both kinds; where the stack may be touched."""

    def wait_for_kernels(self, timeout_ns: int | None) -> Events:
        """Block in the kernel; None is for ever."""


def poll(machine: Machine, polled: Polled, timeout_ns: int | None) -> Events:
    """What has happened, after at most that long; None is for ever.

    BlockingCallError for who would wait for sockets of a computer on its event loop.
    """
    found: Events = {}

    def ready() -> bool:
        found.update(polled.look())
        return bool(found)

    is_old = _turns_in_a_circle(machine.call(ready), found, polled.endpoints())
    if is_old:
        with contextlib.suppress(BlockingCallError):
            machine.wait(Wait(lambda: False, "select()", 0))
    elif found:
        machine.has_tried(in_vain=False)
    if found:
        return found
    try:
        machine.wait(Wait(ready, "select()", timeout_ns, polled.queues(), polled.kernels))
    except BlockingCallError:
        if not polled.endpoints():
            # A child process that it waits for (`subprocess.run`): as on any event loop.
            return polled.wait_for_kernels(timeout_ns)
        if timeout_ns != 0:
            raise
    return found


class _Thread(threading.local):
    last: object = None
    """What it found by its last poll, and what had been done to those sockets until then."""


_thread: Final = _Thread()


def _turns_in_a_circle(
    is_ready: bool, found: Mapping[int, int], endpoints: Iterable[Endpoint]
) -> bool:
    """Whether this thread finds what it found before, and did nothing about it."""
    now = (dict(found), [endpoint.operations for endpoint in endpoints]) if is_ready else None
    before, _thread.last = _thread.last, now
    return is_ready and now == before
