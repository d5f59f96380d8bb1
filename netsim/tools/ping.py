"""`ping`, with the options and the output of iputils."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netsim.stack.fragmentation import PathMtuDiscovery
from netsim.stack.interface import Interface
from netsim.stack.socket_errors import AddressNotAvailableError, NoRouteError
from netsim.tools.arguments import Refusal, ToolExit, ToolParser, seconds, whole
from netsim.tools.context import Context, is_numeric
from netsim.tools.echo_series import Pings, Series
from netsim.tools.ping_report import Failure, Reply, Report, reply_line, route_text
from netsim.tools.source_address import NoSuchInterfaceError, source_of
from netsim.wire import ipv4_options
from netsim.wire.address import IpAddress, format_ip

SHORTEST_INTERVAL: Final = 0.002
"""Seconds; what iputils allows an ordinary user."""
FLOOD_INTERVAL: Final = 0.01
"""Seconds between the requests of `-f`."""
LARGEST_DATA: Final = 65_507
_RECORD_ROUTE: Final = ipv4_options.record_route(ipv4_options.MAX_ROUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for."""

    host: str
    series: Series
    quiet: bool
    numeric: bool


async def ping(argv: Sequence[str], context: Context) -> int:
    """Exit code 0 with a reply (with `-w` and `-c`: as many as asked for), 1 without, 2 usage."""
    options = _parse(argv, context)
    series = options.series
    try:
        address = await context.resolve(options.host)
    except socket.gaierror as error:
        context.print_error(f"ping: {options.host}: {error.strerror}")
        return 2
    if context.host.ip.is_broadcast(address):
        context.print_error(
            "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules"
        )
        return 2
    report = Report(
        options.host,
        address,
        series.data_bytes,
        len(series.ip_options),
        _sender(series, address, context),
    )
    screen = _Screen(options, report, context)
    if not context.json:
        context.print_line(report.heading())
    pings = Pings(
        series,
        report,
        context.loop,
        wall_clock=context.wall_clock,
        on_reply=screen.show_reply,
        on_failure=screen.show_failure,
    )

    async def exchange() -> int:
        await pings.exchange()
        return 0

    try:
        await context.until_interrupted(exchange())
    except NoRouteError as error:
        context.print_error(f"ping: connect: {os.strerror(error.errno)}")
        return 2
    if context.json:
        context.print_line(json.dumps(report.document(), indent=2))
    else:
        for line in report.statistics():
            context.print_line(line)
    wanted = (series.count or 1) if series.deadline is not None else 1
    return 0 if report.received >= wanted else 1


def _sender(series: Series, address: IpAddress, context: Context) -> str:
    """Behind `from`, in iputils' form; empty where nothing was asked for."""
    if series.source is None:
        return ""
    return f"{format_ip(series.source)} {series.through.name if series.through else ''}"


class _Screen:
    """Prints replies and errors as they come."""

    def __init__(self, options: Options, report: Report, context: Context) -> None:
        self._options = options
        self._report = report
        self._context = context

    def show_reply(self, reply: Reply) -> None:
        before = self._report.replies[-1].route if self._report.replies else ()
        route = route_text(reply.route, before, self._shown)
        self._print(reply_line(reply, self._shown(reply.source)) + route)

    def show_failure(self, failure: Failure) -> None:
        if failure.source is not None:
            source = self._shown(failure.source)
            self._print(f"From {source} icmp_seq={failure.sequence} {failure.text}")
        elif not self._context.json:
            self._context.print_error(f"ping: {failure.text}")

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
        "-i", metavar="INTERVAL", type=seconds(SHORTEST_INTERVAL), help="seconds; 1 by default"
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
    parser.add_argument("-b", action=Refusal, hint="no host answers to a broadcast")
    parser.add_argument("-f", action="store_true", help="flood: a hundred a second, and no lines")
    parser.add_argument("host")
    parser.add_argument("-I", metavar="SOURCE", help="an address of this node, or an interface")
    found = parser.parse_args(list(argv))
    source, through = _source(found.I, context)
    if found.f and found.i is None:
        found.i = FLOOD_INTERVAL
    return Options(
        host=found.host,
        series=Series(
            count=found.c,
            interval=1.0 if found.i is None else found.i,
            data_bytes=found.s,
            linger=found.W,
            deadline=found.w,
            ttl=found.t,
            discovery=PathMtuDiscovery(found.M),
            ip_options=_RECORD_ROUTE if found.R else b"",
            source=source,
            through=through,
        ),
        quiet=found.q or found.f,
        numeric=found.n or is_numeric(found.host),
    )


def _source(written: str | None, context: Context) -> tuple[IpAddress | None, Interface | None]:
    """The address and the interface that -I means; ToolExit where they are not this node's."""
    if written is None:
        return None, None
    try:
        return source_of(context.host, written)
    except AddressNotAvailableError:
        context.print_error("ping: bind: Cannot assign requested address")
    except NoSuchInterfaceError:
        context.print_error(f"ping: SO_BINDTODEVICE {written}: No such device")
    raise ToolExit(2)
