"""One side of a connection that is relayed between the real network and the simulated one.

Each side stops the other one when it cannot take more (back-pressure), ends it half when it has
ended (FIN), and resets it when it was reset.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on with no time: closing sends a RST, also where the process is killed."""
NO_RESET: Final = struct.pack("ii", 0, 0)


class Half(asyncio.Protocol):
    """One side of a relayed connection; `other` is the opposite one once it exists."""

    transport: asyncio.Transport
    other: Half | None = None
    _ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def relay(self, data: bytes) -> None:
        assert self.other is not None, "nothing is read before the other side is connected"
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        self._ended = True
        assert self.other is not None, "nothing is read before the other side is connected"
        self.other.end()
        # Stay open for the opposite direction, unless that has ended, too.
        return not self.other._ended

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        # Let go of it: else both, with all that is buffered, wait for the cycle collector.
        other, self.other = self.other, None
        if other is None:
            return
        if exc is None:
            other.close()
        else:
            other.reset()

    def end(self) -> None:
        """Nothing more will be written: a FIN."""
        if not self.transport.is_closing():
            self.transport.write_eof()

    def close(self) -> None:
        """End it, when all has been written."""
        self.transport.close()

    def reset(self) -> None:
        """End this side with a RST."""
        self.linger(RESET)
        self.transport.abort()

    def linger(self, value: bytes) -> None:
        """What closing will do: RESET or NO_RESET."""
        sock = self.transport.get_extra_info("socket")
        # A Unix socket has no such thing.
        if not self.transport.is_closing() and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)
