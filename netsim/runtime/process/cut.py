"""A node's part of consistent cuts through the network, for accounts that come out exactly.

The books of each sending direction are closed when the supervisor asks, and a marker follows on
the wire; those of a receiving direction are closed when the neighbour's marker arrives (Chandy
and Lamport 1985). So both ends describe the same moment of the wire, under any load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netsim.node.port import Port
from netsim.runtime.process.wire import WireSender

Books = dict[str, dict[str, Any]]
"""`"egress"` and `"ingress"`, each by the name of the interface."""


class Cuts:
    """The cuts under way. `on_done(number, books)` is called when this node's books are closed."""

    def __init__(self, on_done: Callable[[int, Books], None]) -> None:
        self._on_done = on_done
        self._open: dict[int, Books] = {}

    def begin(self, number: int, ends: list[tuple[Port, WireSender]]) -> None:
        """Close the books of what this node sends, and mark the place on every wire."""
        books = self._books(number)
        for port, sender in ends:
            books["egress"][port.name] = _egress(port, sender)
            if not sender.broken:
                sender.mark(number)
        self._finish(number, ends)

    def marked(self, number: int, port: Port, ends: list[tuple[Port, WireSender]]) -> None:
        """A neighbour's marker has arrived at `port`: close the books of what it sends."""
        self._books(number)["ingress"][port.name] = _ingress(port)
        self._finish(number, ends)

    def carrier_lost(self, ends: list[tuple[Port, WireSender]]) -> None:
        """A neighbour is gone: cuts under way do not wait for its marker any more."""
        for number in list(self._open):
            self._finish(number, ends)

    def _books(self, number: int) -> Books:
        return self._open.setdefault(number, {"egress": {}, "ingress": {}})

    def _finish(self, number: int, ends: list[tuple[Port, WireSender]]) -> None:
        books = self._open[number]
        if len(books["egress"]) < len(ends):
            return
        missing = [(port, sender) for port, sender in ends if port.name not in books["ingress"]]
        if any(port.up and not sender.broken for port, sender in missing):
            return
        for port, _ in missing:
            # No marker comes from the dead.
            books["ingress"][port.name] = _ingress(port)
        del self._open[number]
        self._on_done(number, books)


def _egress(port: Port, sender: WireSender) -> dict[str, Any]:
    counters = port.egress.counters
    return {
        "sent": counters.sent,
        "duplicated": counters.duplicated,
        "dropped": dict(counters.dropped),
        "lost": dict(sender.lost),
        "queued": port.egress.queued(),
    }


def _ingress(port: Port) -> dict[str, Any]:
    return {
        "delivered": port.delivered,
        "dropped": dict(port.ingress_dropped),
        "in_flight": port.in_flight,
    }
