"""Where a port meets the processes of this world: its ends of the two wires of its cable."""

from __future__ import annotations

from typing import Any

from netsim.link.link import Departure
from netsim.node.port import Port
from netsim.runtime.books import egress_books, ingress_books
from netsim.runtime.process.wire import WireReceiver, WireSender


class CableEnd:
    """A port and its wires; none while the neighbour is down.

    A neighbour that comes back brings new wires: nothing that an old one was in the middle of
    writing reaches anybody.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.sender: WireSender | None = None
        self.receiver: WireReceiver | None = None
        self.at_risk = 0
        """Frames that the wires from here that have ended can have held at most."""
        self.committed = -1
        """`progress` when the books were written last."""
        self._lost: dict[str, int] = {}

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
            self.at_risk += sender.held_at_most
            self._lost = self.lost
            sender.close()
            self.sender = None

    def put(self, departures: list[Departure]) -> None:
        """Frames for the wire."""
        if self.sender is None:
            self._lost["carrier"] = self._lost.get("carrier", 0) + len(departures)
        else:
            self.sender.put(departures)

    @property
    def held_at_most(self) -> int:
        """Frames that the present wire from here can hold at most, or could as it broke."""
        return 0 if self.sender is None else self.sender.held_at_most

    @property
    def lost(self) -> dict[str, int]:
        """Frames that the link handed over and no wire took, by reason."""
        if self.sender is None or not self.sender.lost:
            return self._lost
        lost = dict(self._lost)
        for reason, frames in self.sender.lost.items():
            lost[reason] = lost.get(reason, 0) + frames
        return lost

    @property
    def progress(self) -> int:
        """Grows with every frame that enters or leaves the books of this port."""
        port = self.port
        counters = port.egress.counters
        return counters.sent + counters.handed_over + port.received + port.delivered

    def egress_books(self) -> dict[str, Any]:
        """The direction that leaves here, now."""
        at_risk = self.at_risk
        if self.sender is not None and self.sender.broken:
            at_risk += self.sender.held_at_most
        return {**egress_books(self.port), "lost": dict(self.lost), "at_risk": at_risk}

    def ingress_books(self) -> dict[str, Any]:
        """The direction that arrives here, now."""
        return ingress_books(self.port)
