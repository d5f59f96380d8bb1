"""`select.epoll` for the sockets of computers, with edges and one shot.

Programs hold the class by many names, and so its methods are exchanged. An object of it is the
kernel's, and watches the kernel's descriptors itself; sockets of computers stand beside it, and
whoever polls waits for both.
"""

from __future__ import annotations

import errno
import itertools
import select
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from netsim.core.time import SECOND, nanoseconds
from netsim.interception.c_functions import set_in_type
from netsim.sockets import descriptors
from netsim.sockets.caller import machine_of_caller
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.machine import WaitQueue
from netsim.sockets.os_errors import system_error
from netsim.sockets.polling import Events, descriptor_of, poll

_DEFAULT: Final = select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT
_ALWAYS: Final = select.EPOLLERR | select.EPOLLHUP
_EVENTS: Final = 0xFFFF
"""The bits of a mask that are not about how it is told."""
_MOST: Final = 1023
"""Events that a call tells where it does not say (FD_SETSIZE - 1)."""


class _Watched:
    """A socket of a computer that an epoll watches: epoll_ctl(2)."""

    __slots__ = ("_ends", "_is_due", "_mask", "_news", "_queue", "endpoint")

    def __init__(self, endpoint: Endpoint, queue: WaitQueue, ends: Callable[[], None]) -> None:
        self.endpoint = endpoint
        self._queue = queue
        self._ends = ends

    def set(self, mask: int) -> None:
        """What is true already is told, edge or not; and an error or an end whatever the mask."""
        self._mask = mask | _ALWAYS
        self._is_due = True
        self._news = self.endpoint.news()

    def wake(self) -> None:
        """Something has happened to the socket."""
        if self.endpoint.is_closed:
            self._ends()  # the kernel forgets a file when its last descriptor is closed
            return
        news = self.endpoint.news()
        if news != self._news:
            self._news = news
            self._is_due = True
        self._queue.wake()

    def events(self) -> int:
        if not self._mask & _EVENTS or (self._mask & select.EPOLLET and not self._is_due):
            return 0
        return self.endpoint.events() & self._mask

    def was_told(self) -> None:
        """What follows: an edge is told once, and one shot is the last until `modify`."""
        self._is_due = False
        if self._mask & select.EPOLLONESHOT:
            self._mask &= ~_EVENTS


class _Watching:
    """The sockets of computers that one epoll watches, in the order in which it tells of them."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._sockets: dict[int, _Watched] = {}
        self.queue = WaitQueue()
        self.polls = 0
        """Calls under way: what is registered meanwhile is to wake them."""
        self.is_behind = False
        """Whose turn it is: the descriptors of the kernel's come first, and then these again."""

    def find(self, descriptor: int) -> _Watched:
        """FileNotFoundError when it is not watched, or was another socket's number."""
        watched = self._sockets.get(descriptor)
        if watched is None or watched.endpoint is not descriptors.endpoint_of(descriptor):
            raise system_error(errno.ENOENT)
        return watched

    def add(self, descriptor: int, endpoint: Endpoint, mask: int) -> None:
        """FileExistsError when it is watched."""
        before = self._sockets.get(descriptor)
        if before is not None:
            if before.endpoint is endpoint:
                raise system_error(errno.EEXIST)
            self._remove(descriptor, before)
        watched = _Watched(endpoint, self.queue, lambda: self._remove(descriptor, watched))
        self._sockets[descriptor] = watched
        endpoint.queue.add(watched)
        self.modify(watched, mask)

    def modify(self, watched: _Watched, mask: int) -> None:
        watched.set(mask)
        self.queue.wake()

    def remove(self, descriptor: int) -> None:
        """FileNotFoundError as `find`."""
        self._remove(descriptor, self.find(descriptor))

    def _remove(self, descriptor: int, watched: _Watched) -> None:
        watched.endpoint.queue.discard(watched)
        if self._sockets.get(descriptor) is watched:
            del self._sockets[descriptor]
        if not self._sockets and not self.polls:
            _all.pop(self._epoll, None)

    def close(self) -> None:
        for descriptor, watched in list(self._sockets.items()):
            self._remove(descriptor, watched)
        _all.pop(self._epoll, None)

    def endpoints(self) -> list[Endpoint]:
        return [watched.endpoint for watched in list(self._sockets.values())]

    def look(self) -> Events:
        """What there is to be told."""
        seen = [(number, watched.events()) for number, watched in list(self._sockets.items())]
        return {number: events for number, events in seen if events}

    def told(self, events: Events) -> None:
        """Somebody is told: these are the last ones now, so that everybody has a turn."""
        self.is_behind = not self.is_behind
        for descriptor in events:
            watched = self._sockets.pop(descriptor, None)
            if watched is not None:
                self._sockets[descriptor] = watched
                watched.was_told()


_all: Final[dict[select.epoll, _Watching]] = {}
"""Those that watch sockets of computers, or are polled on one, until these or they are closed.

Entries come and go where the stack may be touched: so there are never two for one epoll.
"""


def _watching_of(epoll: select.epoll) -> _Watching:
    watching = _all.get(epoll)
    if watching is None:
        _sweep()
        watching = _all[epoll] = _Watching(epoll)
    return watching


def _references(epolls: Iterable[object]) -> list[int]:
    return [sys.getrefcount(epoll) for epoll in list(epolls)]


_OURS_ALONE: Final = _references({object(): None})[0] + 1
"""Those of `_all` and of `_Watching`, as they are counted here."""


