"""Waiting for descriptors of both kinds: a computer's sockets, and the kernel's own."""

from __future__ import annotations

import contextlib
import select
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from netsim.core.errors import BlockingCallError
from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.sockets import descriptors
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.machine import Machine

_ALWAYS: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL
"""What is told though nobody asked for it."""
_CIRCLING_NS: Final = MICROSECOND
"""Whoever polls in a circle lets time go on, or it would stand for ever in virtual time."""


def descriptor_of(file: Any) -> int:
    """The number of what has one; TypeError, ValueError as `select`."""
    number = file if isinstance(file, int) else getattr(file, "fileno", None)
    if callable(number):
        number = number()
    if not isinstance(number, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    return number


def poll(
    machine: Machine,
    masks: Mapping[int, int],
    timeout_ns: int | None,
    kernels_poll: Callable[[], Any],
) -> dict[int, int]:
    """Events by descriptor, in the order of `masks`, after at most that long; None is for ever.

    `kernels_poll` makes a polling object of the kernel's. BlockingCallError for who would wait for
    sockets of a computer on its event loop.
    """
    ours: dict[int, Endpoint] = {}
    kernels: dict[int, int] = {}
    looker = kernels_poll()
    for descriptor, mask in masks.items():
        endpoint = descriptors.endpoint_of(descriptor)
        if endpoint is None:
            kernels[descriptor] = mask
            looker.register(descriptor, mask)
        else:
            ours[descriptor] = endpoint
    found: dict[int, int] = {}

    def ready() -> bool:
        seen = dict(looker.poll(0)) if kernels else {}
        for descriptor, endpoint in ours.items():
            seen[descriptor] = endpoint.events() & (masks[descriptor] | _ALWAYS)
        found.update((each, seen[each]) for each in masks if seen.get(each))
        return bool(found)

    queues = [endpoint.queue for endpoint in ours.values()]
    if _turns_in_a_circle(machine.call(ready), found, ours.values()):
        with contextlib.suppress(BlockingCallError):
            machine.wait(lambda: False, (), _CIRCLING_NS, "select()")
    if found:
        return found
    limit = _CIRCLING_NS if timeout_ns == 0 else timeout_ns
    try:
        machine.wait(ready, queues, limit, "select()", kernels)
    except BlockingCallError:
        if not ours:  # a child process that it waits for (`subprocess.run`): as on any event loop
            milliseconds = None if timeout_ns is None else -(-timeout_ns // MILLISECOND)
            return dict(looker.poll(milliseconds))
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
