"""One end of a TCP connection over which bytes flow one way, as fast as it takes them.

`transfer` sends a number of bytes this way, and `iperf` sends for a while. When the receiver has
all it says so with one byte of its own, by which the sender knows that every byte has arrived.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from netsim.aio.loop import HostLoopMixin
from netsim.stack.tcp.view import ConnectionView
from netsim.wire.address import parse_ip

_CHUNK: Final = bytes(65_536)
_ALL_ARRIVED: Final = b"\x06"


class ByteFlow(asyncio.Protocol):
    """Sends, or counts what comes. It fails with an OSError, or with None at an end too early."""

    def __init__(self, loop: HostLoopMixin) -> None:
        self.loop = loop
        self.received = 0
        self.all_arrived: asyncio.Future[None] = loop.create_future()
        """At the sender: the receiver has everything. ConnectionError, or what has ended it."""
        self.all_arrived.add_done_callback(_look_at)
        self.transport: asyncio.Transport
        self._written = 0
        self._left: int | None = 0
        """Bytes that are still to be written; None for ever more."""
        self._is_full = False

    # Sending

    def send(self, size: int | None) -> None:
        """Begin to send so many bytes, or until `finish`."""
        self._left = size
        # Whatever the connection does not take at once holds up the program.
        self.transport.set_write_buffer_limits(0)
        self._fill()

    def finish(self) -> None:
        """Send no more; `all_arrived` follows when all of it has."""
        self._left = 0
        if not self.transport.is_closing():
            self.transport.write_eof()

    @property
    def sent(self) -> int:
        """Bytes that TCP has taken from the program."""
        return self._written - self.transport.get_write_buffer_size()

    def connection(self) -> ConnectionView | None:
        """What TCP knows of it; None when it is over."""
        local, remote = map(self.transport.get_extra_info, ("sockname", "peername"))
        ends = [(parse_ip(address), port) for address, port in (local, remote)]
        for view in self.loop.host.tcp.connections():
            if [view.local, view.remote] == ends:
                return view
        return None

    def _fill(self) -> None:
        while self._left != 0 and not (self._is_full or self.transport.is_closing()):
            chunk = _CHUNK if self._left is None else _CHUNK[: self._left]
            self._written += len(chunk)
            if self._left is not None:
                self._left -= len(chunk)
            self.transport.write(chunk)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._fill()

    # Receiving

    def confirm(self) -> None:
        """Everything is here: tell the sender."""
        self.transport.write(_ALL_ARRIVED)

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._written and data == _ALL_ARRIVED:
            if not self.all_arrived.done():
                self.all_arrived.set_result(None)
        else:
            self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.all_arrived.done():
            self.all_arrived.set_exception(exc or ConnectionError())


def reason(error: BaseException | None) -> str:
    """Why a flow has ended, for a person to read."""
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else "the other end has closed the connection"


def _look_at(future: asyncio.Future[None]) -> None:
    """Its failure may interest nobody, which is no mistake."""
    if not future.cancelled():
        future.exception()