def _sweep() -> None:
    """Let go of those that only `_all` holds: the interpreter would have closed them."""
    counts = _references(_all)
    for watching, count in zip(list(_all.values()), counts, strict=False):
        if count <= _OURS_ALONE:
            watching.close()


class _Asked:
    """One call of `epoll.poll`: what is `Polled`."""

    def __init__(self, epoll: select.epoll, most: int) -> None:
        self._epoll = epoll
        self._most = most
        self._watching: _Watching | None = None
        """From the first look on."""
        self.kernels: Mapping[int, int] = {epoll.fileno(): select.POLLIN}

    def end(self) -> None:
        """The call is over."""
        if self._watching is not None:
            self._watching.polls -= 1

    def endpoints(self) -> list[Endpoint]:
        return [] if self._watching is None else self._watching.endpoints()

    def queues(self) -> Sequence[WaitQueue]:
        return () if self._watching is None else (self._watching.queue,)

    def look(self) -> Events:
        """Whoever sees it has it: no other thread is told of the same edge, or the one shot."""
        watching = self._watching
        if watching is None:
            watching = self._watching = _watching_of(self._epoll)
            watching.polls += 1
        found = self._look(watching)
        if found:
            watching.told(found)
        return found

    def _look(self, watching: _Watching) -> Events:
        sockets = iter(watching.look().items())
        if watching.is_behind:
            seen = self.wait_for_kernels(0)
            return seen | dict(itertools.islice(sockets, self._most - len(seen)))
        seen = dict(itertools.islice(sockets, self._most))
        left = self._most - len(seen)
        return seen | dict(kernels_epoll_poll(self._epoll, 0, left)) if left else seen

    def wait_for_kernels(self, timeout_ns: int | None) -> Events:
        timeout = None if timeout_ns is None else timeout_ns / SECOND
        return dict(kernels_epoll_poll(self._epoll, timeout, self._most))


# The methods ------------------------------------------------------------------------------------


def _register(epoll: select.epoll, fd: Any, eventmask: int = _DEFAULT) -> None:
    descriptor = descriptor_of(fd)
    endpoint = descriptors.endpoint_of(descriptor)
    if endpoint is None:
        _ORIGINAL["register"](epoll, descriptor, eventmask)
        return
    epoll.fileno()  # ValueError once it is closed
    endpoint.machine.call(_add, epoll, descriptor, endpoint, eventmask)


def _add(epoll: select.epoll, descriptor: int, endpoint: Endpoint, mask: int) -> None:
    _watching_of(epoll).add(descriptor, endpoint, mask)


def _modify(epoll: select.epoll, fd: Any, eventmask: int) -> None:
    descriptor = descriptor_of(fd)
    endpoint = descriptors.endpoint_of(descriptor)
    if endpoint is None:
        _ORIGINAL["modify"](epoll, descriptor, eventmask)
        return
    watching = _watching(epoll)
    endpoint.machine.call(watching.modify, watching.find(descriptor), eventmask)


def _unregister(epoll: select.epoll, fd: Any) -> None:
    descriptor = descriptor_of(fd)
    endpoint = descriptors.endpoint_of(descriptor)
    if endpoint is None:
        _ORIGINAL["unregister"](epoll, descriptor)
        return
    endpoint.machine.call(_watching(epoll).remove, descriptor)


def _poll(
    epoll: select.epoll, timeout: float | None = None, maxevents: int = -1
) -> list[tuple[int, int]]:
    machine = machine_of_caller()
    if machine is None:
        endpoints = _watching(epoll).endpoints()
        if not endpoints:
            return kernels_epoll_poll(epoll, timeout, maxevents)
        machine = endpoints[0].machine
    if maxevents < -1 or maxevents == 0:
        return kernels_epoll_poll(epoll, 0, maxevents)  # ValueError
    limit = None if timeout is None or timeout < 0 else nanoseconds(timeout)
    asked = _Asked(epoll, _MOST if maxevents == -1 else maxevents)
    try:
        return list(poll(machine, asked, limit).items())
    finally:
        asked.end()


def _close(epoll: select.epoll) -> None:
    watching = _all.get(epoll)
    endpoints = [] if watching is None else watching.endpoints()
    if watching is not None and endpoints:
        endpoints[0].machine.call(watching.close)
    _all.pop(epoll, None)
    _ORIGINAL["close"](epoll)


def _watching(epoll: select.epoll) -> _Watching:
    """What it watches; with nothing in it, where that is nothing."""
    epoll.fileno()  # ValueError once it is closed
    return _all.get(epoll) or _Watching(epoll)


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "register": _register,
    "modify": _modify,
    "unregister": _unregister,
    "poll": _poll,
    "close": _close,
}
_ORIGINAL: Final[dict[str, Any]] = {name: vars(select.epoll)[name] for name in _METHODS}
kernels_epoll_poll: Final[Callable[..., list[tuple[int, int]]]] = _ORIGINAL["poll"]
"""Called with an epoll object: for who is on a computer, and serves it."""


def forget() -> None:
    """In a child process: what they watched is the parent's."""
    _all.clear()


class EpollCalls:
    """The exchange."""

    def install(self) -> None:
        """From now on epolls watch sockets of computers as well as the kernel's."""
        for name, method in _METHODS.items():
            set_in_type(select.epoll, name, method)

    def uninstall(self) -> None:
        """Put back exactly what was."""
        for name, method in _ORIGINAL.items():
            set_in_type(select.epoll, name, method)
        forget()
