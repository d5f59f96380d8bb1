"""An end, on an event loop, of a channel between two processes of one network.

Messages are those of `netsim.site.messages`. It never blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from netsim.realtime.encoding import Inbox, encode, in_parts

_MUCH: Final = 1 << 20
"""Bytes."""
_TOO_MUCH: Final = 64 << 20
"""Bytes that only an end which reads no more leaves unread."""
_MANY: Final = 1000
"""Messages."""


class Channel:
    """One end, made in the thread of the loop.

    `on_message` gets each message; `on_closed` is called once, at end of file.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[Any], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._on_message = on_message
        self._on_closed = on_closed
        self._inbox = Inbox(sock)
        self._outbound = bytearray()
        self._written = 0
        """Bytes that have left `_outbound`."""
        self._attached: deque[tuple[int, Sequence[int]]] = deque()
        """Descriptors that go with the byte of that number."""
        self._posted: deque[tuple[Any, Sequence[int]]] = deque()
        """What other threads have sent and the loop has not looked at."""
        self._drained: list[asyncio.Future[None]] = []
        self._thread = threading.get_ident()
        self.closed = False
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._readable)

    @property
    def congested(self) -> bool:
        """So much waits to be sent that what may be lost should be."""
        return len(self._outbound) > _MUCH or len(self._posted) > _MANY

    @property
    def full(self) -> bool:
        """So much waits to be sent that nothing should be added that somebody waits for."""
        return len(self._outbound) > _TOO_MUCH

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Send a message, from any thread; without effect once the other end is gone.

        `descriptors` are closed here once they have left; the other end takes them with
        `take_descriptor` as it hears the message.
        """
        if self.closed:
            _close_all(descriptors)
            return
        if threading.get_ident() != self._thread:
            # Programs log from threads, too. A loop that has ended sends nothing any more.
            self._posted.append((message, descriptors))
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._send_posted)
            return
        was_idle = not self._outbound
        first = self._written + len(self._outbound)
        self._attached.extend(enumerate(in_parts(descriptors), first))
        self._outbound += encode(message)
        if was_idle:
            self._writable()
            if self._outbound:
                self._loop.add_writer(self._sock.fileno(), self._writable)

    def _send_posted(self) -> None:
        self.send(*self._posted.popleft())

    def take_descriptor(self) -> int:
        """The first of those received that nobody has taken yet."""
        return self._inbox.descriptors.popleft()

    async def drain(self) -> None:
        """Wait until everything has been written, or the other end is gone."""
        if self._outbound and not self.closed:
            waiter = self._loop.create_future()
            self._drained.append(waiter)
            await waiter

    def close(self) -> None:
        """Close this end; `on_closed` is not called."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        self._let_go()
        _close_all(self._inbox.descriptors)
        self._inbox.descriptors.clear()
        self._wake()

    def _readable(self) -> None:
        try:
            is_open = self._inbox.read()
        except BlockingIOError:
            return
        if not is_open:
            self.close()
            self._on_closed()
            return
        for message in self._inbox.messages():
            self._on_message(message)
            if self.closed:
                return

    def _writable(self) -> None:
        try:
            # To the end: a part of it may leave by itself, with its descriptors.
            while self._outbound:
                written = self._write()
                self._written += written
                del self._outbound[:written]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # The reading side reports the end, after what the other end still had to say.
            self._written += len(self._outbound)
            self._outbound.clear()
            self._let_go()
        self._loop.remove_writer(self._sock.fileno())
        self._wake()

    def _write(self) -> int:
        """Write up to the next byte that descriptors go with; how much was written."""
        attached = self._attached
        if not attached:
            return self._sock.send(self._outbound)
        before = attached[0][0] - self._written
        if before > 0:
            return self._sock.send(self._outbound[:before])
        end = attached[1][0] - self._written if len(attached) > 1 else len(self._outbound)
        descriptors = attached[0][1]
        written = socket.send_fds(self._sock, [self._outbound[:end]], descriptors)
        attached.popleft()
        _close_all(descriptors)
        return written

    def _let_go(self) -> None:
        while self._attached:
            _close_all(self._attached.popleft()[1])

    def _wake(self) -> None:
        for waiter in self._drained:
            if not waiter.done():
                waiter.set_result(None)
        self._drained.clear()


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
