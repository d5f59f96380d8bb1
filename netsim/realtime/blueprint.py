"""What all nodes of a network share."""

from __future__ import annotations

from pathlib import Path

from netsim.interception.empty_network import EmptyNetwork
from netsim.realtime.network_clock import NetworkClock
from netsim.site.paths import PathFinder
from netsim.topology.plan import NetworkPlan


class Blueprint:
    """Made once, by the zygote.

    A node that only reads what it needs of it leaves the rest in memory shared with all others.
    """

    def __init__(
        self, plan: NetworkPlan, clock: NetworkClock, network: EmptyNetwork | None = None
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.network = network
        """The zygote's, which nodes leave."""
        self.paths = PathFinder(plan)
        self.folder = str(Path(plan.file).parent) if plan.file else None
        """Where the topology file and the users' modules are."""
