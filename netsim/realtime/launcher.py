"""How node processes come into being: by the zygote, or by a start method of multiprocessing."""

from __future__ import annotations

from typing import Final, Literal, Protocol

from netsim.realtime.network_clock import NetworkClock
from netsim.site.messages import Boot
from netsim.topology.plan import NetworkPlan

StartMethod = Literal["fork", "forkserver", "spawn"]
START_METHODS: Final[tuple[StartMethod, ...]] = ("fork", "forkserver", "spawn")


class Reports(Protocol):
    """What a launcher tells of the processes it has launched."""

    def launched(self, node: str, pid: int) -> None:
        """The process of a node exists."""

    def not_launched(self, node: str, reason: str) -> None:
        """There is no process for a node; the reason is for a person to read."""

    def exited(self, pid: int, code: int) -> None:
        """A process has ended and is reaped; negative for a signal."""

    def shares_network(self, reason: str) -> None:
        """Processes are in the machine's network, for a reason that a person may read."""

    def launcher_lost(self, reason: str | None) -> None:
        """The launcher is gone, and with it every process; the reason, where it has told one."""


class Launcher(Protocol):
    """Starts the processes of one network."""

    @property
    def name(self) -> str:
        """What a person may call it, with its process."""

    def open(self, plan: NetworkPlan, clock: NetworkClock, reports: Reports) -> None:
        """Get ready, on the running loop, to launch the nodes of `plan`."""

    def launch(self, boot: Boot, descriptors: list[int]) -> None:
        """Start a node; the caller closes its own copies of the descriptors.

        They are as of `netsim.realtime.site_process.run`.
        """

    def kill_node(self, node: str) -> None:
        """SIGKILL the process of a node, if there is one; its exit is reported."""

    async def end(self) -> None:
        """Kill and reap what is left; nothing of the launcher remains."""

    def kill(self) -> None:
        """SIGKILL every process now; `end` still has to be awaited."""
