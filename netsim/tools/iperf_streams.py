"""One end of `iperf`: its streams over TCP or UDP, and what each of them has counted."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Any, Final

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import IperfFailedError
from netsim.core.time import SECOND
from netsim.tools.byte_flow import ByteFlow, reason

_QUIET: Final = 1.0
"""Seconds without a datagram after which those that are missing are lost."""
_HEADER: Final = struct.Struct(">QI")
"""Of a datagram: the network time at which it was sent in ns, and its number from 1 on."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOrder:
    """What one end does."""

    sends: bool
    streams: int
    duration_ns: int
    interval_ns: int
    is_udp: bool
    bitrate_bps: int = 0
    """Of each stream, headers not counted. Of UDP only."""
    length: int = 0
    """Bytes of a datagram."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a stream has counted since the beginning, at one of its ends."""

    octets: int = 0
    retransmissions: int = 0
    """Of a sender over TCP, as what follows."""
    congestion_window: int = 0
    smoothed_rtt_ns: int = 0
    rtt_variation_ns: int = 0
    packets: int = 0
    """Datagrams that were sent; at a receiver those that are known to have been."""
    lost: int = 0
    jitter_ns: float = 0.0
    """RFC 3550 (6.4.1), in ns."""
    out_of_order: int = 0


Counts = tuple[int, tuple[Counted, ...]]
"""When, in ns of network time since the beginning, and what each stream had counted then."""


class End:
    """One end of all streams."""

    def __init__(self, loop: HostLoopMixin, order: EndOrder) -> None:
        self.loop = loop
        self.order = order
        self.flows: list[TcpStream | UdpStream] = []
        self.server: Any = None
        self.began_at = 0
        self.counts: list[Counts] = []
        self.changed = asyncio.Event()
        self.failure: IperfFailedError | None = None
        self.is_over = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, at: int) -> None:
        self.began_at = at
        self._call_at(at, self._start)

    def _start(self) -> None:
        for flow in self.flows:
            if self.order.sends:
                flow.send(None)
        self._await_interval()

    def _await_interval(self) -> None:
        due = min((len(self.counts) + 1) * self.order.interval_ns, self.order.duration_ns)
        self._call_at(self.began_at + due, self._end_interval, due)

    def _end_interval(self, due: int) -> None:
        self._count()
        if due >= self.order.duration_ns:
            self._end()
        else:
            self._await_interval()

    def _count(self) -> None:
        since = self.loop.network_now() - self.began_at
        self.counts.append((since, tuple(map(self.counted, self.flows))))
        self.changed.set()

    def counted(self, flow: TcpStream | UdpStream) -> Counted:
        if isinstance(flow, UdpStream):
            return flow.counted()
        if not self.order.sends:
            return Counted(flow.received)
        view = flow.connection()
        if view is None:
            return Counted(flow.sent)
        return Counted(
            flow.sent,
            view.retransmissions,
            view.congestion_window,
            view.smoothed_rtt_ns,
            view.rtt_variation_ns,
        )

    def stop(self) -> None:
        """Somebody has interrupted it: the last interval ends now."""
        if not self.is_over:
            self._count()
            self._end()

    def _end(self) -> None:
        """Time is up; what has been sent may still arrive."""
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self.order.sends:
            for flow in self.flows:
                flow.finish()
        self.changed.set()

    def fail(self, error: BaseException | None) -> None:
        """A stream has ended too early, or never began."""
        if self.failure is None:
            self.failure = IperfFailedError(reason(error))
        self.changed.set()

    def close(self) -> None:
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self.server is not None:
            self.server.close()
        for flow in self.flows:
            flow.transport.close()

    def _call_at(self, at: int, function: Any, *arguments: Any) -> None:
        delay = max(0, at - self.loop.network_now()) / SECOND
        self._timer = self.loop.call_later(delay, function, *arguments)


