"""Routes follow what is up: recomputed a while after carriers and nodes have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping

from netsim.core.time import SECOND
from netsim.network.outages import Outages
from netsim.topology.plan import NetworkPlan, RouteChange
from netsim.topology.routing import Routing

Changes = Mapping[str, RouteChange]
Install = Callable[[Changes, frozenset[int]], None]


class Rerouting:
    """Recomputes routes `convergence` after the first of the changes that come together.

    `install(changes, dead)` tells what becomes different in the tables of routers, and which links
    are down. It is called when that is not what was told last, or not to everybody. The work is
    done in pieces, between which the loop does what else there is. With `routing: static` no
    table changes: an interface without carrier withdraws what leads over it by itself.
    """

    def __init__(self, plan: NetworkPlan, outages: Outages, install: Install, speed: float) -> None:
        self._speed = speed
        self._plan = plan
        self._outages = outages
        self._install = install
        self._delay = plan.convergence_ns / SECOND
        self._routing: Routing | None = None
        """Made at the first change: most networks never see one."""
        self._told: frozenset[int] = frozenset()
        self._new: set[str] = set()
        """Nodes that have started since and know nothing but the plan."""
        self._next: asyncio.Handle | None = None
        self._is_working = False
        self._is_due_again = False
        self._has_ended = False
        self.settled = asyncio.Event()
        """Set while nothing has changed that was not told."""
        self.settled.set()

    def soon(self) -> None:
        """Something has changed."""
        if self._is_working:
            self._is_due_again = True
        elif self._next is None and not self._has_ended:
            loop = asyncio.get_running_loop()
            self._next = loop.call_later(self._delay / self._speed, self._begin)
            self.settled.clear()

    def node_started(self, node: str) -> None:
        """A node has started again, with the routes of the plan."""
        self._new.add(node)

    def end(self) -> None:
        """Recompute nothing any more."""
        if self._next is not None:
            self._next.cancel()
        self._has_ended = True
        self.settled.set()

    def _begin(self) -> None:
        self._is_working = True
        self._work_on(self._recompute())

    def _work_on(self, work: Generator[None, None, None]) -> None:
        try:
            next(work)
        except StopIteration:
            self._next = None
            self._is_working = False
            if self._is_due_again:
                self._is_due_again = False
                self.soon()
            else:
                self.settled.set()
        else:
            self._next = asyncio.get_running_loop().call_soon(self._work_on, work)

    def _recompute(self) -> Generator[None, None, None]:
        dead = self._outages.dead_links()
        new, self._new = self._new, set()
        if dead == self._told and not new:
            return
        changes: dict[str, RouteChange] = {}
        if self._plan.routing == "auto":
            changes = yield from self._changes(dead, new)
        self._told = dead
        self._install(changes, dead)

    def _changes(
        self, dead: frozenset[int], new: set[str]
    ) -> Generator[None, None, dict[str, RouteChange]]:
        if self._routing is None:
            self._routing = Routing(self._plan)
            yield from self._routing.compute()
        changes = yield from self._routing.change(dead)
        for name in sorted(new):
            if self._plan.node(name).traits.forwards:
                changes[name] = self._routing.since_the_plan(name)
        # Who has gone, or come back, since the work began is told when he is new.
        absent = self._outages.nodes | self._new
        return {name: each for name, each in changes.items() if each and name not in absent}
