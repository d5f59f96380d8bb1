"""Where a port meets the other sites of its network: its ends of the two wires of its cable."""

from __future__ import annotations

from dataclasses import replace

from netsim.link.simplex_link import Departure
from netsim.node.port import Port
from netsim.realtime.wire import WireReceiver, WireSender
from netsim.site.accounting import (
    EgressCounters,
    IngressCounters,
    egress_counters,
    ingress_counters,
)
from netsim.site.driver import Carry


class CableEnd:
    """A port and its wires; none while the neighbour is down, or where the cable stays in the site.

    A neighbour that comes back brings new wires: nothing that an old one was in the middle of
    writing reaches anybody. `slot` is the place of its counters in shared memory.
    """

    def __init__(self, node: str, port: Port, slot: int) -> None:
        self.node = node
        self.port = port
        self.slot = slot
        self.sender: WireSender | None = None
        self.receiver: WireReceiver | None = None
        self.messages_read = 0
        self._lost: dict[str, int] = {}
        self._messages = 0
        """Written to wires that have ended."""

    def connect(self, receiver: WireReceiver, sender: WireSender) -> None:
        """Attach the ends of two new wires."""
        assert self.sender is None, "the ends of old wires are disconnected first"
        self.receiver = receiver
        self.sender = sender

    def disconnect(self) -> None:
        """The neighbour is gone, and with it what is on the way to it."""
        if self.receiver is not None:
            self.receiver.close()
            self.receiver = None
        sender = self.sender
        if sender is not None:
            if not sender.broken:
                sender.give_up()
            self._messages = self.messages_sent
            self._lost = self.lost
            sender.close()
            self.sender = None

    @property
    def carry(self) -> Carry:
        """Whoever takes frames for the neighbour, until the next `connect` or `disconnect`."""
        return self._lose if self.sender is None else self.sender.put

    @property
    def messages_sent(self) -> int:
        """Messages written to wires, or on their way there; see `FRAMES_IN_A_MESSAGE`."""
        return self._messages if self.sender is None else self._messages + self.sender.messages

    @property
    def lost(self) -> dict[str, int]:
        """Frames that the link handed over and no wire took, by reason."""
        if self.sender is None or not self.sender.lost:
            return self._lost
        lost = dict(self._lost)
        for reason, frames in self.sender.lost.items():
            lost[reason] = lost.get(reason, 0) + frames
        return lost

    def egress_counters(self) -> EgressCounters:
        """The direction that leaves here, now."""
        counters = egress_counters(self.port)
        return replace(counters, lost=dict(self.lost), messages=self.messages_sent)

    def ingress_counters(self) -> IngressCounters:
        """The direction that arrives here, now."""
        return replace(ingress_counters(self.port), messages=self.messages_read)

    def _lose(self, departures: list[Departure]) -> None:
        self._lost["carrier"] = self._lost.get("carrier", 0) + len(departures)
