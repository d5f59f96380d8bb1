"""`iperf3` at a node: the words of its command, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsim.core.errors import NetsimError
from netsim.network.iperf_run import (
    LONGEST,
    LONGEST_DATAGRAM,
    MOST_STREAMS,
    SHORTEST_DATAGRAM,
    IperfOptions,
    IperfRun,
    NetworkToMeasure,
)
from netsim.site.backend import ToolRun
from netsim.tools import iperf_text as text
from netsim.tools.arguments import Refusal, ToolExit, ToolParser, seconds, whole
from netsim.tools.context import INTERRUPTED, Terminal
from netsim.tools.iperf_streams import Address


async def iperf_command(network: NetworkToMeasure, node: str, run: ToolRun) -> int:
    """`iperf3` at a node: 0 when it has measured, 1 when not, 2 for wrong usage, 130 for Ctrl-C."""
    name, *argv = run.argv
    terminal = Terminal(
        node=node,
        cwd=Path(run.cwd),
        stdout=lambda data: run.output("stdout", data),
        stderr=lambda data: run.output("stderr", data),
        drain=run.taken,
        interrupted=run.interrupt,
        wall_clock=network.now,
        json=run.json,
    )
    try:
        return await _command(network, node, _parse(name, argv, terminal), terminal)
    except ToolExit as end:
        return end.code
    except (NetsimError, ConnectionError) as error:
        if run.interrupt.is_set():
            return INTERRUPTED
        terminal.print_error(f"{name}: error - {error}")
        return 1


@dataclass(frozen=True, slots=True)
class _Asked:
    server: str
    options: IperfOptions
    as_json: bool


async def _command(network: NetworkToMeasure, node: str, asked: _Asked, terminal: Terminal) -> int:
    options = asked.options
    sends = not options.reverse

    def show(lines: Any) -> None:
        if not asked.as_json:
            for line in lines:
                terminal.print_line(line)

    def opened(streams: Sequence[tuple[Address, Address]]) -> None:
        show(text.opening(asked.server, streams[0][1][1], streams, reverse=options.reverse))
        show([text.heading(is_udp=options.udp, sends=sends)])

    report = await IperfRun(
        network,
        node,
        asked.server,
        options,
        on_opened=opened,
        on_interval=lambda rates, is_last: show(text.interval(rates, is_last=is_last)),
        interrupt=terminal.interrupted,
    ).run()
    if asked.as_json:
        terminal.print_line(json.dumps(text.document(report), indent=2))
    show(text.summary(report))
    if report.is_interrupted:
        terminal.print_error("iperf3: interrupt - the client has terminated")
        return INTERRUPTED
    show(["", "iperf Done."])
    return 0


def _parse(name: str, argv: Sequence[str], terminal: Terminal) -> _Asked:
    parser = ToolParser(terminal, name)
    parser.add_argument("-c", metavar="NODE", help="measure to this node; nothing has to run there")
    parser.add_argument("-s", action="store_true", help="be the server, which is not needed")
    parser.add_argument("-R", action="store_true", help="reverse: NODE sends")
    parser.add_argument(
        "-P", metavar="N", type=whole(1, MOST_STREAMS), default=1, help="streams beside each other"
    )
    parser.add_argument(
        "-t", metavar="SECONDS", type=seconds(0.001), default=10.0, help="for so long; 10"
    )
    parser.add_argument(
        "-i",
        metavar="SECONDS",
        type=seconds(),
        default=1.0,
        help="seconds between lines; 1, and 0 is one line",
    )
    parser.add_argument("-u", action="store_true", help="UDP")
    parser.add_argument(
        "-b", metavar="RATE", help="of each stream over UDP: 10M, 10mbit; 1M by default"
    )
    parser.add_argument(
        "-l",
        metavar="BYTES",
        type=whole(SHORTEST_DATAGRAM, LONGEST_DATAGRAM),
        help="of each datagram; 1448 by default",
    )
    parser.add_argument("-J", "--json", action="store_true", help="one JSON document")
    parser.add_argument("-4", action="store_true", help="IPv4, which is all there is")
    parser.add_argument("-p", action=Refusal, hint="a port is found that is free")
    parser.add_argument("-D", action="store_true", help="with -s: as if in the background")
    found = parser.parse_args(list(argv))
    if found.s:
        terminal.print_line(
            f"{name}: no server is needed: `{name} -c {terminal.node}` at another node measures "
            "to here"
        )
        raise ToolExit(0)
    if found.c is None:
        parser.error(f"to where? write for example `{name} -c web`")
    length = min(found.t, LONGEST)
    try:
        options = IperfOptions(
            reverse=found.R,
            parallel=found.P,
            seconds=found.t,
            interval=found.i or length,
            udp=found.u,
            bitrate=None if found.b is None else _rate_text(found.b),
            length=found.l,
        )
    except ValueError as error:
        parser.error(str(error).replace("write `udp`", "write -u"))
    return _Asked(found.c, options, found.json or terminal.json)


def _rate_text(written: str) -> str:
    """iperf3's `10M` in the units of this house; `10mbit` as it is."""
    number, letter = written[:-1], written[-1:].upper()
    if letter.isdigit():
        return f"{written}bit"
    if letter in ("K", "M", "G") and number.replace(".", "", 1).isdigit():
        return f"{number}{letter.lower()}bit"
    return written
