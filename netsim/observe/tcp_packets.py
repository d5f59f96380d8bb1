"""The packets of one connection, as far as it takes to say why each was sent when it was."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from netsim.observe.packet_paths import Hop, Packet
from netsim.wire.address import IpAddress
from netsim.wire.ethernet import ETHERTYPE_IPV4
from netsim.wire.ethernet import HEADER_LENGTH as _ETHERNET
from netsim.wire.ipv4 import PROTOCOL_TCP
from netsim.wire.tcp import FIN, RST, SYN

Socket = tuple[IpAddress, int]


@dataclass(slots=True, eq=False)
class Segment:
    """A TCP segment that was sent, and its packet."""

    packet: Packet
    source: Socket
    destination: Socket
    sequence: int
    acknowledgement: int
    flags: int
    length: int
    """Octets of data."""
    resends: Segment | None = None
    """The first that had some of the same data, where this one is sent again."""

    @property
    def span(self) -> int:
        """How far the sequence number goes on: data, and one each for SYN and FIN."""
        return self.length + bool(self.flags & SYN) + bool(self.flags & FIN)

    @property
    def end(self) -> int:
        return (self.sequence + self.span) & 0xFFFFFFFF

    @property
    def is_syn(self) -> bool:
        return bool(self.flags & SYN)

    @property
    def is_reset(self) -> bool:
        return bool(self.flags & RST)

    def arrival_at(self, node: str) -> Hop | None:
        return self.packet.arrival_at(node)


def segment_of(packet: Packet) -> Segment | None:
    """None where it is no TCP, or not the beginning of a datagram."""
    frame = packet.frame
    if int.from_bytes(frame[12:_ETHERNET], "big") != ETHERTYPE_IPV4 or frame[23] != PROTOCOL_TCP:
        return None
    start = _ETHERNET + (frame[14] & 0xF) * 4
    if int.from_bytes(frame[20:22], "big") & 0x1FFF or len(frame) < start + 20:
        return None
    ports = [int.from_bytes(frame[at : at + 2], "big") for at in (start, start + 2)]
    total = int.from_bytes(frame[16:18], "big")
    header = (frame[start + 12] >> 4) * 4
    return Segment(
        packet,
        (frame[26:30], ports[0]),
        (frame[30:34], ports[1]),
        int.from_bytes(frame[start + 4 : start + 8], "big"),
        int.from_bytes(frame[start + 8 : start + 12], "big"),
        frame[start + 13],
        total - (start - _ETHERNET) - header,
    )


def connection_of(
    packets: Sequence[Packet], client: frozenset[IpAddress], server_port: int, port: int | None
) -> list[Segment]:
    """The segments of the client's connection to a port, in order; `port` is the client's own.

    Where that is not known it is the connection whose SYN was the first.
    """
    segments = [segment for packet in packets if (segment := segment_of(packet)) is not None]
    ends = next(
        (
            {segment.source, segment.destination}
            for segment in segments
            if segment.is_syn
            and segment.source[0] in client
            and segment.destination[1] == server_port
            and port in (None, segment.source[1])
        ),
        None,
    )
    own = [segment for segment in segments if {segment.source, segment.destination} == ends]
    _find_resent(own)
    return own


def _find_resent(segments: Sequence[Segment]) -> None:
    for source in {segment.source for segment in segments}:
        own = [segment for segment in segments if segment.source == source and segment.span]
        sent: list[Segment] = []
        """Those that brought something new, in the order of their numbers."""
        ends: list[int] = []
        """Where each of them ends, counted from the first."""
        for segment in own:
            start = _distance(own[0].sequence, segment.sequence)
            end = start + segment.span
            place = bisect_right(ends, start)
            if place < len(sent) and end > _distance(own[0].sequence, sent[place].sequence):
                segment.resends = sent[place]
                place = len(sent)
            if place < len(sent) or not ends or end > ends[-1]:
                sent.insert(place, segment)
                ends.insert(place, end)


def _distance(first: int, sequence: int) -> int:
    """From one number to another, which may lie before it (RFC 9293 3.4)."""
    return ((sequence - first + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Arrivals:
    """What has come to a node of some segments, and brought something new there."""

    def __init__(self, segments: Sequence[Segment], node: str, *, only_data: bool = True) -> None:
        came: list[tuple[int, Segment, Hop]] = []
        for segment in segments:
            hop = segment.arrival_at(node)
            if hop is None or hop.arrived_ns is None or (only_data and not segment.span):
                continue
            first = None if segment.resends is None else segment.resends.arrival_at(node)
            if first is None or (first.arrived_ns or 0) >= hop.arrived_ns:
                came.append((hop.arrived_ns, segment, hop))
        came.sort(key=lambda each: each[0])
        self._came = came
        self._times = [at for at, _, _ in came]

    def last(self, until: int) -> tuple[Segment, Hop] | None:
        """The latest by `until`; of several at one time the one that was sent first."""
        count = bisect_right(self._times, until)
        if not count:
            return None
        return self._came[bisect_left(self._times, self._times[count - 1])][1:]
