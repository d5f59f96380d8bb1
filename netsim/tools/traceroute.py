"""`traceroute`, with the options and the output of the one that Linux distributions ship."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from netsim.stack.interface import Interface
from netsim.stack.socket_errors import SocketError
from netsim.tools.arguments import ToolExit, ToolParser, seconds, whole
from netsim.tools.context import Context
from netsim.tools.source_address import NoSuchInterfaceError, interface_named
from netsim.tools.traceroute_probes import (
    FIRST_PORT,
    HTTP_PORT,
    Answer,
    EchoProber,
    Prober,
    SynProber,
    UdpProber,
)
from netsim.wire.address import IpAddress, format_ip, parse_ip

AT_ONCE: Final = 16
"""Probes that are on their way together, as in the original."""
HERE_FACTOR: Final = 3
NEAR_FACTOR: Final = 10
"""A probe is waited for at most so many round trips of its own hop, or of one further on."""
SHORTEST_WAIT: Final = 0.25
"""Seconds; round trips are network time, and a busy machine is later than the network."""
UDP_HEADERS: Final = 28
"""Bytes; those of ICMP are as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; `wait` in seconds, `packet_bytes` with all headers."""

    host: str
    queries: int
    max_hops: int
    wait: float
    numeric: bool
    use_icmp: bool
    use_tcp: bool
    first_ttl: int
    port: int | None
    """Where nothing is said, as of the kind of probes."""
    source: IpAddress | None
    through: Interface | None
    """The only interface that probes may leave by."""
    packet_bytes: int


async def traceroute(argv: Sequence[str], context: Context) -> int:
    """Exit code 0 for a trace, whether or not it arrived; 1 without a route; 2 usage."""
    options = _parse(argv, context)
    try:
        target = await context.resolve(options.host)
    except socket.gaierror as error:
        context.print_error(f"{options.host}: {error.strerror}")
        context.print_error(f'Cannot handle "host" cmdline arg `{options.host}\'')
        return 2
    data = bytes(range(0x40, 0x80)) * (options.packet_bytes // 64 + 1)
    data = data[: options.packet_bytes - UDP_HEADERS]
    prober: Prober
    leaving = (options.source, options.through)
    if options.use_icmp:
        prober = EchoProber(context.loop, target, data, *leaving)
    elif options.use_tcp:
        prober = SynProber(context.loop, target, options.port or HTTP_PORT, *leaving)
    else:
        prober = UdpProber(context.loop, target, data, options.port or FIRST_PORT, *leaving)
    try:
        trace = _Trace(options, target, prober, context)
        return await context.until_interrupted(trace.run())
    except SocketError as error:
        context.print_error(f"traceroute: send: {os.strerror(error.errno)}")
        return 1
    finally:
        prober.close()


@dataclass(slots=True)
class _Probe:
    """One question: when it left by the clocks of the network, the loop and the watcher."""

    ttl: int
    left_at: int
    loop_at: float
    wall_at: int
    answer: Answer | None = None
    wall_rtt_ns: int = 0

    @property
    def rtt_ns(self) -> int:
        """Of an answered one."""
        return self.answer.now - self.left_at if self.answer else 0


class _Trace:
    """Sends probes with growing TTL, several at once, and prints hop after hop."""

    def __init__(
        self, options: Options, target: IpAddress, prober: Prober, context: Context
    ) -> None:
        self._options = options
        self._target = target
        self._prober = prober
        self._context = context
        self._probes: list[_Probe] = []
        self._last_ttl = options.max_hops
        """No probe beyond it is of use."""

    async def run(self) -> int:
        """Trace; returns the exit code."""
        options, context = self._options, self._context
        if not context.json:
            context.print_line(
                f"traceroute to {options.host} ({format_ip(self._target)}), "
                f"{options.max_hops} hops max, {options.packet_bytes} byte packets"
            )
        ttl = self._options.first_ttl - 1
        while ttl < self._last_ttl:
            ttl += 1
            await self._complete(ttl)
            if not context.json:
                context.print_line(self._line(ttl))
        if context.json:
            context.print_line(json.dumps(self._document(ttl), indent=2))
        return 0

    async def _complete(self, ttl: int) -> None:
        """Wait until every probe of a hop is answered or given up."""
        while True:
            self._send_more()
            hop = self._hop(ttl)
            waiting = [probe for probe in hop if self._is_awaited(probe)]
            if not waiting and len(hop) == self._options.queries:
                return
            awaited = waiting or [probe for probe in self._probes if self._is_awaited(probe)]
            until = min(probe.loop_at + self._patience(probe.ttl) for probe in awaited)
            try:
                async with asyncio.timeout_at(until):
                    number, answer = await self._prober.receive()
            except TimeoutError:
                continue
            if 0 <= number < len(self._probes):
                self._note(self._probes[number], answer)

    def _send_more(self) -> None:
        queries = self._options.queries
        on_their_way = sum(map(self._is_awaited, self._probes))
        while on_their_way < AT_ONCE:
            number = len(self._probes)
            ttl = number // queries + self._options.first_ttl
            if ttl > self._last_ttl:
                return
            wall_at = self._context.wall_clock()
            left_at = self._prober.send(number, ttl)
            self._probes.append(_Probe(ttl, left_at, self._context.loop.time(), wall_at))
            on_their_way += 1

    def _note(self, probe: _Probe, answer: Answer) -> None:
        if probe.answer is not None:
            return
        if answer.source is None:
            source = self._options.source or self._context.host.ip.source_for(self._target)
            answer = answer._replace(source=source)
        probe.answer = answer
        probe.wall_rtt_ns = self._context.wall_clock() - probe.wall_at
        if answer.is_last:
            self._last_ttl = min(self._last_ttl, probe.ttl)

    def _is_awaited(self, probe: _Probe) -> bool:
        return probe.answer is None and self._context.loop.time() < probe.loop_at + self._patience(
            probe.ttl
        )

    def _patience(self, ttl: int) -> float:
        """Seconds that a probe of that hop is waited for."""
        for hop in range(
            ttl, self._options.first_ttl + len(self._probes) // self._options.queries + 1
        ):
            times = [probe.rtt_ns for probe in self._hop(hop) if probe.answer is not None]
            if times:
                factor = HERE_FACTOR if hop == ttl else NEAR_FACTOR
                return min(self._options.wait, max(SHORTEST_WAIT, factor * max(times) / 1e9))
        return self._options.wait

    def _hop(self, ttl: int) -> list[_Probe]:
        queries = self._options.queries
        first = (ttl - self._options.first_ttl) * queries
        return self._probes[first : first + queries]

    def _line(self, ttl: int) -> str:
        """` 1  r1 (10.0.1.1)  0.812 ms  0.798 ms  0.803 ms`"""
        line = f"{ttl:2} "
        shown: IpAddress | None = None
        for probe in self._hop(ttl):
            answer = probe.answer
            if answer is None or answer.source is None:
                line += " *"
                continue
            if answer.source != shown:
                shown = answer.source
                line += f" {self._shown(shown)}"
            line += f"  {probe.rtt_ns / 1e6:.3f} ms"
            if answer.mark:
                line += f" {answer.mark}"
        return line

    def _shown(self, address: IpAddress) -> str:
        if self._options.numeric:
            return format_ip(address)
        text = format_ip(address)
        return f"{self._context.name_of(address) or text} ({text})"

    def _document(self, last_ttl: int) -> dict[str, Any]:
        hops = [
            {"ttl": ttl, "probes": [self._probe_document(probe) for probe in self._hop(ttl)]}
            for ttl in range(self._options.first_ttl, last_ttl + 1)
        ]
        return {
            "target": self._options.host,
            "address": format_ip(self._target),
            "max_hops": self._options.max_hops,
            "packet_bytes": self._options.packet_bytes,
            "reached": any(
                probe.answer is not None and probe.answer.source == self._target
                for probe in self._hop(last_ttl)
            ),
            "hops": hops,
        }

    def _probe_document(self, probe: _Probe) -> dict[str, Any] | None:
        answer = probe.answer
        if answer is None or answer.source is None:
            return None
        return {
            "from": format_ip(answer.source),
            "name": self._context.name_of(answer.source),
            "rtt_ms": probe.rtt_ns / 1e6,
            "wall_rtt_ms": probe.wall_rtt_ns / 1e6,
            "mark": answer.mark or None,
        }


def _parse(argv: Sequence[str], context: Context) -> Options:
    parser = ToolParser(context, "traceroute")
    parser.add_argument("-4", action="store_true", help="IPv4, which is all there is")
    parser.add_argument("-I", action="store_true", help="ICMP echo requests instead of UDP")
    parser.add_argument(
        "-f", metavar="FIRST_TTL", type=whole(1, 255), default=1, help="the first hop"
    )
    parser.add_argument("-m", metavar="MAX_TTL", type=whole(1, 255), default=30, help="hops")
    parser.add_argument("-n", action="store_true", help="no names, only addresses")
    parser.add_argument(
        "-p", metavar="PORT", type=whole(1, 65_535), help="the first UDP port, or the TCP port"
    )
    parser.add_argument("-T", action="store_true", help="TCP SYNs instead of UDP, to port 80")
    parser.add_argument("-q", metavar="QUERIES", type=whole(1, 10), default=3, help="each hop")
    parser.add_argument(
        "-w", metavar="WAIT", type=seconds(), default=5.0, help="seconds, at most, for an answer"
    )
    parser.add_argument("-s", metavar="SOURCE", type=_address, help="an address of this node")
    parser.add_argument(
        "-i", metavar="DEVICE", help="an interface of this node: probes leave by it"
    )
    parser.add_argument("host")
    parser.add_argument("packet_bytes", nargs="?", type=whole(UDP_HEADERS, 65_000), default=60)
    found = parser.parse_args(list(argv))
    if found.f > found.m:
        parser.error("the first hop is beyond the last")
    if found.I and found.T:
        parser.error("-I and -T exclude each other")
    if found.s is not None and not context.host.ip.is_local(found.s):
        context.print_error("bind: Cannot assign requested address")
        raise ToolExit(1)
    source, through = found.s, None
    if found.i is not None:
        try:
            address, through = interface_named(context.host, found.i)
        except NoSuchInterfaceError:
            context.print_error("setsockopt SO_BINDTODEVICE: No such device")
            raise ToolExit(1) from None
        source = source or address
    return Options(
        host=found.host,
        queries=found.q,
        max_hops=found.m,
        first_ttl=found.f,
        port=found.p,
        wait=found.w,
        numeric=found.n,
        use_icmp=found.I,
        source=source,
        through=through,
        use_tcp=found.T,
        packet_bytes=found.packet_bytes,
    )


def _address(text: str) -> IpAddress:
    try:
        return parse_ip(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address") from None
