"""Watching frames at the nodes of a site: captures, traces, and what became of the last ones."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.observe.captured import Passed
from netsim.observe.frame_log import (
    DELIVERED,
    RECENT_FRAMES,
    FrameRecord,
    FrameTrace,
    Observer,
    RecentFrames,
)
from netsim.observe.frame_match import matcher
from netsim.observe.pcapng import CaptureTarget, PcapngAppender
from netsim.observe.tap import Direction
from netsim.site.port_tap import PortTap

_log = logging.getLogger("netsim.capture")


class Watch:
    """Whoever watches the nodes of one site. Files stay open until `close`."""

    def __init__(self) -> None:
        self._files: list[IO[Any]] = []
        self._captured: dict[str, BinaryIO] = {}
        """Files of captures, by path."""
        self._captures: dict[str, list[_FileCapture]] = {}
        """By node."""
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
        capture = _FileCapture(target, PcapngAppender(file, target))
        self._captures.setdefault(node.name, []).append(capture)
        capture.attach(node)

    def resume(self, node: Node) -> None:
        """A node has started again here: its captures go on."""
        for capture in self._captures.get(node.name, ()):
            capture.attach(node)

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
            _watch_port(node.name, port, link, self._observe)

    def recent_frames(self) -> list[FrameRecord]:
        """The last frames observed, oldest first."""
        return self._recent.records()

    def finish_captures(self) -> None:
        """Files of captures have all that they get; log how much they had no room for."""
        lost: Counter[str] = Counter()
        for each in self._captures.values():
            for capture in each:
                capture.appender.finish()
                lost[capture.target.path] += capture.appender.lost.total()
        for path, packets in lost.items():
            if packets:
                _log.warning("%s lacks %d packets that it had no room for", path, packets)
        self._captures.clear()

    def close(self) -> None:
        """Nothing is written any more."""
        self.finish_captures()
        for file in self._files:
            file.close()
        self._files.clear()

    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags | (os.O_NONBLOCK if self.never_waits else 0), 0o666)

    def _observe(self, record: FrameRecord) -> None:
        for observer in self.observers:
            observer(record)


@dataclass(frozen=True, slots=True)
class _FileCapture:
    """What one node appends to one file."""

    target: CaptureTarget
    appender: PcapngAppender

    def attach(self, node: Node) -> None:
        matches = matcher(self.target.expression)
        for port in node.ports:
            if (number := self.target.numbers.get(port.name)) is not None:
                PortTap(port, number, matches, self.appender.add)


def _watch_port(node: str, port: Port, link: int, observer: Observer) -> None:
    """Show what arrives at a port, and what its own direction drops."""
    here, there = f"{node}:{port.name}", f"{port.peer}:{port.peer_port}"

    def tell(passed: Passed) -> None:
        time_ns, _, direction, frame, reason = passed
        if direction is Direction.INBOUND:
            observer(FrameRecord(time_ns, link, there, here, frame, reason or DELIVERED))
        elif reason:
            observer(FrameRecord(time_ns, link, here, there, frame, reason))

    PortTap(port, link, lambda frame: True, tell)
