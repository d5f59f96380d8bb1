"""Bytes over one TCP connection, measured at both ends.

The receiver opens a sink (`open_sink`), says its port, and counts (`drain_sink`); the sender sends
(`send_bytes`). Each function runs on its computer; sinks are kept by its loop.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final
from weakref import WeakKeyDictionary

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import TransferFailedError
from netsim.core.time import MILLISECOND, SECOND
from netsim.tools.byte_flow import ByteFlow, reason
from netsim.tools.resolve import computer_loop

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
    untrusted: str = ""
    """Why its times may be those of a busy machine, and not of the network; empty else."""

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


class _SinkConnection(ByteFlow):
    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink.loop)
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._sink.transport is not None:
            self.transport.abort()
        else:
            self._sink.transport = self.transport
            self._sink.note()

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        super().data_received(data)
        sink.received = self.received
        if sink.arrived.done():
            return
        sink.note(is_last=sink.received >= sink.size)
        if sink.arrived.done():
            self.confirm()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        sink = self._sink
        if self.transport is sink.transport and not sink.arrived.done():
            sink.arrived.set_exception(_failed(sink.received, sink.size, "arrived", exc))


_SINKS: Final[WeakKeyDictionary[HostLoopMixin, dict[int, _Sink]]] = WeakKeyDictionary()


# The sender -----------------------------------------------------------------------------------


async def send_bytes(address: str, port: int, size: int) -> Sent:
    """Send `size` bytes to a sink; TransferFailedError."""
    loop = computer_loop()
    started_at = loop.network_now()
    try:
        flow = ByteFlow(loop)
        transport, _ = await loop.create_connection(lambda: flow, address, port)
    except OSError as error:
        raise _failed(0, size, "sent", error) from error
    try:
        flow.send(size)
        await flow.all_arrived
        connection = flow.connection()
        return Sent(started_at, 0 if connection is None else connection.retransmissions)
    except OSError as error:
        raise _failed(flow.sent, size, "sent", error) from error
    finally:
        transport.close()


def _failed(done: int, size: int, what: str, error: Exception | None) -> TransferFailedError:
    return TransferFailedError(f"{done} of {size} bytes {what}: {reason(error)}")
