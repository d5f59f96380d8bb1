"""Where a port meets the processes of this world: its ends of the two wires of its cable."""

from __future__ import annotations

from typing import Any

from netsim.link.simplex_link import Departure
from netsim.node.port import Port
from netsim.realtime.wire import WireReceiver, WireSender
from netsim.site.port_counters import egress_books, ingress_books


class CableEnd:
    """A port and its wires; none while the neighbour is down.

    A neighbour that comes back brings new wires: nothing that an old one was in the middle of
    writing reaches anybody.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.sender: WireSender | None = None
        self.receiver: WireReceiver | None = None
        self.messages_read = 0
        self.committed = -1
        """`progress` when the books were written last."""
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

    def put(self, departures: list[Departure]) -> None:
        """Frames for the wire."""
        if self.sender is None:
            self._lost["carrier"] = self._lost.get("carrier", 0) + len(departures)
        else:
            self.sender.put(departures)

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

    @property
    def progress(self) -> int:
        """Grows with every frame that enters or leaves the books of this port."""
        port = self.port
        counters = port.egress.counters
        frames = counters.sent + counters.handed_over + port.received + port.delivered
        return frames + self.messages_sent + self.messages_read

    def egress_books(self) -> dict[str, Any]:
        """The direction that leaves here, now."""
        books = egress_books(self.port)
        return books | {"lost": dict(self.lost), "messages": self.messages_sent}

    def ingress_books(self) -> dict[str, Any]:
        """The direction that arrives here, now."""
        return ingress_books(self.port) | {"messages": self.messages_read}
