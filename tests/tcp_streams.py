"""TCP byte streams out of captured frames, as Wireshark's "follow stream" shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from netsim.wire import ethernet, ipv4, tcp
from netsim.wire.address import IpAddress
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.wire_error import WireError


class Flow(NamedTuple):
    """One direction of a TCP connection; addresses are packed."""

    source: IpAddress
    source_port: int
    destination: IpAddress
    destination_port: int


def reassemble(frames: Iterable[bytes]) -> dict[Flow, bytes]:
    """The bytes each flow carried, in order of their sequence numbers.

    Retransmissions and reordering are undone. Frames that are not TCP over IPv4, are fragments
    or fail a checksum are passed over, as by a receiver. A flow ends at the first byte that no
    frame carried. The frames may begin in the middle of a connection: then the lowest sequence
    number seen is its start. When ports are used again, the connections follow one another.
    """
    flows: dict[Flow, list[_Connection]] = {}
    for frame in frames:
        try:
            flow, segment = _read(frame)
        except WireError:
            continue
        connections = flows.setdefault(flow, [])
        if not connections or (segment.flags & tcp.SYN and connections[-1].is_new(segment)):
            connections.append(_Connection(segment))
        connections[-1].add(segment)
    return {
        flow: b"".join(connection.data() for connection in connections)
        for flow, connections in flows.items()
    }


def _read(frame: bytes) -> tuple[Flow, tcp.TcpSegment]:
    """The TCP segment in a frame; WireError when there is none, or a broken one."""
    if ethernet.parse_header(frame)[2] != ethernet.ETHERTYPE_IPV4:
        raise WireError("not-ipv4")
    packet = ipv4.parse(frame, ethernet.HEADER_LENGTH)
    if packet.protocol != ipv4.PROTOCOL_TCP or packet.is_fragment:
        raise WireError("not-tcp")
    start = ethernet.HEADER_LENGTH + packet.header_length
    end = ethernet.HEADER_LENGTH + packet.total_length
    pseudo_sum = pseudo_header_sum(packet.source, packet.destination, packet.protocol)
    segment = tcp.parse(frame[start:end], pseudo_sum)
    flow = Flow(packet.source, segment.source_port, packet.destination, segment.destination_port)
    return flow, segment


class _Connection:
    """The payloads of one flow of one connection, by distance from its first segment."""

    def __init__(self, first: tcp.TcpSegment) -> None:
        self._syn = first.sequence if first.flags & tcp.SYN else None
        self._newest = _payload_start(first)
        self._newest_offset = 0
        self._payloads: dict[int, bytes] = {}

    def is_new(self, syn: tcp.TcpSegment) -> bool:
        """Whether a SYN starts another connection rather than repeating this one's."""
        return self._syn != syn.sequence

    def add(self, segment: tcp.TcpSegment) -> None:
        """Note a payload. Offsets unwrap the 32-bit numbers: each is near the one before it."""
        start = _payload_start(segment)
        step = (start - self._newest + 0x80000000) % 0x100000000 - 0x80000000
        self._newest = start
        self._newest_offset += step
        # The longest wins: a retransmission may carry more than what it repeats.
        if len(segment.payload) > len(self._payloads.get(self._newest_offset, b"")):
            self._payloads[self._newest_offset] = segment.payload

    def data(self) -> bytes:
        """The bytes up to the first that is missing."""
        parts = []
        expected = 0 if self._syn is not None else min(self._payloads, default=0)
        for offset, payload in sorted(self._payloads.items()):
            if offset > expected:
                break
            parts.append(payload[expected - offset :])
            expected = max(expected, offset + len(payload))
        return b"".join(parts)


def _payload_start(segment: tcp.TcpSegment) -> int:
    """Sequence number of the first payload byte; a SYN takes one number before it."""
    return (segment.sequence + (1 if segment.flags & tcp.SYN else 0)) & 0xFFFFFFFF
