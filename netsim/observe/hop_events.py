"""What happens to frames at the two ends of a link, noted while a request is traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from netsim.wire.address import IpAddress
from netsim.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4
from netsim.wire.ethernet import HEADER_LENGTH as _ETHERNET
from netsim.wire.ipv4 import PROTOCOL_ICMP, PROTOCOL_TCP

MOST_EVENTS: Final = 20_000
"""That are noted at a node; the rest is counted."""

What: TypeAlias = Literal["queued", "left", "dropped", "arrived", "lost"]
"""At the sender it enters the queue, and leaves it or is dropped; at the receiver it arrives, or is
lost on arrival."""


class HopEvent(NamedTuple):
    """One of them. Times are network time in ns."""

    what: What
    time_ns: int
    """When it happens; of `left` when its serialisation starts."""
    link: int
    """Index in the plan."""
    sender: str
    """`r1:eth0`"""
    receiver: str
    frame: bytes
    serialised_ns: int = 0
    """Of `left`: when its last bit has left."""
    due_ns: int = 0
    """Of `left`: when it is to arrive."""
    reason: str = ""
    """Of `dropped` and `lost`."""


class HopBatch(NamedTuple):
    """What a site has noted: at each node in the order in which it happened."""

    events: Sequence[HopEvent] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class HopFilter:
    """Which frames are noted: what goes between a client and a port, and all ARP."""

    client: frozenset[IpAddress]
    port: int

    def __call__(self, frame: bytes) -> bool:
        kind = int.from_bytes(frame[12:_ETHERNET], "big")
        if kind != ETHERTYPE_IPV4:
            return kind == ETHERTYPE_ARP
        if not (frame[26:30] in self.client or frame[30:34] in self.client):
            return False
        if frame[23] != PROTOCOL_TCP:
            return frame[23] == PROTOCOL_ICMP
        ports = _ETHERNET + (frame[14] & 0xF) * 4
        first, second = frame[ports : ports + 2], frame[ports + 2 : ports + 4]
        return self.port in (int.from_bytes(first, "big"), int.from_bytes(second, "big"))
