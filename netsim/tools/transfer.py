"""Bytes over one TCP connection, measured at both ends.

The receiver opens a sink (`open_sink`), says its port, and counts (`drain_sink`); the sender sends
(`send_bytes`). When the last byte is here the sink answers with one of its own, by which the sender
knows that all have arrived. Each function runs on its computer; sinks are kept by its loop.
"""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final
from weakref import WeakKeyDictionary

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import TransferFailedError
from netsim.core.time import MILLISECOND, SECOND
from netsim.tools.resolve import computer_loop
from netsim.wire.address import parse_ip

_CHUNK: Final = bytes(65_536)
_DONE: Final = b"\x06"
_MARKS: Final = 200
_FINEST: Final = MILLISECOND
"""Between two marks of a transfer's progress, at first."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes that have arrived, all of them. Times are network time in ns."""

    size: int
    """Bytes."""
    elapsed_ns: int
    """From the first SYN at the sender to the last byte at the receiver."""
    retransmissions: int
    """Segments that were sent again."""
    progress: tuple[tuple[int, int], ...] = ()
    """Network times, at most 200, each with the bytes that had arrived then; the first has none."""

    def rates(self, most: int = 50) -> list[tuple[int, float]]:
        """The goodput in bit/s of at most so many equal intervals, with the time each ends at.

        An interval has four marks of the progress or more, but for one of the whole.
        """
        if not self.progress:
            return []
        (start, _), (end, _) = self.progress[0], self.progress[-1]
        intervals = max(1, min(most, len(self.progress) // 4))
        if end == start:
            return [(end, self.goodput_bps)]
        times = [start + (end - start) * number // intervals for number in range(intervals + 1)]
        arrived = [0] * len(times)
        for at, octets in self.progress:
            arrived[bisect_left(times, at)] = octets
        arrived = list(accumulate(arrived, max))
        return [
            (later, (more - fewer) * 8 * SECOND / (later - earlier))
            for (earlier, later), (fewer, more) in zip(
                pairwise(times), pairwise(arrived), strict=True
            )
        ]

    @property
    def goodput_bps(self) -> float:
        """bit/s of what was sent, without headers; infinite where it took no time."""
        return self.size * 8 * SECOND / self.elapsed_ns if self.elapsed_ns else float("inf")


@dataclass(frozen=True, slots=True)
class Sent:
    """The sender's side."""

    started_at: int
    retransmissions: int


# The receiver ---------------------------------------------------------------------------------


async def open_sink(size: int) -> int:
    """Listen for one connection that brings `size` bytes; the port."""
    loop = computer_loop()
    sink = _Sink(loop, size)
    sink.server = await loop.create_server(lambda: sink.connection(), None, 0)
    port = int(sink.server.sockets[0].getsockname()[1])
    _SINKS.setdefault(loop, {})[port] = sink
    return port


async def drain_sink(port: int) -> tuple[tuple[int, int], ...]:
    """`Transfer.progress`, up to the last byte; TransferFailedError."""
    return await _SINKS[computer_loop()][port].arrived


async def received_bytes(port: int) -> int:
    """How many bytes have arrived so far."""
    return _SINKS[computer_loop()][port].received


async def close_sink(port: int) -> None:
    """Listen no more, and end its connection. A sink that is not there is closed already."""
    sink = _SINKS.get(computer_loop(), {}).pop(port, None)
    if sink is not None:
        sink.close()


class _Sink:
    def __init__(self, loop: HostLoopMixin, size: int) -> None:
        self.loop = loop
        self.size = size
        self.received = 0
        self.server: Any = None
        self.arrived: asyncio.Future[tuple[tuple[int, int], ...]] = loop.create_future()
        self._progress: list[tuple[int, int]] = []
        self._resolution = _FINEST
        self.transport: asyncio.Transport | None = None

    def connection(self) -> asyncio.Protocol:
        return _SinkConnection(self)

    def note(self, *, is_last: bool = False) -> None:
        """Keep how much has arrived by now; of very many times every other one."""
        now, progress = self.loop.network_now(), self._progress
        if is_last or not progress or now - progress[-1][0] >= self._resolution:
            progress.append((now, self.received))
        if is_last:
            self.arrived.set_result(tuple(progress))
        elif len(progress) == _MARKS:
            del progress[1::2]
            self._resolution *= 2

    def close(self) -> None:
        self.server.close()
        if self.transport is not None:
            self.transport.close()
        self.arrived.cancel()


class _SinkConnection(asyncio.Protocol):
    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._sink.transport is not None:
            transport.abort()
        else:
            self._sink.transport = transport
            self._sink.note()

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        sink.received += len(data)
        if sink.arrived.done():
            return
        sink.note(is_last=sink.received >= sink.size)
        if sink.arrived.done():
            self._transport.write(_DONE)

    def connection_lost(self, exc: Exception | None) -> None:
        sink = self._sink
        if self._transport is sink.transport and not sink.arrived.done():
            sink.arrived.set_exception(_failed(sink.received, sink.size, "arrived", exc))


_SINKS: Final[WeakKeyDictionary[HostLoopMixin, dict[int, _Sink]]] = WeakKeyDictionary()


# The sender -----------------------------------------------------------------------------------


async def send_bytes(address: str, port: int, size: int) -> Sent:
    """Send `size` bytes to a sink; TransferFailedError."""
    loop = computer_loop()
    started_at = loop.network_now()
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        raise _failed(0, size, "sent", error) from error
    written = 0
    try:
        local = writer.get_extra_info("sockname")
        while written < size:
            chunk = _CHUNK[: size - written]
            writer.write(chunk)
            written += len(chunk)
            await writer.drain()
        if await reader.read(1) != _DONE:
            raise _failed(written, size, "sent", None)
        return Sent(started_at, _retransmissions(loop, local, (address, port)))
    except OSError as error:
        raise _failed(written, size, "sent", error) from error
    finally:
        writer.close()


def _retransmissions(loop: HostLoopMixin, local: tuple[str, int], remote: tuple[str, int]) -> int:
    ends = [(parse_ip(address), port) for address, port in (local, remote)]
    return sum(
        view.retransmissions
        for view in loop.host.tcp.connections()
        if [view.local, view.remote] == ends
    )


def _failed(done: int, size: int, what: str, error: Exception | None) -> TransferFailedError:
    number = getattr(error, "errno", None)
    reason = os.strerror(number).lower() if number else "the other end has closed the connection"
    return TransferFailedError(f"{done} of {size} bytes {what}: {reason}")
