"""A node's part of consistent cuts through the network, for accounts that come out exactly.

The books of each sending direction are closed when the supervisor asks, and a marker follows on
the wire; those of a receiving direction are closed when the neighbour's marker arrives (Chandy
and Lamport 1985). So both ends describe the same moment of the wire, under any load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netsim.realtime.cable_end import CableEnd
from netsim.site.accounting import Books


class Cuts:
    """The cuts under way. `on_done(number, books)` is called when this node's books are closed.

    Their numbers grow; one that begins ends those before it, which nobody waits for any more.
    """

    def __init__(self, ends: Sequence[CableEnd], on_done: Callable[[int, Books], None]) -> None:
        self._ends = ends
        self._on_done = on_done
        self._newest = 0
        self._books: Books = {"egress": {}, "ingress": {}}
        self._asked = False

    def begin(self, number: int) -> None:
        """Close the books of what this node sends. The place on every wire is marked already."""
        self._turn_to(number)
        if number < self._newest:
            return
        self._asked = True
        for end in self._ends:
            if end.sender is not None:
                # At once: a neighbour that is gone is noticed here, or is there to answer.
                end.sender.flush()
            self._books["egress"][end.port.name] = end.egress_books()
        self.look()

    def marked(self, number: int, end: CableEnd) -> None:
        """A neighbour's marker has arrived: close the books of what it sends."""
        self._turn_to(number)
        if number == self._newest:
            self._books["ingress"][end.port.name] = end.ingress_books()
            self.look()

    def look(self) -> None:
        """The cut may be complete, since a marker has arrived or a neighbour is gone."""
        if not self._asked:
            return
        ingress = self._books["ingress"]
        missing = [end for end in self._ends if end.port.name not in ingress]
        if any(end.receiver is not None for end in missing):
            return
        for end in missing:
            # No marker comes from the dead.
            ingress[end.port.name] = end.ingress_books()
        self._asked = False
        self._on_done(self._newest, self._books)

    def _turn_to(self, number: int) -> None:
        """A neighbour's marker may come before the supervisor's word."""
        if number > self._newest:
            self._newest = number
            self._books = {"egress": {}, "ingress": {}}
            self._asked = False
