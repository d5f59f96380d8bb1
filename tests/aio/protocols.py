"""Protocols for tests of transports: they note what happens to them."""

from __future__ import annotations

import asyncio
from typing import Any


class Recorder(asyncio.Protocol):
    """Keeps what it is told. `lost` is done with the exception that ended the connection."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = bytearray()
        self.eof = False
        self.happened: list[str] = []
        self.changed = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._happens("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._happens("data")

    def eof_received(self) -> bool | None:
        self.eof = True
        self._happens("eof")
        return None

    def pause_writing(self) -> None:
        self._happens("pause")

    def resume_writing(self) -> None:
        self._happens("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self._happens("lost")
        self.lost.set_result(exc)

    async def until(self, event: str) -> None:
        """Wait until `event` has happened."""
        while event not in self.happened:
            self.changed.clear()
            await self.changed.wait()

    async def receive(self, size: int) -> bytes:
        """Wait until so many bytes have come."""
        while len(self.received) < size:
            self.changed.clear()
            await self.changed.wait()
        return bytes(self.received)

    def _happens(self, event: str) -> None:
        if not self.happened or self.happened[-1] != event:
            self.happened.append(event)
        self.changed.set()


class HalfOpenRecorder(Recorder):
    """Stays open when the peer has ended."""

    def eof_received(self) -> bool | None:
        super().eof_received()
        return True


class BufferedRecorder(asyncio.BufferedProtocol):
    """Has data written into its own buffer of 100 bytes."""

    def __init__(self) -> None:
        self.buffer = bytearray(100)
        self.received = b""
        self.largest = 0
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.largest = max(self.largest, nbytes)
        self.received += self.buffer[:nbytes]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


async def listen(loop: asyncio.AbstractEventLoop, factory: Any, port: int = 80) -> list[Any]:
    """Serve; the list fills with the protocols of the connections that come."""
    made: list[Any] = []

    def make() -> Any:
        made.append(factory())
        return made[-1]

    await loop.create_server(make, port=port)
    return made
