"""Packets followed from hop to hop, out of what was noted at both ends of every link.

A router gives a packet another Ethernet header, another TTL and so another checksum; a queue may
mark it (ECN). What stays is where it comes from and goes to, its identification, and all that is
behind the IP header: that is how a packet is known again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from netsim.observe.frame_log import DELIVERED, IN_FLIGHT
from netsim.observe.hop_events import HopEvent
from netsim.wire.ethernet import ETHERTYPE_IPV4
from netsim.wire.ethernet import HEADER_LENGTH as _ETHERNET

Key: TypeAlias = tuple[bytes, ...]


@dataclass(slots=True, eq=False)
class Hop:
    """One frame on one direction of a link. Times are network time in ns."""

    link: int
    """Index in the plan."""
    sender: str
    """`r1:eth0`"""
    receiver: str
    frame: bytes
    queued_ns: int
    """It entered the queue of the sender's interface."""
    left_ns: int | None = None
    """It left the queue: its serialisation started."""
    serialised_ns: int | None = None
    """Its last bit had left."""
    due_ns: int | None = None
    """Its last bit was to arrive."""
    ended_ns: int | None = None
    """It was handed to the receiver, or was dropped."""
    fate: str = IN_FLIGHT
    """`delivered`, `in flight`, or the reason why it was dropped."""
    is_copy: bool = False
    """Whether the link made it (`duplicate`)."""
    before: Hop | None = None
    """The hop that brought the packet to the sender; None where it was made there."""

    @property
    def sender_node(self) -> str:
        return self.sender.partition(":")[0]

    @property
    def receiver_node(self) -> str:
        return self.receiver.partition(":")[0]

    @property
    def arrived_ns(self) -> int | None:
        """When the receiver got it; None where it did not, or not yet."""
        return self.ended_ns if self.fate == DELIVERED else None

    @property
    def is_lost(self) -> bool:
        return self.fate not in (DELIVERED, IN_FLIGHT)


@dataclass(slots=True, eq=False)
class Packet:
    """A packet, wherever it went: one hop after the other, and several where a switch floods it."""

    frame: bytes
    """As it was sent."""
    hops: list[Hop] = field(default_factory=list)
    """In the order in which they began."""

    @property
    def origin(self) -> str:
        """The node that sent it."""
        return self.hops[0].sender_node

    @property
    def sent_ns(self) -> int:
        return self.hops[0].queued_ns

    def arrival_at(self, node: str) -> Hop | None:
        """The hop by which it first came to a node."""
        arrived = [hop for hop in self.hops if hop.receiver_node == node and hop.arrived_ns]
        return min(arrived, key=lambda hop: hop.arrived_ns or 0, default=None)


def way_of(hop: Hop) -> list[Hop]:
    """From the node that made the packet to the end of this hop."""
    way = [hop]
    while (before := way[-1].before) is not None:
        way.append(before)
    return way[::-1]


def follow(events: Iterable[HopEvent]) -> list[Packet]:
    """Every packet among the frames, in the order in which they were sent."""
    directions: dict[tuple[int, str], list[HopEvent]] = defaultdict(list)
    for event in events:
        directions[event.link, event.sender].append(event)
    hops = [hop for each in directions.values() for hop in _hops_of(each)]
    hops.sort(key=lambda hop: hop.queued_ns)
    return _packets(hops)


def _hops_of(events: Sequence[HopEvent]) -> list[Hop]:
    """Those of one direction of a link."""
    hops: list[Hop] = []
    waiting: list[Hop] = []
    """In the queue."""
    left: list[Hop] = []
    """On the cable."""
    # Each end has noted in its own order; what arrives has left before.
    for event in sorted(events, key=lambda each: each.what in ("arrived", "lost")):
        match event.what:
            case "queued":
                hop = Hop(event.link, event.sender, event.receiver, event.frame, event.time_ns)
                hops.append(hop)
                waiting.append(hop)
            case "left":
                hop = _left(event, waiting, left, hops)
                left.append(hop)
            case "dropped":
                hop = _take(waiting, event.frame) or _new(event, hops)
                hop.ended_ns, hop.fate = event.time_ns, event.reason
            case "arrived" | "lost":
                arrived = _take(left, event.frame)
                if arrived is not None:
                    arrived.ended_ns = event.time_ns
                    arrived.fate = event.reason or DELIVERED
    return hops


def _left(event: HopEvent, waiting: list[Hop], left: list[Hop], hops: list[Hop]) -> Hop:
    hop = _take(waiting, event.frame)
    if hop is None:
        # The last one that left twice is a copy; else it was queued before anybody looked.
        twin = left[-1] if left and left[-1].frame is event.frame else None
        hop = _new(event, hops)
        if twin is not None and twin.left_ns == event.time_ns:
            hop.queued_ns, hop.is_copy = twin.queued_ns, True
    hop.frame = event.frame  # the link may have changed it: a mark, a bit that is wrong
    hop.left_ns, hop.serialised_ns, hop.due_ns = event.time_ns, event.serialised_ns, event.due_ns
    return hop


def _new(event: HopEvent, hops: list[Hop]) -> Hop:
    hop = Hop(event.link, event.sender, event.receiver, event.frame, event.time_ns)
    hops.append(hop)
    return hop


def _take(hops: list[Hop], frame: bytes) -> Hop | None:
    """The first with this frame; else with a mark, or a bit that is another."""
    for index, hop in enumerate(hops):
        if hop.frame == frame:
            return hops.pop(index)
    for index, hop in enumerate(hops):
        if key_of(hop.frame) == key_of(frame) or _differ_in_a_bit(hop.frame, frame):
            return hops.pop(index)
    return None


def _differ_in_a_bit(one: bytes, other: bytes) -> bool:
    if len(one) != len(other):
        return False
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count() == 1


def _packets(hops: Sequence[Hop]) -> list[Packet]:
    arrivals: dict[tuple[str, Key], list[Hop]] = defaultdict(list)
    for hop in hops:
        if hop.arrived_ns is not None:
            arrivals[hop.receiver_node, key_of(hop.frame)].append(hop)
    packets: dict[int, Packet] = {}
    for hop in hops:
        came = [
            each
            for each in arrivals.get((hop.sender_node, key_of(hop.frame)), ())
            if each.arrived_ns is not None and each.arrived_ns <= hop.queued_ns and each is not hop
        ]
        hop.before = max(came, key=lambda each: each.arrived_ns or 0, default=None)
    found: list[Packet] = []
    for hop in hops:
        root = way_of(hop)[0]
        if id(root) not in packets:
            packets[id(root)] = Packet(root.frame)
            found.append(packets[id(root)])
        packets[id(root)].hops.append(hop)
    return found


def key_of(frame: bytes) -> Key:
    """What does not change on the way."""
    if int.from_bytes(frame[12:_ETHERNET], "big") != ETHERTYPE_IPV4:
        return (frame[12:],)
    payload = _ETHERNET + (frame[14] & 0xF) * 4
    # Length, identification and fragment; protocol; both addresses; what is behind the header.
    return frame[16:22], frame[23:24], frame[26:34], frame[payload:]
