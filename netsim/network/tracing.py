"""One request, followed through every queue and over every cable: `Network.trace`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from netsim.core.errors import InvalidValueError, NotRespondingError, not_responding
from netsim.core.time import MILLISECOND
from netsim.core.units import check_seconds
from netsim.network.node_view import NodeView, owner_of
from netsim.network.timing import TimingWatch
from netsim.observe.hop_events import HopBatch, HopEvent, HopFilter
from netsim.observe.packet_paths import Packet, follow
from netsim.observe.request_phases import Course, phases_of
from netsim.observe.request_trace import PacketList, Trace, beginning_of, nodes_on_the_way
from netsim.observe.tcp_packets import Segment, connection_of
from netsim.observe.time_parts import spans_of, unanswered
from netsim.site.backend import Backend
from netsim.tools.http_exchange import Headers, TracedExchange, traced_exchange
from netsim.tools.http_reply import HttpReply
from netsim.topology.plan import NetworkPlan
from netsim.wire.address import IpAddress, format_ip

_REAL_TOLERANCE: Final = 2 * MILLISECOND
"""In real time a program takes some for what follows an arrival at once."""
_MORE: Final = 5.0
"""Seconds beyond the time-out of a request."""
_NUMBERS = count(1)
Result = TypeVar("Result")


class TracedNetwork(Protocol):
    """What this needs of a network."""

    plan: NetworkPlan
    time: Any
    speed: float

    def __getitem__(self, name: str) -> NodeView: ...
    def watch_timing(self) -> AbstractContextManager[TimingWatch]: ...


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """What is asked for; `timeout` in seconds of network time."""

    method: str
    url: str
    headers: Headers | None = None
    body: bytes | None = None
    timeout: float | None = None
    keep: bool = False
    """The reply is wanted, too."""


async def trace_request(
    network: TracedNetwork, backend: Backend, client: str, asked: TracedRequest
) -> tuple[Trace, HttpReply | None]:
    """Errors as of `Network.trace`."""
    port = _port_of(asked.url)
    if asked.timeout is not None:
        check_seconds(timeout=asked.timeout)
    node = network.plan.node(client)
    own = (address for each in node.interfaces for address, _ in each.addresses)
    addresses = frozenset((*own, *node.loopback))
    with network.watch_timing() as watch:
        try:
            await backend.facts(client)  # one that stands still would not begin, either
            async with asyncio.timeout(_patience(asked, network.speed)):
                (exchange, reply), batches = await _observed(
                    backend,
                    HopFilter(addresses, port),
                    lambda: network[client].run(
                        traced_exchange,
                        asked.method,
                        asked.url,
                        asked.headers,
                        asked.body,
                        asked.timeout,
                        keep=asked.keep,
                    ),
                )
        except TimeoutError:
            raise NotRespondingError(not_responding(client, backend.pid(client))) from None
    macs = _macs(network.plan)
    packets = follow(event for batch in batches for event in batch.events if _is_for(event, macs))
    packets = [packet for packet in packets if packet.sent_ns >= exchange.started_ns]
    segments = connection_of(packets, addresses, port, exchange.port)
    trace = _trace(network, client, addresses, asked, exchange, packets, segments, batches)
    return replace(trace, untrusted=watch.timing.text), reply


def _patience(asked: TracedRequest, speed: float) -> float | None:
    """Seconds: the client ends by itself at its time-out, if it does anything at all."""
    return None if asked.timeout is None else asked.timeout / speed + _MORE


def _port_of(url: str) -> int:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        instead = url if url and "/" not in url and "`" not in url else "web"
        raise InvalidValueError(f"`{url}` is no URL; write for example `http://{instead}/`")
    return port or {"http": 80, "https": 443}[parts.scheme]


def _macs(plan: NetworkPlan) -> dict[str, bytes]:
    """Of the interfaces of computers and routers: `alice:eth0`."""
    return {
        f"{node.name}:{interface.name}": interface.mac
        for node in plan.nodes
        if node.traits.has_stack
        for interface in node.interfaces
    }


def _is_for(event: HopEvent, macs: Mapping[str, bytes]) -> bool:
    """Whether whoever receives a frame takes it: a switch floods what it does not know."""
    destination = event.frame[:6]
    return bool(destination[0] & 1) or macs.get(event.receiver, destination) == destination


async def _observed(
    backend: Backend, chosen: HopFilter, work: Callable[[], Awaitable[Result]]
) -> tuple[Result, list[HopBatch]]:
    number = next(_NUMBERS)
    batches: list[HopBatch] = []
    try:
        await backend.begin_hops(number, chosen)
        result = await work()
    finally:
        batches += await backend.end_hops(number)
    return result, batches


def _trace(
    network: TracedNetwork,
    client: str,
    addresses: frozenset[IpAddress],
    asked: TracedRequest,
    exchange: TracedExchange,
    packets: list[Packet],
    segments: list[Segment],
    batches: Sequence[HopBatch],
) -> Trace:
    is_tls = urlsplit(asked.url).scheme == "https"
    course = Course(
        client=client,
        started_ns=exchange.started_ns,
        ended_ns=exchange.ended_ns,
        resolved_ns=exchange.resolved_ns
        if exchange.resolved_ns or not segments
        else exchange.started_ns,
        tls_ns=exchange.connected_ns if is_tls else None,
        is_tls=is_tls,
        has_reply=not exchange.error,
        tolerance_ns=0 if network.time == "virtual" else _REAL_TOLERANCE,
    )
    in_time = [packet for packet in packets if packet.sent_ns < exchange.ended_ns]
    spans = spans_of(course, segments, in_time)
    own = {id(segment.packet) for segment in segments}
    on_the_way = [packet for packet in in_time if id(packet) in own]
    nodes = nodes_on_the_way(client, on_the_way)
    # Those who ask in vain for the MAC address of a neighbour: up to where anybody hears it.
    nodes = nodes_on_the_way(
        client,
        [*on_the_way, *(beginning_of(packet) for packet in unanswered(in_time, nodes))],
    )
    listed = PacketList(
        nodes,
        segments,
        lambda address: owner_of(network.plan, client, format_ip(address)),
        phases_of(spans),
    )
    return Trace(
        client=client,
        method=asked.method.upper(),
        url=asked.url,
        status=exchange.status,
        reason=exchange.reason,
        location=exchange.location,
        size=exchange.size,
        error=exchange.error,
        started_ns=exchange.started_ns,
        ended_ns=exchange.ended_ns,
        nodes=tuple(nodes),
        packets=tuple(listed.of(in_time, addresses)),
        spans=tuple(spans),
        left_out=sum(batch.left_out for batch in batches),
    )
