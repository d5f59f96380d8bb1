"""`ping`, with the options and the output of iputils."""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netsim.aio.probes import EchoEndpoint
from netsim.stack.errors import MessageTooLongError, NoRouteError, SocketError
from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.icmp import EchoReply
from netsim.tools.arguments import ToolParser, seconds, whole
from netsim.tools.context import Context, is_numeric
from netsim.tools.ping_report import Failure, Reply, Report, failure_text, reply_line, route_text
from netsim.wire import icmp, ipv4_options
from netsim.wire.address import IpAddress

SHORTEST_INTERVAL: Final = 0.002
"""Seconds; what iputils allows an ordinary user."""
LARGEST_DATA: Final = 65_507
_RECORD_ROUTE: Final = ipv4_options.record_route(ipv4_options.MAX_ROUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; times in seconds."""

    host: str
    count: int | None
    interval: float
    data_bytes: int
    linger: float
    deadline: float | None
    ttl: int
    quiet: bool
    numeric: bool
    discovery: PathMtuDiscovery
    ip_options: bytes


async def ping(argv: Sequence[str], context: Context) -> int:
    """Exit code 0 with a reply (with `-w` and `-c`: as many as asked for), 1 without, 2 usage."""
    options = _parse(argv, context)
    try:
        address = await context.resolve(options.host)
    except socket.gaierror as error:
        context.print_error(f"ping: {options.host}: {error.strerror}")
        return 2
    report = Report(options.host, address, options.data_bytes, len(options.ip_options))
    if not context.json:
        context.print_line(report.heading())
    endpoint = context.loop.open_echo(context.wall_clock)
    try:
        run = _Run(options, report, endpoint, context)
        await context.until_interrupted(run.exchange())
    except NoRouteError as error:
        context.print_error(f"ping: connect: {os.strerror(error.errno)}")
        return 2
    finally:
        endpoint.close()
    if context.json:
        context.print_line(json.dumps(report.document(), indent=2))
    else:
        for line in report.statistics():
            context.print_line(line)
    wanted = (options.count or 1) if options.deadline is not None else 1
    return 0 if report.received >= wanted else 1


@dataclass(slots=True)
class _Request:
    """One that is on its way or answered."""

    left_at: int = 0
    wall_at: int = 0
    is_answered: bool = False


class _Run:
    """Requests out, answers in."""

    def __init__(
        self, options: Options, report: Report, endpoint: EchoEndpoint, context: Context
    ) -> None:
        self._options = options
        self._report = report
        self._endpoint = endpoint
        self._context = context
        self._requests: dict[int, _Request] = {}
        size = options.data_bytes
        self._data = (bytes(range(256)) * (size // 256 + 1))[:size]

    async def exchange(self) -> int:
        """Until as many answers are in as were asked for, or time is up."""
        options = self._options
        loop = self._context.loop
        send_at = loop.time()
        end_at = math.inf if options.deadline is None else send_at + options.deadline
        while not self._is_complete() and (now := loop.time()) < end_at:
            is_due = now >= send_at
            if is_due:
                send_at = max(send_at + options.interval, now)
                if self._report.transmitted + 1 == options.count and options.deadline is None:
                    send_at = math.inf
                    end_at = now + self._linger()
            try:
                async with asyncio.timeout_at(min(send_at, end_at)):
                    # Nothing else happens between a look at the clock and the end of the tick,
                    # when the request leaves: it would count as round-trip time.
                    if is_due:
                        self._send()
                    message = await self._endpoint.receive()
                    seen_at = self._endpoint.woken_at
            except TimeoutError:
                continue
            if isinstance(message, EchoReply):
                self._note_reply(message, seen_at)
            else:
                text = failure_text(message.message)
                self._note_failure(message.sequence, message.source, text, message.now)
        return 0

    def _is_complete(self) -> bool:
        options, report = self._options, self._report
        if options.deadline is not None and report.failures:
            return True
        return options.count is not None and (
            report.received + len(report.failures) >= options.count
        )

    def _linger(self) -> float:
        """How long to wait after the last request: two round trips once there was an answer."""
        if not self._report.received:
            return self._options.linger
        return max(2 * self._report.longest_rtt_ns / 1e9, self._options.interval)

    def _send(self) -> None:
        report = self._report
        report.transmitted += 1
        sequence = report.transmitted & 0xFFFF
        request = self._requests[sequence] = _Request()
        request.wall_at = self._context.wall_clock()
        try:
            left_at = self._endpoint.send(
                report.address,
                sequence,
                self._data,
                ttl=self._options.ttl,
                discovery=self._options.discovery,
                options=self._options.ip_options,
            )
        except SocketError as error:
            del self._requests[sequence]
            if isinstance(error, NoRouteError) and report.transmitted == 1:
                raise
            left_at = self._context.loop.network_now()
            self._note_failure(sequence, None, self._local_error(error), left_at)
        request.left_at = report.ended = left_at
        if report.transmitted == 1:
            report.started = left_at

    def _local_error(self, error: SocketError) -> str:
        if isinstance(error, MessageTooLongError):
            mtu = self._context.host.ip.mtu_to(self._report.address)
            return f"ping: local error: message too long, mtu={mtu}"
        return f"ping: sendmsg: {os.strerror(error.errno)}"

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
            route=tuple(ipv4_options.recorded_route(message.options)),
        )
        before = self._report.replies[-1].route if self._report.replies else ()
        self._report.duplicates += request.is_answered
        request.is_answered = True
        self._report.replies.append(reply)
        self._report.ended = max(self._report.ended, message.now)
        route = route_text(reply.route, before, self._shown)
        self._print(reply_line(reply, self._shown(reply.source)) + route)

    def _note_failure(self, sequence: int, source: IpAddress | None, text: str, now: int) -> None:
        self._report.failures.append(Failure(sequence, source, text))
        self._report.ended = max(self._report.ended, now)
        if source is not None:
            self._print(f"From {self._shown(source)} icmp_seq={sequence} {text}")
        elif not self._context.json:
            self._context.print_error(text)

    def _shown(self, address: IpAddress) -> str:
        return self._context.show_address(address, numeric=self._options.numeric)

    def _print(self, line: str) -> None:
        if not self._options.quiet and not self._context.json:
            self._context.print_line(line)


def _parse(argv: Sequence[str], context: Context) -> Options:
    parser = ToolParser(context, "ping")
    parser.add_argument("-4", action="store_true", help="IPv4, which is all there is")
    parser.add_argument("-c", metavar="COUNT", type=whole(1, 2**31), help="stop after so many")
    parser.add_argument(
        "-i", metavar="INTERVAL", type=seconds(SHORTEST_INTERVAL), default=1.0, help="seconds"
    )
    parser.add_argument(
        "-M",
        metavar="HOW",
        choices=[each.value for each in PathMtuDiscovery],
        default=PathMtuDiscovery.WANT.value,
        help="path MTU discovery: do (never fragment), want, dont, probe",
    )
    parser.add_argument("-n", action="store_true", help="no names, only addresses")
    parser.add_argument("-q", action="store_true", help="only the statistics")
    parser.add_argument("-R", action="store_true", help="record the route, nine addresses of it")
    parser.add_argument(
        "-s", metavar="SIZE", type=whole(0, LARGEST_DATA), default=56, help="bytes of data"
    )
    parser.add_argument("-t", metavar="TTL", type=whole(1, 255), default=64, help="time to live")
    parser.add_argument("-w", metavar="DEADLINE", type=seconds(), help="end after so many seconds")
    parser.add_argument(
        "-W",
        metavar="TIMEOUT",
        type=seconds(),
        default=10.0,
        help="seconds to wait for a first answer",
    )
    parser.add_argument("host")
    found = parser.parse_args(list(argv))
    return Options(
        host=found.host,
        count=found.c,
        interval=found.i,
        data_bytes=found.s,
        linger=found.W,
        deadline=found.w,
        ttl=found.t,
        quiet=found.q,
        numeric=found.n or is_numeric(found.host),
        discovery=PathMtuDiscovery(found.M),
        ip_options=_RECORD_ROUTE if found.R else b"",
    )
