"""`select.select`, `select.poll`, `select.epoll` and what stands on them (`selectors`), for
programs on a computer."""

from __future__ import annotations

import errno
import functools
import select
import selectors
import sys
from collections.abc import Iterable
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement
from netsim.sockets import descriptors
from netsim.sockets.caller import machine_of_caller
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.machine import Machine
from netsim.sockets.os_errors import system_error
from netsim.sockets.polling import descriptor_of, poll
from netsim.sockets.socket_calls import nanoseconds

_DEFAULT: Final = select.POLLIN | select.POLLPRI | select.POLLOUT
_READABLE: Final = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE: Final = select.POLLOUT | select.POLLERR
_MILLISECOND: Final = 1e-3


def _limit(timeout: float | None, unit: float = 1.0) -> int | None:
    """Nanoseconds; None and, as for `poll`, what is negative are for ever."""
    return None if timeout is None or timeout < 0 else nanoseconds(timeout * unit)


class _Masks:
    """Descriptors and what is wanted of each; one that was closed is forgotten, as epoll does."""

    def __init__(self) -> None:
        self.wanted: dict[int, int] = {}
        self._endpoints: dict[int, Endpoint | None] = {}

    def set(self, descriptor: int, mask: int) -> None:
        self.wanted[descriptor] = mask
        self._endpoints[descriptor] = descriptors.endpoint_of(descriptor)

    def remove(self, descriptor: int) -> None:
        """KeyError when it is not there."""
        del self.wanted[descriptor]
        self._endpoints.pop(descriptor)

    def forget_closed(self) -> None:
        for descriptor, endpoint in list(self._endpoints.items()):
            if descriptors.endpoint_of(descriptor) is not endpoint:
                self.remove(descriptor)


