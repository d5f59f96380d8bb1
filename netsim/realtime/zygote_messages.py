"""What the supervisor and its zygote say to each other. Light: both import it before all else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netsim.realtime.network_clock import NetworkClock

if TYPE_CHECKING:
    from netsim.site.messages import Boot
    from netsim.topology.plan import NetworkPlan

# To the zygote ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """The network that nodes will belong to; all have the `clock`."""

    plan: NetworkPlan
    clock: NetworkClock
    path: tuple[str, ...]
    """`sys.path`."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Start a node. With it come as many descriptors, see `netsim.realtime.site_process.run`."""

    boot: Boot
    descriptors: int


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to the process of a node."""

    node: str


@dataclass(frozen=True, slots=True)
class End:
    """Kill and reap what is left, and end."""


# From the zygote -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotPrepared:
    """It ends before it has forked any node; the reason is for a person to read."""

    reason: str


@dataclass(frozen=True, slots=True)
class SharesNetwork:
    """Nodes are in the machine's network, for a reason that a person may read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Forked:
    """The process of a node exists."""

    node: str
    pid: int


@dataclass(frozen=True, slots=True)
class NotForked:
    """The kernel refused; the reason is for a person to read."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reaped:
    """A process has ended; the code is negative for a signal."""

    pid: int
    code: int
