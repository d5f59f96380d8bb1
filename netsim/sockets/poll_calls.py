"""`select.select` and `select.poll`, and what stands on them, for programs on a computer."""

from __future__ import annotations

import errno
import select
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from netsim.core.time import MILLISECOND, nanoseconds
from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.sockets import descriptors
from netsim.sockets.caller import machine_of_caller
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.machine import Machine, WaitQueue
from netsim.sockets.os_errors import system_error
from netsim.sockets.polling import Events, descriptor_of, poll

_DEFAULT: Final = select.POLLIN | select.POLLPRI | select.POLLOUT
_READABLE: Final = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE: Final = select.POLLOUT | select.POLLERR
_ALWAYS: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL
"""What is told though nobody asked for it."""


class _Masks:
    """Descriptors of both kinds, as `poll` is given them."""

    def __init__(self, masks: Mapping[int, int], always: int = _ALWAYS) -> None:
        self._masks = masks
        self._always = always
        self._poll = kernels_poll()
        self._ours: dict[int, Endpoint] = {}
        kernels: dict[int, int] = {}
        for descriptor, mask in masks.items():
            endpoint = descriptors.endpoint_of(descriptor)
            if endpoint is None:
                kernels[descriptor] = mask
                self._poll.register(descriptor, mask)
            else:
                self._ours[descriptor] = endpoint
        self.kernels: Mapping[int, int] = kernels

    def endpoints(self) -> list[Endpoint]:
        return list(self._ours.values())

    def queues(self) -> Sequence[WaitQueue]:
        return [endpoint.queue for endpoint in self._ours.values()]

    def look(self) -> Events:
        """In the order in which they were given."""
        seen = self.wait_for_kernels(0) if self.kernels else {}
        for descriptor, endpoint in self._ours.items():
            seen[descriptor] = endpoint.events() & (self._masks[descriptor] | self._always)
        return {each: seen[each] for each in self._masks if seen.get(each)}

    def wait_for_kernels(self, timeout_ns: int | None) -> Events:
        return dict(self._poll.poll(None if timeout_ns is None else -(-timeout_ns // MILLISECOND)))


class Poll:
    """As `select.poll()`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._masks: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = _DEFAULT, /) -> None:
        """Once more is as `modify`."""
        self._set(descriptor_of(fd), eventmask)

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """FileNotFoundError when it is not registered."""
        if descriptor_of(fd) not in self._masks:
            raise system_error(errno.ENOENT)
        self._set(descriptor_of(fd), eventmask)

    def _set(self, descriptor: int, mask: int) -> None:
        kernels_poll().register(descriptor, mask)  # ValueError, OverflowError for what is no mask
        self._masks[descriptor] = mask

    def unregister(self, fd: Any, /) -> None:
        """KeyError when it is not registered."""
        del self._masks[descriptor_of(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """`timeout` in milliseconds; for ever where it is negative."""
        limit = None if timeout is None or timeout < 0 else nanoseconds(timeout / 1000)
        return list(poll(self._machine, _Masks(self._masks), limit).items())


def _select(
    machine: Machine, rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: Any
) -> tuple[list[Any], list[Any], list[Any]]:
    readers, writers, others = list(rlist), list(wlist), list(xlist)
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    masks: dict[int, int] = {}
    wants = ((readers, _READABLE), (writers, _WRITABLE), (others, select.POLLPRI))
    for files, mask in wants:
        for file in files:
            descriptor = descriptor_of(file)
            masks[descriptor] = masks.get(descriptor, 0) | mask
    # What is in no list that somebody has asked for does not end the wait.
    polled = _Masks(masks, always=0)
    found = poll(machine, polled, None if timeout is None else nanoseconds(timeout))
    if any(mask & select.POLLNVAL for mask in found.values()):
        raise system_error(errno.EBADF)

    def having(files: list[Any], mask: int) -> list[Any]:
        return [file for file in files if found.get(descriptor_of(file), 0) & mask]

    return having(readers, _READABLE), having(writers, _WRITABLE), having(others, select.POLLPRI)


# The exchange -----------------------------------------------------------------------------------


def _poll_of_caller() -> Any:
    machine = machine_of_caller()
    return kernels_poll() if machine is None else Poll(machine)


def _select_of_caller(rlist: Any, wlist: Any, xlist: Any, timeout: Any = None, /) -> Any:
    machine = machine_of_caller()
    if machine is None:
        return _SELECT.original(rlist, wlist, xlist, timeout)
    return _select(machine, rlist, wlist, xlist, timeout)


_POLL: Final = FunctionReplacement(select.poll, _poll_of_caller)
_SELECT: Final = FunctionReplacement(select.select, _select_of_caller)
kernels_poll: Final = _POLL.original

POLL_CALLS: Final[tuple[Replacement, ...]] = (_POLL, _SELECT)
"""The exchange: programs on computers poll sockets of theirs as well as the kernel's."""
