"""What `trace` tells of one request: its packets, hop by hop, and where its time went."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from netsim.observe.frame_lines import FrameLines
from netsim.observe.packet_paths import Hop, Packet, way_of
from netsim.observe.request_phases import KINDS, PHASES, Kind, Phase, Span
from netsim.observe.tcp_packets import Segment
from netsim.wire.address import IpAddress
from netsim.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4
from netsim.wire.icmp import ECHO_REPLY, ECHO_REQUEST
from netsim.wire.ipv4 import PROTOCOL_ICMP

Owner = Callable[[IpAddress], str | None]
"""The node that has an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedHop:
    """A packet on one link. Times are network time in ns."""

    sender: str
    """`r1:eth2`"""
    receiver: str
    queued_ns: int
    """It entered the queue of `sender`."""
    left_ns: int | None
    """It left the queue; None where it was dropped there, or waits still."""
    serialised_ns: int | None
    """Its last bit had left."""
    due_ns: int | None
    """Its last bit was to arrive."""
    ended_ns: int | None
    """The receiver took it, or it was dropped; None where it is on its way."""
    fate: str
    """`delivered`, `in flight`, or the reason why it was dropped."""

    @property
    def queueing_ns(self) -> int:
        """How long it waited for the cable."""
        return 0 if self.left_ns is None else self.left_ns - self.queued_ns

    @property
    def late_ns(self) -> int:
        """How long after its time the receiver took it: the machine was late, or `host_jitter`."""
        if self.due_ns is None or self.ended_ns is None or self.is_lost:
            return 0
        return max(0, self.ended_ns - self.due_ns)

    @property
    def is_lost(self) -> bool:
        return self.fate not in ("delivered", "in flight")


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPacket:
    """A packet from node to node, as far as it came."""

    protocol: str
    """`TCP`, `ARP`, `ICMP`."""
    summary: str
    """In one line, without addresses where these go without saying."""
    phase: Phase
    is_resent: bool
    """Whether some of the same data had been sent before."""
    hops: tuple[TracedHop, ...]
    """One after the other, among the nodes of the trace."""

    @property
    def sent_ns(self) -> int:
        return self.hops[0].queued_ns

    @property
    def arrived_ns(self) -> int | None:
        """At the last of its nodes; None where it did not get there."""
        last = self.hops[-1]
        return last.ended_ns if last.fate == "delivered" else None

    @property
    def is_lost(self) -> bool:
        return self.hops[-1].is_lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One request. Times are network time in ns."""

    client: str
    method: str
    url: str
    status: int
    """0 where there was no reply."""
    reason: str
    """Of the status line."""
    location: str
    """Where a redirect leads to, as the reply has it; else empty."""
    size: int
    """Bytes of the body."""
    error: str
    """Why there was no whole reply; else empty."""
    started_ns: int
    ended_ns: int
    nodes: tuple[str, ...]
    """On the way, from the client on."""
    packets: tuple[TracedPacket, ...]
    """In the order in which they were sent."""
    spans: tuple[Span, ...]
    """What was waited for, one after the other: all of the time."""
    left_out: int = 0
    """Observations that were too many to keep: then packets are missing."""
    untrusted: str = ""
    """Why its times may be those of a busy machine, and not of the network; empty else."""

    @property
    def elapsed_ns(self) -> int:
        return self.ended_ns - self.started_ns

    def spent(self, phase: Phase | None = None, kind: Kind | None = None) -> int:
        """How much of the time was of a phase, of a kind, of both; ns."""
        return sum(
            span.end_ns - span.start_ns
            for span in self.spans
            if phase in (None, span.phase) and kind in (None, span.kind)
        )

    @property
    def phases(self) -> list[Phase]:
        """Those that took any time, in order."""
        return [phase for phase in PHASES if self.spent(phase)]

    def outcome(self) -> str:
        """`200 OK, 31 bytes`, `302 Found to /get, 0 bytes`, or why not."""
        if self.error:
            return self.error
        to = f" to {self.location}" if self.location else ""
        return f"{self.status} {self.reason}".rstrip() + f"{to}, {self.size} bytes"

    def title(self) -> str:
        """Who asked for what, and what came of it."""
        return f"{self.method} {self.url} from {self.client}: {self.outcome()}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "client": self.client,
            "method": self.method,
            "url": self.url,
            "status": self.status or None,
            "reason": self.reason,
            "location": self.location or None,
            "bytes": self.size,
            "failure": self.error or None,
            "started_ns": self.started_ns,
            "ended_ns": self.ended_ns,
            "elapsed_ns": self.elapsed_ns,
            "nodes": list(self.nodes),
            "packets": [_packet_document(packet) for packet in self.packets],
            "spans": [
                {
                    "start_ns": span.start_ns,
                    "end_ns": span.end_ns,
                    "phase": span.phase,
                    "kind": span.kind,
                    "where": span.where,
                }
                for span in self.spans
            ],
            "spent": {
                phase.replace(" ", "_"): {f"{kind}_ns": self.spent(phase, kind) for kind in KINDS}
                for phase in self.phases
            },
            "left_out": self.left_out,
            "untrusted": self.untrusted,
        }


def _packet_document(packet: TracedPacket) -> dict[str, Any]:
    return {
        "protocol": packet.protocol,
        "summary": packet.summary,
        "phase": packet.phase,
        "resent": packet.is_resent,
        "sent_ns": packet.sent_ns,
        "arrived_ns": packet.arrived_ns,
        "hops": [
            {
                "from": hop.sender,
                "to": hop.receiver,
                "queued_ns": hop.queued_ns,
                "left_ns": hop.left_ns,
                "serialised_ns": hop.serialised_ns,
                "due_ns": hop.due_ns,
                "ended_ns": hop.ended_ns,
                "fate": hop.fate,
            }
            for hop in packet.hops
        ],
    }


# From what was observed --------------------------------------------------------------------------

_ETHERTYPE: Final = slice(12, 14)


def nodes_on_the_way(client: str, packets: Sequence[Packet]) -> list[str]:
    """The client, and on from node to node; those of other ways stand beside their neighbours."""
    ways = [_longest_way(packet) for packet in packets]
    ways.sort(key=lambda way: way[0].sender_node != client)
    order = [client]
    for way in ways:
        nodes = [way[0].sender_node, *(hop.receiver_node for hop in way)]
        # Away from the client, whichever way the packet went.
        for before, node in (*pairwise(nodes[::-1]), *pairwise(nodes)):
            if before in order and node not in order:
                order.insert(order.index(before) + 1, node)
    return order


def beginning_of(packet: Packet) -> Packet:
    """Its first hop alone."""
    return Packet(packet.frame, packet.hops[:1])


def _longest_way(packet: Packet) -> list[Hop]:
    return max(map(way_of, packet.hops), key=len)


class PacketList:
    """The packets that a trace shows: those of its connection, and what these waited for."""

    def __init__(
        self,
        nodes: Sequence[str],
        segments: Sequence[Segment],
        owner: Owner,
        phase_at: Callable[[int], Phase],
    ) -> None:
        self._nodes = nodes
        self._segments = {id(segment.packet): segment for segment in segments}
        self._owner = owner
        self._phase_at = phase_at
        self._lines = FrameLines(brief=True)

    def of(self, packets: Sequence[Packet], addresses: Collection[IpAddress]) -> list[TracedPacket]:
        """In the order in which they were sent; `addresses` are the client's."""
        return [
            traced
            for packet in packets
            if self._is_shown(packet, addresses)
            for traced in self._ways(packet)
        ]

    def _is_shown(self, packet: Packet, addresses: Collection[IpAddress]) -> bool:
        if id(packet) in self._segments:
            return True
        frame = packet.frame
        match int.from_bytes(frame[_ETHERTYPE], "big"):
            case value if value == ETHERTYPE_ARP:
                target = self._owner(frame[38:42])
                return packet.origin in self._nodes and (target is None or target in self._nodes)
            case value if value == ETHERTYPE_IPV4 and frame[23] == PROTOCOL_ICMP:
                kind = frame[14 + (frame[14] & 0xF) * 4]
                return frame[30:34] in addresses and kind not in (ECHO_REPLY, ECHO_REQUEST)
        return False

    def _ways(self, packet: Packet) -> list[TracedPacket]:
        """Where a switch floods it, the way that goes furthest among the nodes of the trace."""
        ends = {id(hop.before) for hop in packet.hops}
        ways = [
            [hop for hop in way_of(last) if self._is_here(hop)]
            for last in packet.hops
            if id(last) not in ends
        ]
        ways = [way for way in ways if way]
        if not ways:
            return []
        segment = self._segments.get(id(packet))
        best = max(ways, key=lambda way: (len(way), way[-1].arrived_ns is not None))
        copies = [way for way in ways if way[-1].is_copy and way is not best]
        words = self._lines.words(packet.frame)
        return [self._traced(packet, way, segment, words) for way in (best, *copies)]

    def _is_here(self, hop: Hop) -> bool:
        return hop.sender_node in self._nodes and hop.receiver_node in self._nodes

    def _traced(
        self, packet: Packet, way: Sequence[Hop], segment: Segment | None, words: str
    ) -> TracedPacket:
        protocol = "TCP" if segment else "ARP" if words.startswith("ARP") else "ICMP"
        if segment is not None:
            words = words.partition(": ")[2] or words
        return TracedPacket(
            protocol=protocol,
            summary=words,
            phase="ARP" if protocol == "ARP" else self._phase_at(packet.sent_ns),
            is_resent=segment is not None and segment.resends is not None,
            hops=tuple(
                TracedHop(
                    sender=hop.sender,
                    receiver=hop.receiver,
                    queued_ns=hop.queued_ns,
                    left_ns=hop.left_ns,
                    serialised_ns=hop.serialised_ns,
                    due_ns=hop.due_ns,
                    ended_ns=hop.ended_ns,
                    fate=hop.fate,
                )
                for hop in way
            ),
        )
