"""One interface as whoever watches it sees it: each frame once, and what became of it there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from netsim.node.port import Port
from netsim.observe.captured import Passed
from netsim.observe.tap import Direction, forget_losses, watch_losses


class PortTap:
    """Shows `tell` the frames of a port that `matches` lets through, until `detach`.

    A frame that has no room in its queue is shown once, as dropped; what is lost later is shown
    a second time. `number` is what the interface is called.
    """

    def __init__(
        self,
        port: Port,
        number: int,
        matches: Callable[[bytes], bool],
        tell: Callable[[Passed], None],
    ) -> None:
        self._port = port
        self._number = number
        self._matches = matches
        self._tell = tell
        self._refused: tuple[bytes, int] | None = None
        """The frame that its queue dropped last, and when: the port shows it next."""
        self._on_arrival = partial(self._lost, Direction.INBOUND)
        self._on_departure = partial(self._lost, Direction.OUTBOUND)
        port.taps.append(self)
        watch_losses(port, self._on_arrival)
        watch_losses(port.egress, self._on_departure)

    def detach(self) -> None:
        """Watch no more."""
        self._port.taps.remove(self)
        forget_losses(self._port, self._on_arrival)
        forget_losses(self._port.egress, self._on_departure)

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        if not self._matches(frame):
            return
        if direction is Direction.OUTBOUND and self._refused is not None:
            refused, self._refused = self._refused, None
            if refused[0] is frame and refused[1] == time_ns:
                return
        self._tell((time_ns, self._number, direction, frame, ""))

    def _lost(self, direction: Direction, frame: bytes, reason: str, now: int) -> None:
        if self._matches(frame):
            if direction is Direction.OUTBOUND:
                self._refused = frame, now
            self._tell((now, self._number, direction, frame, reason))