class Poll:
    """As `select.poll()`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._masks: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = _DEFAULT, /) -> None:
        self._masks[descriptor_of(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """FileNotFoundError when it is not registered."""
        if descriptor_of(fd) not in self._masks:
            raise system_error(errno.ENOENT)
        self._masks[descriptor_of(fd)] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """KeyError when it is not registered."""
        del self._masks[descriptor_of(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """`timeout` in milliseconds."""
        limit = _limit(timeout, _MILLISECOND)
        return list(poll(self._machine, self._masks, limit, kernels_poll).items())


class Epoll:
    """As `select.epoll()`, always level-triggered."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._masks = _Masks()
        self._kernels = _KERNELS_EPOLL()
        """For its number."""

    @property
    def closed(self) -> bool:
        return bool(self._kernels.closed)

    def fileno(self) -> int:
        """A number that says nothing to whoever polls it."""
        return int(self._kernels.fileno())

    def close(self) -> None:
        self._kernels.close()

    def __enter__(self) -> Epoll:
        self.fileno()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(self, fd: Any, eventmask: int = _DEFAULT) -> None:
        """FileExistsError when it is registered, OSError EPERM for a file of a disk."""
        descriptor = self._known(fd)
        if descriptor in self._masks.wanted:
            raise system_error(errno.EEXIST)
        if descriptors.endpoint_of(descriptor) is None:
            # The kernel says which ones cannot be polled.
            self._kernels.register(descriptor, 0)
            self._kernels.unregister(descriptor)
        self._masks.set(descriptor, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """FileNotFoundError when it is not registered."""
        descriptor = self._known(fd)
        if descriptor not in self._masks.wanted:
            raise system_error(errno.ENOENT)
        self._masks.set(descriptor, eventmask)

    def unregister(self, fd: Any) -> None:
        """FileNotFoundError when it is not registered."""
        descriptor = self._known(fd)
        if descriptor not in self._masks.wanted:
            raise system_error(errno.ENOENT)
        self._masks.remove(descriptor)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """`timeout` in seconds."""
        self.fileno()
        self._masks.forget_closed()
        wanted = {each: mask & 0xFFFF for each, mask in self._masks.wanted.items()}
        found = poll(self._machine, wanted, _limit(timeout), kernels_poll)
        events: list[tuple[int, int]] = []
        for descriptor, mask in found.items():
            if mask & select.POLLNVAL:
                self._masks.remove(descriptor)
                continue
            if self._masks.wanted[descriptor] & select.EPOLLONESHOT:
                self._masks.wanted[descriptor] = 0
            events.append((descriptor, mask))
        return events if maxevents < 0 else events[:maxevents]

    def _known(self, fd: Any) -> int:
        self.fileno()  # ValueError once it is closed
        self._masks.forget_closed()
        return descriptor_of(fd)


def _select(
    machine: Machine, rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: Any
) -> tuple[list[Any], list[Any], list[Any]]:
    readers, writers, others = list(rlist), list(wlist), list(xlist)
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    masks: dict[int, int] = {}
    wants = ((readers, select.POLLIN), (writers, select.POLLOUT), (others, select.POLLPRI))
    for files, mask in wants:
        for file in files:
            descriptor = descriptor_of(file)
            masks[descriptor] = masks.get(descriptor, 0) | mask
    found = poll(machine, masks, _limit(timeout), kernels_poll)
    if any(mask & select.POLLNVAL for mask in found.values()):
        raise system_error(errno.EBADF)

    def having(files: list[Any], mask: int) -> list[Any]:
        return [file for file in files if found.get(descriptor_of(file), 0) & mask]

    return having(readers, _READABLE), having(writers, _WRITABLE), having(others, select.POLLPRI)


# The exchange -----------------------------------------------------------------------------------

_KERNELS_EPOLL: Final = select.epoll
_KERNELS_SELECT: Final = select.select


def _poll_of_caller() -> Any:
    machine = machine_of_caller()
    return kernels_poll() if machine is None else Poll(machine)


_POLL: Final = FunctionReplacement(select.poll, _poll_of_caller)
kernels_poll: Final = _POLL.original


class _EpollOfCaller:
    """In the place of `select.epoll`."""

    def __new__(cls, sizehint: int = -1, flags: int = 0) -> Any:
        machine = machine_of_caller()
        return _KERNELS_EPOLL(sizehint, flags) if machine is None else Epoll(machine)

    fromfd = _KERNELS_EPOLL.fromfd


@functools.wraps(_KERNELS_SELECT)
def _select_of_caller(rlist: Any, wlist: Any, xlist: Any, timeout: Any = None, /) -> Any:
    machine = machine_of_caller()
    if machine is None:
        return _KERNELS_SELECT(rlist, wlist, xlist, timeout)
    return _select(machine, rlist, wlist, xlist, timeout)


class PollCalls:
    """The exchange. `poll` is one function of the interpreter; `select` and `epoll` are found by
    their names in the modules that are there."""

    def install(self) -> None:
        """From now on programs on computers poll sockets of theirs as well as the kernel's."""
        _POLL.install()
        _exchange("select", _KERNELS_SELECT, _select_of_caller)
        _exchange("epoll", _KERNELS_EPOLL, _EpollOfCaller)
        vars_of: Any = selectors.EpollSelector
        vars_of._selector_cls = _EpollOfCaller
        selects: Any = selectors.SelectSelector
        selects._select = staticmethod(_select_of_caller)

    def uninstall(self) -> None:
        """Put back exactly what was."""
        selects: Any = selectors.SelectSelector
        selects._select = _KERNELS_SELECT
        vars_of: Any = selectors.EpollSelector
        vars_of._selector_cls = _KERNELS_EPOLL
        _exchange("epoll", _EpollOfCaller, _KERNELS_EPOLL)
        _exchange("select", _select_of_caller, _KERNELS_SELECT)
        _POLL.uninstall()


def _exchange(name: str, old: Any, new: Any) -> None:
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        if names.get(name) is old:
            names[name] = new
