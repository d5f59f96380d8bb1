"""Measuring how much one computer can send to another."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from netsim.core.errors import (
    InvalidValueError,
    IperfFailedError,
    NetsimError,
    NotRespondingError,
    UnknownNameError,
    not_responding,
)
from netsim.core.time import SECOND
from netsim.core.units import check_seconds, parse_rate
from netsim.network.node_view import NodeView, owner_of
from netsim.network.timing import TimingWatch
from netsim.tools import iperf_ends as ends
from netsim.tools.iperf_report import (
    IperfRate,
    IperfReport,
    IperfStream,
    rate_of,
    rates_between,
)
from netsim.tools.iperf_streams import Address, Counted, Counts, EndOrder
from netsim.topology.plan import NetworkPlan

MOST_STREAMS: Final = 128
LONGEST: Final = 86_400.0
"""Seconds."""
SHORTEST_INTERVAL: Final = 0.1
_MOST_INTERVALS: Final = 1_000_000
"""Of all streams together."""
_DATAGRAM: Final = 1448
"""Bytes that fit in an ordinary frame, beside the headers of TCP: what iperf3 takes, too."""
SHORTEST_DATAGRAM: Final = 16
LONGEST_DATAGRAM: Final = 65_507
_UDP_BITRATE: Final = "1mbit"
_AT_THE_END: Final = 10.0
_WHEN_INTERRUPTED: Final = 2.0
"""Seconds of network time that what was sent has to arrive."""

_ANSWER: Final = 5.0
"""Seconds of network time for what takes a node none."""

Result = TypeVar("Result")
OnOpened = Callable[[Sequence[tuple[Address, Address]]], None]
OnInterval = Callable[[Sequence[IperfRate], bool], None]
"""Takes what each stream has done in an interval, and whether that was the last one."""


class NetworkToMeasure(Protocol):
    """What this needs of a network."""

    plan: NetworkPlan
    speed: float

    def __getitem__(self, name: str) -> NodeView: ...
    def now(self) -> int: ...
    def lead_ns(self, nodes: int) -> int: ...
    def watch_timing(self) -> AbstractContextManager[TimingWatch]: ...
    async def call(
        self, node: str, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...] = ()
    ) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IperfOptions:
    """What is to be measured; InvalidValueError where that cannot be."""

    reverse: bool = False
    parallel: int = 1
    seconds: float = 10.0
    interval: float = 1.0
    udp: bool = False
    bitrate: str | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        check_seconds(seconds=self.seconds, interval=self.interval)
        if not 1 <= self.parallel <= MOST_STREAMS:
            raise InvalidValueError(f"{self.parallel} streams; write 1 to {MOST_STREAMS}")
        if self.seconds > LONGEST:
            raise InvalidValueError(f"{self.seconds:g} seconds; write at most {LONGEST:g}")
        if not SHORTEST_INTERVAL <= self.interval < math.inf:
            raise InvalidValueError(
                f"an interval of {self.interval:g} s; write {SHORTEST_INTERVAL:g} or more"
            )
        if self.seconds / self.interval * self.parallel > _MOST_INTERVALS:
            raise InvalidValueError("too many intervals; write a longer one")
        if not self.udp and (self.bitrate is not None or self.length is not None):
            raise InvalidValueError("TCP sends as fast as it can; write `udp` beside a bitrate")
        if self.length is not None and not SHORTEST_DATAGRAM <= self.length <= LONGEST_DATAGRAM:
            raise InvalidValueError(
                f"datagrams of {self.length} bytes; write {SHORTEST_DATAGRAM} to {LONGEST_DATAGRAM}"
            )
        if self.udp and self.bitrate_bps < 1:
            raise InvalidValueError("a bitrate of nothing; write for example `10mbit`")

    @property
    def bitrate_bps(self) -> int:
        """Of each stream; UnitError."""
        return parse_rate(self.bitrate or _UDP_BITRATE) if self.udp else 0

    def order(self, *, sends: bool) -> EndOrder:
        """For one of the ends."""
        return EndOrder(
            sends=sends,
            streams=self.parallel,
            duration_ns=round(self.seconds * SECOND),
            interval_ns=round(self.interval * SECOND),
            is_udp=self.udp,
            bitrate_bps=self.bitrate_bps,
            length=(self.length or _DATAGRAM) if self.udp else 0,
        )


class IperfRun:
    """One measurement from `client` to `server`, a name or an address."""

    def __init__(
        self,
        network: NetworkToMeasure,
        client: str,
        server: str,
        options: IperfOptions,
        *,
        on_opened: OnOpened = lambda ends: None,
        on_interval: OnInterval = lambda rates, is_last: None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        self._network = network
        self._client = client
        self._server = server
        self._options = options
        self._on_opened = on_opened
        self._on_interval = on_interval
        self._interrupt = interrupt or asyncio.Event()
        self._open: list[tuple[str, int]] = []
        """Ends that are there: computers, and the numbers they have there."""
        self._sends = (not options.reverse, options.reverse)

    async def run(self) -> IperfReport:
        """Measure; errors as of `Network.iperf`."""
        try:
            with self._network.watch_timing() as watch:
                report = await self._run()
            return replace(report, untrusted=watch.timing.text)
        finally:
            for node, number in self._open:
                with contextlib.suppress(ConnectionError, NetsimError):
                    await self._answer(node, self._network.call(node, ends.close, (number,)))

    async def _run(self) -> IperfReport:
        network, options = self._network, self._options
        address = await self._answer(self._client, network[self._client].resolve(self._server))
        listener = address and owner_of(network.plan, self._client, address)
        if not listener or not address:
            raise UnknownNameError(f"{network.plan.name} has no computer {self._server!r}")
        at_client, at_server = (options.order(sends=sends) for sends in self._sends)
        number, port = await self._answer(listener, network[listener].run(ends.listen, at_server))
        self._open.append((listener, number))
        number, streams = await self._unless_interrupted(
            network[self._client].run(ends.connect, at_client, address, port)
        )
        self._open.insert(0, (self._client, number))
        self._on_opened(streams)
        begin = network.now() + network.lead_ns(2)
        await asyncio.gather(*self._at_both(ends.begin, begin))
        stopping = asyncio.ensure_future(self._stop_when_interrupted())
        try:
            counts = await self._intervals()
        finally:
            stopping.cancel()
        return await self._report(streams, counts, at_client)

    async def _answer(self, node: str, call: Awaitable[Result]) -> Result:
        """What takes a node no time; NotRespondingError."""
        try:
            return await asyncio.wait_for(call, _ANSWER / self._network.speed)
        except TimeoutError:
            raise NotRespondingError(not_responding(node)) from None

    def _at_both(self, function: Any, *arguments: Any) -> list[Awaitable[Any]]:
        return [
            self._network.call(node, function, (number, *arguments)) for node, number in self._open
        ]

    async def _unless_interrupted(self, call: Awaitable[Any]) -> Any:
        calling = asyncio.ensure_future(call)
        interruption = asyncio.ensure_future(self._interrupt.wait())
        try:
            await asyncio.wait({calling, interruption}, return_when=asyncio.FIRST_COMPLETED)
            if not calling.done():
                raise IperfFailedError("interrupted before it began")
            return calling.result()
        finally:
            interruption.cancel()
            calling.cancel()
            await asyncio.gather(calling, interruption, return_exceptions=True)

    async def _stop_when_interrupted(self) -> None:
        await self._interrupt.wait()
        with contextlib.suppress(ConnectionError):  # whoever asks for the intervals hears of it
            await asyncio.gather(*self._at_both(ends.stop))

    async def _intervals(self) -> list[list[IperfRate]]:
        """What each stream has done in each interval, as the client has counted it."""
        found: list[list[IperfRate]] = []
        before: Counts = (0, (Counted(),) * self._options.parallel)
        after = await self._counted(0)
        while after is not None:
            following = await self._counted(len(found) + 1)
            rates = rates_between(before, after, sends=self._sends[0], is_udp=self._options.udp)
            found.append(rates)
            self._on_interval(rates, following is None)
            before, after = after, following
        return found

    async def _counted(self, index: int) -> Counts | None:
        """From the client, while the server is there, too."""
        calls = [asyncio.ensure_future(call) for call in self._at_both(ends.counted, index)]
        try:
            counted = await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        at_client: Counts | None = counted[0]
        return at_client

    async def _report(
        self,
        streams: Sequence[tuple[Address, Address]],
        intervals: list[list[IperfRate]],
        order: EndOrder,
    ) -> IperfReport:
        options = self._options
        interrupted = self._interrupt.is_set()
        patience = _WHEN_INTERRUPTED if interrupted else _AT_THE_END
        sender, receiver = self._open if self._sends[0] else self._open[::-1]
        network = self._network
        sent = await network.call(sender[0], ends.totals, (sender[1], patience))
        packets = tuple(counted.packets for _, counted in sent) if options.udp else ()
        received = await network.call(receiver[0], ends.totals, (receiver[1], patience, packets))
        return IperfReport(
            client=self._client,
            server=self._server,
            protocol="UDP" if options.udp else "TCP",
            reverse=options.reverse,
            duration_ns=order.duration_ns,
            bitrate_bps=order.bitrate_bps,
            length=order.length,
            streams=tuple(
                IperfStream(
                    local=local,
                    remote=remote,
                    intervals=tuple(rates[index] for rates in intervals),
                    sent=_all_of(sent[index], sends=True, is_udp=options.udp),
                    received=_all_of(received[index], sends=False, is_udp=options.udp),
                )
                for index, (local, remote) in enumerate(streams)
            ),
            is_interrupted=interrupted,
        )


def _all_of(total: tuple[int, Counted], *, sends: bool, is_udp: bool) -> IperfRate:
    lasted, counted = total
    return rate_of(0, lasted, Counted(), counted, sends=sends, is_udp=is_udp)
