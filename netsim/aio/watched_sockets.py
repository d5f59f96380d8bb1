"""`add_reader` and `add_writer` on the sockets of a computer.

As from a selector, a callback is called again in each round as long as its socket is ready. One
that does nothing to the socket is called again a microsecond later: in virtual time all rounds of
one instant are one, and a loop that turned in it would never come to the next.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Any, Final

from netsim.aio.host_loop import HostLoop
from netsim.sockets.endpoint import Endpoint

_READABLE: Final = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE: Final = select.POLLOUT | select.POLLHUP | select.POLLERR
_SOON: Final = 1e-6


class WatchedSockets:
    """Those of one loop."""

    def __init__(self, loop: HostLoop) -> None:
        self._loop = loop
        self._watches: dict[int, _Watch] = {}

    def has(self, descriptor: int) -> bool:
        return descriptor in self._watches

    def watch(
        self,
        descriptor: int,
        endpoint: Endpoint,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        is_reader: bool,
    ) -> None:
        """Have it called whenever the socket is ready, in place of the callback of before."""
        watch = self._watches.get(descriptor)
        if watch is not None and watch.endpoint is not endpoint:
            watch.end()  # its socket was closed, and the number is another's now
            watch = None
        if watch is None:
            watch = self._watches[descriptor] = _Watch(self._loop, endpoint)
        watch.set(asyncio.Handle(callback, args, self._loop), is_reader=is_reader)

    def unwatch(self, descriptor: int, *, is_reader: bool) -> bool:
        """Whether there was a callback."""
        watch = self._watches[descriptor]
        found = watch.set(None, is_reader=is_reader)
        if watch.is_idle:
            watch.end()
            del self._watches[descriptor]
        return found

    def close(self) -> None:
        for watch in self._watches.values():
            watch.end()
        self._watches.clear()


class _Watch:
    """One descriptor."""

    def __init__(self, loop: HostLoop, endpoint: Endpoint) -> None:
        self._loop = loop
        self.endpoint = endpoint
        self._reader: asyncio.Handle | None = None
        self._writer: asyncio.Handle | None = None
        self._next: asyncio.Handle | None = None
        endpoint.queue.add(self)

    @property
    def is_idle(self) -> bool:
        """Nobody wants to be called."""
        return self._reader is None and self._writer is None

    def set(self, handle: asyncio.Handle | None, *, is_reader: bool) -> bool:
        """Whether there was another."""
        before = self._reader if is_reader else self._writer
        if is_reader:
            self._reader = handle
        else:
            self._writer = handle
        if before is not None:
            before.cancel()
        if handle is not None:
            self.wake()
        return before is not None

    def wake(self) -> None:
        """The socket may be ready."""
        if self._next is None or isinstance(self._next, asyncio.TimerHandle):
            if self._next is not None:
                self._next.cancel()
            self._next = self._loop.call_soon(self._look)

    def end(self) -> None:
        """Nobody is called any more."""
        self.endpoint.queue.discard(self)
        for handle in (self._reader, self._writer, self._next):
            if handle is not None:
                handle.cancel()
        self._reader = self._writer = self._next = None

    def _look(self) -> None:
        self._next = None
        endpoint = self.endpoint
        if endpoint.is_closed:
            self.end()
            return
        operations = endpoint.operations
        events = endpoint.events()
        was_called = False
        if self._reader is not None and events & _READABLE:
            was_called = True
            self._reader._run()
        if self._writer is not None and events & _WRITABLE:
            was_called = True
            self._writer._run()
        if was_called and not self.is_idle and self._next is None:
            if endpoint.operations != operations:
                self._next = self._loop.call_soon(self._look)
            else:
                self._next = self._loop.call_later(_SOON, self._look)
