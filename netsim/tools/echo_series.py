"""Echo requests in a row: what `ping` prints about, and what a measurement is made of."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from netsim.aio.loop import HostLoopMixin
from netsim.aio.probe_endpoints import EchoEndpoint
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.icmp_layer import EchoReply
from netsim.stack.interface import Interface
from netsim.stack.ip_layer import DEFAULT_TTL
from netsim.stack.socket_errors import MessageTooLongError, NoRouteError, SocketError
from netsim.tools.ping_report import Failure, Reply, Report, failure_text
from netsim.wire import icmp, ipv4_options
from netsim.wire.address import IpAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is sent, and how long it is waited for; times in seconds."""

    count: int | None
    """None: until the deadline, or until it is cancelled."""
    interval: float
    data_bytes: int
    linger: float
    """How long an answer to the last request is waited for."""
    deadline: float | None = None
    ttl: int = DEFAULT_TTL
    discovery: PathMtuDiscovery = PathMtuDiscovery.WANT
    ip_options: bytes = b""
    source: IpAddress | None = None
    through: Interface | None = None
    """The only interface that requests may leave by."""
    is_measurement: bool = False
    """Waits for all of `linger`, and goes on without a route, which may come: iputils' ping waits
    for two round trips once there was an answer, and gives up where the first request has no
    route."""


@dataclass(slots=True)
class _Request:
    """One that is on its way or answered."""

    left_at: int = 0
    wall_at: int = 0
    is_answered: bool = False


class Pings:
    """Requests out, answers in; fills `report`.

    `on_reply` and `on_failure` are told of each as it comes. `wall_clock` is that of whoever
    watches, in ns.
    """

    def __init__(
        self,
        series: Series,
        report: Report,
        loop: HostLoopMixin,
        *,
        wall_clock: Callable[[], int],
        on_reply: Callable[[Reply], None] = lambda reply: None,
        on_failure: Callable[[Failure], None] = lambda failure: None,
    ) -> None:
        self._series = series
        self._report = report
        self._loop = loop
        self._wall_clock = wall_clock
        self._on_reply = on_reply
        self._on_failure = on_failure
        self._requests: dict[int, _Request] = {}
        size = series.data_bytes
        self._data = (bytes(range(256)) * (size // 256 + 1))[:size]
        self._endpoint: EchoEndpoint

    async def exchange(self) -> None:
        """Until as many answers are in as were asked for, or time is up.

        NoRouteError when the first request has no route and this is no measurement.
        """
        self._endpoint = self._loop.open_echo(self._wall_clock)
        try:
            await self._exchange()
        finally:
            self._endpoint.close()

    async def _exchange(self) -> None:
        series = self._series
        loop = self._loop
        send_at = loop.time()
        end_at = math.inf if series.deadline is None else send_at + series.deadline
        while not self._is_complete() and (now := loop.time()) < end_at:
            is_due = now >= send_at
            if is_due:
                send_at = max(send_at + series.interval, now)
                if self._report.transmitted + 1 == series.count and series.deadline is None:
                    send_at = math.inf
                    end_at = now + self._linger()
            try:
                async with asyncio.timeout_at(min(send_at, end_at)) as limit:
                    # Nothing else happens between a look at the clock and the end of the tick,
                    # when the request leaves: it would count as round-trip time.
                    if is_due:
                        self._send()
                        if self._is_complete():
                            # It could not be sent: iputils ends when the next one would be due.
                            limit.reschedule(min(end_at, now + series.interval))
                    message = await self._endpoint.receive()
                    seen_at = self._endpoint.woken_at
            except TimeoutError:
                continue
            if isinstance(message, EchoReply):
                self._note_reply(message, seen_at)
            else:
                text = failure_text(message.message)
                self._note_failure(message.sequence, message.source, text, message.now)

    def _is_complete(self) -> bool:
        series, report = self._series, self._report
        if series.deadline is not None and report.failures:
            return True
        return series.count is not None and (report.received + len(report.failures) >= series.count)

    def _linger(self) -> float:
        """How long to wait after the last request: two round trips once there was an answer."""
        if self._series.is_measurement or not self._report.received:
            return self._series.linger
        return max(2 * self._report.longest_rtt_ns / 1e9, self._series.interval)

    def _send(self) -> None:
        report = self._report
        report.transmitted += 1
        sequence = report.transmitted & 0xFFFF
        request = self._requests[sequence] = _Request()
        request.wall_at = self._wall_clock()
        try:
            left_at = self._endpoint.send(
                report.address,
                sequence,
                self._data,
                ttl=self._series.ttl,
                discovery=self._series.discovery,
                options=self._series.ip_options,
                source=self._series.source,
                through=self._series.through,
            )
        except SocketError as error:
            del self._requests[sequence]
            is_first = report.transmitted == 1 and not self._series.is_measurement
            if isinstance(error, NoRouteError) and is_first:
                raise
            left_at = self._loop.network_now()
            self._note_failure(sequence, None, self._local_error(error), left_at)
        request.left_at = report.ended = left_at
        if report.transmitted == 1:
            report.started = left_at

    def _local_error(self, error: SocketError) -> str:
        if isinstance(error, MessageTooLongError):
            mtu = self._loop.host.ip.mtu_to(self._report.address)
            return f"local error: message too long, mtu={mtu}"
        return f"sendmsg: {os.strerror(error.errno)}"

    def _note_reply(self, message: EchoReply, seen_at: int) -> None:
        request = self._requests.get(message.sequence)
        if request is None:
            return
        reply = Reply(
            sequence=message.sequence,
            source=message.source,
            ttl=message.ttl,
            size=icmp.HEADER_LENGTH + len(message.data),
            rtt_ns=message.now - request.left_at,
            wall_rtt_ns=seen_at - request.wall_at,
            is_duplicate=request.is_answered,
            arrived_at=message.now,
            route=tuple(ipv4_options.recorded_route(message.options)),
        )
        self._report.duplicates += request.is_answered
        request.is_answered = True
        self._report.ended = max(self._report.ended, message.now)
        self._on_reply(reply)
        self._report.replies.append(reply)

    def _note_failure(self, sequence: int, source: IpAddress | None, text: str, now: int) -> None:
        failure = Failure(sequence, source, text)
        self._report.failures.append(failure)
        self._report.ended = max(self._report.ended, now)
        self._on_failure(failure)
