"""Shows an observer the fate of every frame at a node."""

from __future__ import annotations

from netsim.node.port import Port
from netsim.observe.frame_log import DELIVERED, FrameRecord, Observer
from netsim.observe.tap import Direction


class PortObserver:
    """Watches one port: what arrives there, and what its own direction drops."""

    def __init__(self, node: str, port: Port, link: int, observer: Observer) -> None:
        self._link = link
        self._here = f"{node}:{port.name}"
        self._there = f"{port.peer}:{port.peer_port}"
        self._observer = observer
        port.taps.append(self)
        port.on_drop = self._lost_on_arrival
        port.egress.on_drop = self._dropped

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        """See `netsim.observe.tap.Tap`."""
        if direction is Direction.INBOUND:
            self._arrived(time_ns, frame, DELIVERED)

    def _lost_on_arrival(self, frame: bytes, reason: str, now: int) -> None:
        self._arrived(now, frame, reason)

    def _arrived(self, now: int, frame: bytes, fate: str) -> None:
        self._observer(FrameRecord(now, self._link, self._there, self._here, frame, fate))

    def _dropped(self, frame: bytes, reason: str, now: int) -> None:
        self._observer(FrameRecord(now, self._link, self._here, self._there, frame, reason))
