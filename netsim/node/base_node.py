"""What every kind of node is: a state machine with ports, driven with frames and the time.

A runtime calls `receive_frame`, asks `timers` when it is to call `handle_timer`, and sends what
the ports in `sending` have queued. The same node runs in a process of its own, in virtual time, and
under a test without either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter

from netsim.node.port import Port
from netsim.stack.timers import Timers


class Node(ABC):
    """One node of the network. `now` is network time in ns everywhere."""

    def __init__(self, name: str, ports: list[Port]) -> None:
        self.name = name
        self.ports = ports
        self.timers = Timers()
        """Those of the stack; none ever runs on a node that has no stack."""
        self.sending: dict[Port, None] = {}
        """Ports that were given frames since the runtime last looked, in that order."""

    @abstractmethod
    def receive_frame(self, port: Port, frame: bytes, now: int) -> None:
        """Take a frame that is due. Whatever it contains, nothing is raised."""

    def handle_timer(self, now: int) -> None:
        """Do what is due."""
        self.timers.fire(now)

    @property
    @abstractmethod
    def has_output(self) -> bool:
        """Whether programs have written something since the last `flush`."""

    @abstractmethod
    def flush(self, now: int) -> None:
        """Send what programs on this node have written."""

    @property
    @abstractmethod
    def drops(self) -> Counter[str]:
        """Frames and packets the node itself has discarded, by reason."""

    def set_carrier(self, port: Port, up: bool, now: int) -> None:
        """The cable at a port was connected or lost."""
        if port.up == up:
            return
        port.up = up
        port.egress.set_carrier(up, now)
        self.carrier_changed(port, now)

    @abstractmethod
    def carrier_changed(self, port: Port, now: int) -> None:
        """React to `port.up`."""
