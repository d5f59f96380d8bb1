"""Watching frames at the nodes of a site: captures, traces, and what became of the last ones."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterable
from typing import IO, Any, BinaryIO

from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.observe.frame_log import (
    DELIVERED,
    RECENT_FRAMES,
    FrameRecord,
    FrameTrace,
    Observer,
    RecentFrames,
)
from netsim.observe.pcapng import CaptureTarget, PcapngTap
from netsim.observe.tap import Direction, Tap, watch_losses

_log = logging.getLogger("netsim.capture")


class Watch:
    """Whoever watches the nodes of one site. Files stay open until `close`."""

    def __init__(self) -> None:
        self._files: list[IO[Any]] = []
        self._captured: dict[str, BinaryIO] = {}
        """Files of captures, by path."""
        self._captures: dict[str, list[tuple[Collection[str], Tap]]] = {}
        """By node: interfaces, and what writes."""
        self._taps: list[tuple[str, PcapngTap]] = []
        """Those of captures, with the path of the file."""
        self.never_waits = False
        """For whoever reads a pipe: real time goes on."""
        self._recent = RecentFrames(RECENT_FRAMES)
        self.observers: list[Observer] = [self._recent]
        self.is_observing = False
        """Whether the fate of every frame is looked at, of nodes that come later as well."""

    def capture(self, node: Node, target: CaptureTarget) -> None:
        """Append what passes interfaces of a node to a file that is begun; OSError."""
        if (file := self._captured.get(target.path)) is None:
            # Unbuffered: a reader sees each frame at once, and none is lost with the process.
            file = open(target.path, "ab", buffering=0, opener=self._open)  # noqa: SIM115  # see `close`
            self._captured[target.path] = file
            self._files.append(file)
        tap = PcapngTap(file, target)
        self._taps.append((target.path, tap))
        self._captures.setdefault(node.name, []).append((target.numbers, tap))
        _attach(tap, node, target.numbers)

    def resume(self, node: Node) -> None:
        """A node has started again here: its captures go on."""
        for interfaces, tap in self._captures.get(node.name, ()):
            _attach(tap, node, interfaces)

    def trace(self, path: str) -> FrameTrace:
        """Write the fate of every frame as lines of JSON; OSError when the file cannot be made."""
        file = open(path, "w", encoding="ascii")  # noqa: SIM115  # see `close`
        self._files.append(file)
        trace = FrameTrace(file)
        self.observers.append(trace)
        return trace

    def observe(self, node: Node, links: Iterable[int]) -> None:
        """Look at every frame of a node; `links` are the indices of the links at its ports."""
        self.is_observing = True
        for port, link in zip(node.ports, links, strict=True):
            _PortObserver(node.name, port, link, self._observe)

    def recent_frames(self) -> list[FrameRecord]:
        """The last frames observed, oldest first."""
        return self._recent.records()

    def tell_losses(self) -> None:
        """Log how many packets files of captures have had no room for, once."""
        lost: Counter[str] = Counter()
        for path, tap in self._taps:
            lost[path] += tap.lost
        for path, packets in lost.items():
            if packets:
                _log.warning("%s lacks %d packets that it had no room for", path, packets)
        self._taps.clear()

    def close(self) -> None:
        """Nothing is written any more."""
        self.tell_losses()
        for file in self._files:
            file.close()
        self._files.clear()

    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags | (os.O_NONBLOCK if self.never_waits else 0), 0o666)

    def _observe(self, record: FrameRecord) -> None:
        for observer in self.observers:
            observer(record)


def _attach(tap: Tap, node: Node, interfaces: Collection[str]) -> None:
    for port in node.ports:
        if port.name in interfaces:
            port.taps.append(tap)


class _PortObserver:
    """Watches one port: what arrives there, and what its own direction drops."""

    def __init__(self, node: str, port: Port, link: int, observer: Observer) -> None:
        self._link = link
        self._here = f"{node}:{port.name}"
        self._there = f"{port.peer}:{port.peer_port}"
        self._observer = observer
        port.taps.append(self)
        watch_losses(port, self._lost_on_arrival)
        watch_losses(port.egress, self._dropped)

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        if direction is Direction.INBOUND:
            self._arrived(time_ns, frame, DELIVERED)

    def _lost_on_arrival(self, frame: bytes, reason: str, now: int) -> None:
        self._arrived(now, frame, reason)

    def _arrived(self, now: int, frame: bytes, fate: str) -> None:
        self._observer(FrameRecord(now, self._link, self._there, self._here, frame, fate))

    def _dropped(self, frame: bytes, reason: str, now: int) -> None:
        self._observer(FrameRecord(now, self._link, self._here, self._there, frame, reason))