class TcpStream(ByteFlow):
    """A stream over TCP."""

    def __init__(self, end: End) -> None:
        super().__init__(end.loop)
        self._end = end
        self.ended_at = 0
        """When the last byte had arrived, in ns of network time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._end.flows) == self._end.order.streams:
            self.transport.abort()  # a stranger
        else:
            self._end.flows.append(self)
            self._end.changed.set()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.ended_at = self.loop.network_now()

    def eof_received(self) -> bool:
        """Of the sender: it has sent all."""
        if not self._end.order.sends:
            self.confirm()
            if not self.all_arrived.done():
                self.all_arrived.set_result(None)
        return True  # it stays until `close`: its sender's counters are still to be read

    def connection_lost(self, exc: Exception | None) -> None:
        is_early = not self.all_arrived.done()
        super().connection_lost(exc)
        if is_early and self in self._end.flows:
            self._end.fail(exc)


class UdpStream:
    """A stream over UDP."""

    def __init__(self, end: End, transport: asyncio.DatagramTransport, peer: Address | None):
        self.loop = end.loop
        self.transport = transport
        self.opened: asyncio.Future[None] = end.loop.create_future()
        self._end = end
        self._peer = peer
        """Where to, of a socket that is not connected."""
        self._timer: asyncio.TimerHandle | None = None
        order = end.order
        self._gap = max(1, order.length * 8 * SECOND // max(1, order.bitrate_bps))
        self._octets = self._packets = 0
        self.ended_at = 0
        self._highest = self._lost = self._out_of_order = 0
        self._jitter = 0.0
        self._transit: int | None = None
        self._longest_transit = 0

    # Sending

    def ask(self) -> None:
        """A datagram that opens the way, and whose answer shows that it is open."""
        self._send(0, b"")

    def send(self, size: int | None) -> None:
        """Send at the rate that is asked for, until `finish`."""
        order, now = self._end.order, self.loop.network_now()
        body = bytes(order.length - _HEADER.size)
        while (due := self._end.began_at + self._packets * self._gap) <= now:
            if self._end.is_over or due >= self._end.began_at + order.duration_ns:
                return
            self._packets += 1
            self._octets += order.length
            self._send(self._packets, body)
        self._timer = self.loop.call_later((due - now) / SECOND, self.send, size)

    def finish(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self, number: int, body: bytes) -> None:
        self.transport.sendto(_HEADER.pack(self.loop.network_now(), number) + body, self._peer)

    # Receiving

    def received(self, data: bytes) -> None:
        """A datagram of this stream."""
        if len(data) < _HEADER.size:
            return
        now = self.loop.network_now()
        sent_at, number = _HEADER.unpack_from(data)
        if number == 0:
            if self._end.server is not None:
                self._send(0, b"")
            if not self.opened.done():
                self.opened.set_result(None)
            return
        self._octets += len(data)
        self._packets += 1
        self.ended_at = now
        if number > self._highest:
            self._lost += number - self._highest - 1
            self._highest = number
        else:
            self._out_of_order += 1
            self._lost = max(0, self._lost - 1)
        transit = now - sent_at
        self._longest_transit = max(self._longest_transit, transit)
        if self._transit is not None:
            self._jitter += (abs(transit - self._transit) - self._jitter) / 16
        self._transit = transit

    def counted(self) -> Counted:
        if self._end.order.sends:
            return Counted(self._octets, packets=self._packets)
        return Counted(
            self._octets,
            packets=max(self._highest, self._packets),
            lost=self._lost,
            jitter_ns=self._jitter,
            out_of_order=self._out_of_order,
        )

    async def until_all(self, sent: int) -> None:
        """Wait for what is still on its way of `sent` datagrams; the rest is lost."""
        seen = -1
        while seen != self._packets < sent:
            seen = self._packets
            await asyncio.sleep(_QUIET + 2 * self._longest_transit / SECOND)
        self._lost += max(0, sent - self._highest)
        self._highest = max(self._highest, sent)


class ListeningSocket(asyncio.DatagramProtocol):
    """Tells streams apart by where they come from."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._streams: dict[Address, UdpStream] = {}
        self._transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        stream = self._streams.get(addr)
        if stream is None and len(self._end.flows) < self._end.order.streams:
            stream = self._streams[addr] = UdpStream(self._end, self._transport, addr)
            self._end.flows.append(stream)
            self._end.changed.set()
        if stream is not None:
            stream.received(data)


class ConnectedSocket(asyncio.DatagramProtocol):
    """The other end of one stream."""

    def __init__(self, end: End) -> None:
        self._end = end
        self.stream: UdpStream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stream = UdpStream(self._end, transport, None)  # type: ignore[arg-type]
        self._end.flows.append(self.stream)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.stream.received(data)

    def error_received(self, exc: Exception) -> None:
        if not self.stream.opened.done():
            self.stream.opened.set_exception(exc)
        else:
            self._end.fail(exc)
