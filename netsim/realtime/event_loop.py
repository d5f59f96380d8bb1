"""The event loop of a node's process: packets are handled inside its selector's `select`.

asyncio sees only what concerns programs: real descriptors, its own timers, and sockets of the
simulated stack to which something has happened. The wires and the agenda of the site are served
right here, without a handle or a callback for each wake-up; most wake-ups of a switch or router
never reach asyncio at all.

Each call of `select` ends one tick of the loop and starts the next, so this is also where what
the programs have written during the tick is sent.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from netsim.aio.loop import HostLoopMixin
from netsim.core.time import SECOND
from netsim.realtime import thread_calls
from netsim.realtime.engine import Engine
from netsim.realtime.timerfd import TimerFd
from netsim.realtime.wire import WireSender
from netsim.sockets.descriptors import end_of
from netsim.sockets.epoll_calls import kernels_epoll_poll
from netsim.sockets.machine import Wait

Result = TypeVar("Result")

_EDGE: Final = select.EPOLLIN | select.EPOLLET
_MAX_EVENTS: Final = 256


class SiteSelector(selectors.BaseSelector):
    """epoll, a kernel timer, and the site's engine.

    `has_news` says whether programs have something to look at, and sees to it that they do.
    `speed` is that of the loop's own time, in which `select` is told how long to wait.
    """

    def __init__(self, engine: Engine, has_news: Callable[[], bool], *, speed: float = 1.0) -> None:
        self._engine = engine
        self._second = SECOND / speed
        self._has_news = has_news
        self._epoll = select.epoll()
        self._timer = TimerFd()
        self._keys = _Keys()
        self._wires: set[int] = set()
        """Receiving ends."""
        self._writers: dict[int, WireSender] = {}
        """Sending ends that are full."""
        self._epoll.register(self._timer.descriptor, _EDGE)
        for descriptor in engine.readers:
            self._watch(descriptor)
        engine.on_connected = self._watch
        engine.on_disconnected = self._forget
        engine.on_blocked = self._wait_writable

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Serve the site until a program has something to do or `timeout` seconds pass."""
        engine = self._engine
        deadline = (
            None if timeout is None else time.monotonic_ns() + int(max(timeout, 0.0) * self._second)
        )
        agenda = engine.agenda
        # What is due comes first, each at its own time: only programs act at the clock's.
        now = engine.wall() if engine.is_slow else time.monotonic_ns() - engine.epoch
        if engine.changed or (agenda and agenda[0][0] <= now):
            engine.run()
        sent = False
        for driver in engine.site.drivers.values():
            if driver.node.has_output and driver not in engine.mute:
                now = engine.wall() if engine.is_slow else time.monotonic_ns() - engine.epoch
                engine.last = max(now, engine.last)
                driver.flush(engine.last)
                sent = True
        if sent:
            engine.flush_wires()
        if self._has_news():
            deadline = 0
        while True:
            ready = self._poll(deadline)
            engine.run()
            if self._has_news() or ready:
                return ready
            if deadline is not None and time.monotonic_ns() >= deadline:
                return ready

    def _poll(self, deadline: int | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait until something is readable, the agenda is due, or the deadline has come."""
        engine = self._engine
        due = engine.next_due()
        wake = deadline if due is None else engine.alarm(due)
        if deadline is not None and wake is not None and deadline < wake:
            wake = deadline
        if wake is None:
            block = -1
        elif wake <= time.monotonic_ns():
            block = 0
        else:
            self._timer.arm(wake)
            block = -1
        ready = []
        for descriptor, mask in kernels_epoll_poll(self._epoll, block, _MAX_EVENTS):
            reader = engine.readers.get(descriptor)
            if reader is not None:
                reader()
            elif descriptor in self._keys:
                key = self._keys[descriptor]
                # As in the standard library: an error shows as both readable and writable.
                events = 0
                if mask & ~select.EPOLLIN:
                    events |= selectors.EVENT_WRITE
                if mask & ~select.EPOLLOUT:
                    events |= selectors.EVENT_READ
                if events & key.events:
                    ready.append((key, events & key.events))
            elif descriptor == self._timer.descriptor:
                self._timer.expired()
            elif descriptor in self._writers:
                self._continue_writing(descriptor)
        return ready

    def _watch(self, descriptor: int) -> None:
        self._wires.add(descriptor)
        self._epoll.register(descriptor, select.EPOLLIN)

    def _forget(self, descriptor: int) -> None:
        # A process that a program has forked may hold a copy, so closing it is not enough.
        if descriptor in self._wires or descriptor in self._writers:
            self._epoll.unregister(descriptor)
            self._wires.discard(descriptor)
            self._writers.pop(descriptor, None)

    def _wait_writable(self, sender: WireSender) -> None:
        if sender.descriptor not in self._writers:
            self._writers[sender.descriptor] = sender
            self._epoll.register(sender.descriptor, select.EPOLLOUT)

    def _continue_writing(self, descriptor: int) -> None:
        sender = self._writers[descriptor]
        sender.flush()
        if not sender.blocked:
            del self._writers[descriptor]
            self._epoll.unregister(descriptor)

    # What asyncio asks of a selector

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        descriptor = _descriptor(fileobj)
        if descriptor in self._keys:
            raise KeyError(f"{fileobj!r} (FD {descriptor}) is already registered")
        key = selectors.SelectorKey(fileobj, descriptor, events, data)
        self._epoll.register(descriptor, _epoll_mask(events))
        self._keys[descriptor] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        del self._keys[key.fd]
        try:
            self._epoll.unregister(key.fd)
        except OSError:
            # Closed before it was unregistered: epoll has forgotten it by itself.
            return key
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        if events != key.events:
            self._epoll.modify(key.fd, _epoll_mask(events))
        key = self._keys[key.fd] = selectors.SelectorKey(fileobj, key.fd, events, data)
        return key

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """The key of a registered file; KeyError when it is not."""
        key: selectors.SelectorKey | None = self._keys.get(fileobj)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """What asyncio has registered, by descriptor."""
        return self._keys

    def close(self) -> None:
        """Give the descriptors back."""
        self._epoll.close()
        self._timer.close()
        self._keys.clear()


class NodeLoop(HostLoopMixin, asyncio.SelectorEventLoop):
    """Of a computer or router: programs on it have the node's network."""

    def __init__(self, engine: Engine, node: str) -> None:
        self._engine = engine
        self._node = node
        self._thread = threading.get_ident()
        self._pace = float(engine.clock.speed)
        """Seconds of the network in one of the machine."""
        self._dispatching = False
        self.is_paused = False
        """Programs hear nothing of their sockets."""
        selector = SiteSelector(engine, self._has_news, speed=self._pace)
        super().__init__(selector)

    def network_now(self) -> int:
        return self._engine.program_time()

    # What the sockets of its programs ask of it, see `netsim.sockets.machine`

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        if threading.get_ident() == self._thread:
            return function(*args)
        return thread_calls.call(self, function, *args)

    def wait(self, wait: Wait) -> bool:
        if threading.get_ident() == self._thread:
            return super().wait(wait)
        timeout = wait.timeout_ns
        return thread_calls.wait(
            self, wait, None if timeout is None else timeout / SECOND / self._pace
        )

    def transmit_now(self) -> None:
        self._engine.transmit_now(self._node)

    def close_sockets(self) -> None:
        """As a kernel does when the process ends that has them; who waits in a thread is woken."""
        self._owners.clear()
        self.host.close_sockets(self.network_now())
        end_of(self)
        self.transmit_now()

    def _has_news(self) -> bool:
        if not self.host.ready or self.is_paused:
            return False
        if not self._dispatching:
            self._dispatching = True
            self.call_soon(self._dispatch)
        return True

    def _dispatch(self) -> None:
        self._dispatching = False
        if not self.is_paused:
            self.dispatch_ready()


class SlowNodeLoop(NodeLoop):
    """In slow motion programs are as slow as the network's time."""

    def time(self) -> float:
        """As `time.monotonic`, at the pace of the network's time."""
        return time.monotonic() * self._pace


class _Keys(dict[int, selectors.SelectorKey]):
    """By descriptor; `get` takes a file as well, as asyncio asks from Python 3.13 on."""

    def get(self, fileobj: Any, default: Any = None) -> Any:
        try:
            return super().get(_descriptor(fileobj), default)
        except ValueError:  # closed: it is known by itself
            return next((key for key in self.values() if key.fileobj is fileobj), default)


def _descriptor(fileobj: Any) -> int:
    descriptor = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
    if descriptor < 0:
        raise ValueError(f"{fileobj!r} has no descriptor")
    return descriptor


def _epoll_mask(events: int) -> int:
    mask = 0
    if events & selectors.EVENT_READ:
        mask |= select.EPOLLIN
    if events & selectors.EVENT_WRITE:
        mask |= select.EPOLLOUT
    return mask
