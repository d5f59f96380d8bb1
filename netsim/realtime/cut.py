"""A site's part of consistent cuts through the network, for accounts that come out exactly.

The counters of each sending direction are read when the supervisor asks, and a marker follows on
the wire; those of a receiving direction are read when the neighbour's marker arrives (Chandy and
Lamport 1985). So both ends describe the same moment of the wire, under any load. A cable inside the
site has no wire: both of its ends are read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from netsim.realtime.cable_end import CableEnd
from netsim.site.accounting import NodeCounters

Counters = dict[str, NodeCounters]


class Cuts:
    """The cuts under way. `on_done(number, counters)` is called when all of this site is read.

    Their numbers grow; one that begins ends those before it, which nobody waits for any more.
    `stays_inside` says of an end whether its cable has no wires.
    """

    def __init__(
        self,
        ends: Collection[CableEnd],
        stays_inside: Callable[[CableEnd], bool],
        on_done: Callable[[int, Counters], None],
    ) -> None:
        self._ends = ends
        self._stays_inside = stays_inside
        self._on_done = on_done
        self._newest = 0
        self._counters: Counters = {}
        self._asked = False

    def begin(self, number: int) -> None:
        """Read what the site's nodes send. The place on every wire is marked already."""
        self._turn_to(number)
        if number < self._newest:
            return
        self._asked = True
        for end in self._ends:
            if end.sender is not None:
                # At once: a neighbour that is gone is noticed here, or is there to answer.
                end.sender.flush()
            self._of(end).egress[end.port.name] = end.egress_counters()
            if self._stays_inside(end):
                self._of(end).ingress[end.port.name] = end.ingress_counters()
        self.look()

    def marked(self, number: int, end: CableEnd) -> None:
        """A neighbour's marker has arrived: read what has come from it."""
        self._turn_to(number)
        if number == self._newest:
            self._of(end).ingress[end.port.name] = end.ingress_counters()
            self.look()

    def look(self) -> None:
        """The cut may be complete, since a marker has arrived or a neighbour is gone."""
        if not self._asked:
            return
        missing = [end for end in self._ends if end.port.name not in self._of(end).ingress]
        if any(end.receiver is not None for end in missing):
            return
        for end in missing:
            # No marker comes from the dead.
            self._of(end).ingress[end.port.name] = end.ingress_counters()
        self._asked = False
        self._on_done(self._newest, self._counters)

    def _of(self, end: CableEnd) -> NodeCounters:
        return self._counters.setdefault(end.node, NodeCounters())

    def _turn_to(self, number: int) -> None:
        """A neighbour's marker may come before the supervisor's word."""
        if number > self._newest:
            self._newest = number
            self._counters = {}
            self._asked = False
