"""Messages between the supervisor and a node process: pickled, each behind its length.

Both ends are our own processes on a socketpair that nobody else has, which is what makes pickle
safe here. Neither end ever blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Final

_LENGTH = struct.Struct("!I")
_READ_SIZE: Final = 1 << 16


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
        self._inbound = bytearray()
        self._outbound = bytearray()
        self._drained: list[asyncio.Future[None]] = []
        self._thread = threading.get_ident()
        self.closed = False
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._readable)

    def send(self, message: Any) -> None:
        """Send a message, from any thread; without effect once the other end is gone."""
        if self.closed:
            return
        if threading.get_ident() != self._thread:
            # Programs log from threads, too. A loop that has ended sends nothing any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.send, message)
            return
        body = pickle.dumps(message, 5)
        was_idle = not self._outbound
        self._outbound += _LENGTH.pack(len(body)) + body
        if was_idle:
            self._writable()
            if self._outbound:
                self._loop.add_writer(self._sock.fileno(), self._writable)

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
        self._wake()

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.close()
            self._on_closed()
            return
        buffer = self._inbound
        buffer += data
        while len(buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
            if len(buffer) < end:
                return
            message = pickle.loads(buffer[_LENGTH.size : end])  # noqa: S301
            del buffer[:end]
            self._on_message(message)
            if self.closed:
                return

    def _writable(self) -> None:
        try:
            written = self._sock.send(self._outbound)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # The reading side reports the end, after what the other end still had to say.
            written = len(self._outbound)
        del self._outbound[:written]
        if not self._outbound:
            self._loop.remove_writer(self._sock.fileno())
            self._wake()

    def _wake(self) -> None:
        for waiter in self._drained:
            if not waiter.done():
                waiter.set_result(None)
        self._drained.clear()
