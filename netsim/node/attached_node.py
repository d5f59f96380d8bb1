"""A place in the network that is somebody else's: its cable ends in a device of this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from netsim.node.base_node import Node
from netsim.node.port import Port


class AttachedNode(Node):
    """Whoever holds the device sends and receives in its place; there is no stack of ours.

    It has one port. What comes off the cable goes to `give`, and what `take` is given goes onto it.
    """

    def __init__(self, name: str, ports: list[Port]) -> None:
        super().__init__(name, ports)
        self.give: Callable[[bytes], str | None] = lambda frame: "no-device"
        """Hands a frame to the device; why it could not, or None."""
        self.on_carrier: Callable[[bool], None] = lambda up: None
        """Is told when the cable is connected or lost."""
        self._taken: list[bytes] = []
        self._drops: Counter[str] = Counter()

    def take(self, frame: bytes) -> None:
        """A frame from the device; it goes out with the next `flush`."""
        self._taken.append(frame)

    def receive_frame(self, port: Port, frame: bytes, now: int) -> None:
        """Hand it to the device, which may refuse it: then it is counted by the reason."""
        refusal = self.give(frame)
        if refusal is not None:
            self._drops[refusal] += 1

    @property
    def has_output(self) -> bool:
        """Whether the device has given frames since the last `flush`."""
        return bool(self._taken)

    def flush(self, now: int) -> None:
        """Put what the device gave onto the cable; what is longer than its MTU is dropped there."""
        if not self._taken or not self.ports:
            return
        port = self.ports[0]
        for frame in self._taken:
            port.transmit(frame, now)
        self._taken.clear()
        self.sending[port] = None

    @property
    def drops(self) -> Counter[str]:
        """Frames that the device did not take, by reason."""
        return self._drops

    def carrier_changed(self, port: Port, now: int) -> None:
        """The device follows the cable."""
        self.on_carrier(port.up)
