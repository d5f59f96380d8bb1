"""One end of a cable at a node: the direction it owns, and what comes the other way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from netsim.link.simplex_link import Departure, OnDrop, SimplexLink
from netsim.observe.tap import Direction, Tap
from netsim.wire.address import MacAddress


class Port:
    """A node's attachment to one link. It owns the egress direction; the peer owns the other."""

    __slots__ = (
        "delivered",
        "delivered_bytes",
        "departure_taps",
        "egress",
        "index",
        "ingress_dropped",
        "mac",
        "mtu",
        "name",
        "on_drop",
        "peer",
        "peer_port",
        "received",
        "taps",
        "up",
    )

    def __init__(
        self,
        index: int,
        name: str,
        mac: MacAddress,
        mtu: int,
        egress: SimplexLink,
        peer: str,
        peer_port: str,
    ) -> None:
        self.index = index
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.egress = egress
        self.peer = peer
        self.peer_port = peer_port
        self.up = True
        """Whether there is a carrier."""
        self.taps: list[Tap] = []
        self.departure_taps: list[Callable[[list[Departure]], None]] = []
        """Are shown what leaves the queue, up to a look-ahead before its time."""
        self.received = 0
        """Frames that came off the cable; those not yet due are still in flight."""
        self.delivered = 0
        """Frames handed to the node."""
        self.delivered_bytes = 0
        """Their octets, without preamble and frame check sequence."""
        self.ingress_dropped: Counter[str] = Counter()
        """Frames that arrived and were not delivered, by reason."""
        self.on_drop: OnDrop | None = None
        """Is shown every frame that arrives and is not delivered."""

    @property
    def in_flight(self) -> int:
        """Frames received and not yet due."""
        return self.received - self.delivered - sum(self.ingress_dropped.values())

    def transmit(self, frame: bytes, now: int) -> None:
        """Put a frame into the queue of the cable, and show it to taps.

        Where the queue does not take it whoever watches losses has been shown it before.
        """
        self.egress.enqueue(frame, now)
        if self.up:
            for tap in self.taps:
                tap.frame_passed(now, self.name, Direction.OUTBOUND, frame)

    def deliver(self, frame: bytes, now: int) -> bool:
        """Account for a frame that is due; False when there is no carrier to receive it."""
        if not self.up:
            self.lose(frame, "carrier", now)
            return False
        self.delivered += 1
        self.delivered_bytes += len(frame)
        for tap in self.taps:
            tap.frame_passed(now, self.name, Direction.INBOUND, frame)
        return True

    def lose(self, frame: bytes, reason: str, now: int) -> None:
        """Account for a frame that was received and is not delivered."""
        self.ingress_dropped[reason] += 1
        if self.on_drop is not None:
            self.on_drop(frame, reason, now)
