"""Routes follow what is up: recomputed a while after carriers and nodes have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from netsim.core.time import SECOND
from netsim.network.convergence import Convergence
from netsim.topology.plan import NetworkPlan


class Rerouting:
    """Recomputes routes `convergence` after the first of the changes that come together.

    `install(changed)` puts `convergence.routes` in force; `changed` are the nodes whose routes
    are not what they were. With `routing: static` nothing is ever recomputed: interfaces without a
    carrier withdraw what leads over them by themselves.
    """

    def __init__(self, plan: NetworkPlan, install: Callable[[list[str]], None]) -> None:
        self.convergence = Convergence(plan)
        self._is_static = plan.routing == "static"
        self._delay = plan.convergence_ns / SECOND
        self._install = install
        self._due: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Something has changed."""
        if self._due is None and not self._is_static:
            self._due = asyncio.get_running_loop().call_later(self._delay, self._recompute)

    def end(self) -> None:
        """Recompute nothing any more."""
        if self._due is not None:
            self._due.cancel()
        self._is_static = True

    def _recompute(self) -> None:
        self._due = None
        changed = self.convergence.recompute()
        if changed:
            self._install(sorted(changed))
