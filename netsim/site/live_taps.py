"""Live captures at the nodes of a site: what passes goes to whoever asked for it, in batches.

A node never waits for the reader. A batch that the way there does not take is lost and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from netsim.node.base_node import Node
from netsim.observe.captured import CapturedBatch, Passed, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.frame_match import matcher
from netsim.site.port_tap import PortTap

MOST_FRAMES: Final = 500
MOST_OCTETS: Final = 1 << 18
"""Of one batch: what has more is sent before its time."""

Deliver: TypeAlias = Callable[[CapturedBatch], bool]
"""Takes a batch; False when it has no room for it."""


class LiveTaps:
    """The live captures of one site.

    `schedule` is the site's; `nodes` are those that are up there.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        schedule: Callable[[int, Callable[[int, Any, bytes], None], Any], None],
    ) -> None:
        self._nodes = nodes
        self._schedule = schedule
        self._captures: dict[int, _LiveCapture] = {}

    def begin(
        self,
        number: int,
        points: Points,
        expression: Expression | None,
        deliver: Deliver,
        send_at: Callable[[int], int],
    ) -> None:
        """Capture what passes `points` from now on.

        What has passed at some time (ns) is delivered at `send_at` of it, with all that has
        followed.
        """
        capture = _LiveCapture(points, expression, deliver)
        capture.send_soon = lambda now: self._schedule(send_at(now), capture.send, None)
        self._captures[number] = capture
        for name in points:
            if name in self._nodes:
                capture.attach(self._nodes[name])

    def end(self, number: int) -> CapturedBatch:
        """Capture no more; what was not delivered yet."""
        capture = self._captures.pop(number, None)
        if capture is None:
            return CapturedBatch()
        capture.detach()
        return capture.batch()

    def resume(self, node: Node) -> None:
        """A node has started again here: its captures go on."""
        for capture in self._captures.values():
            if node.name in capture.points:
                capture.attach(node)

    def flush(self) -> None:
        """Deliver what there is."""
        for capture in self._captures.values():
            capture.send(0, None, b"")

    def close(self) -> None:
        """Nothing is captured any more."""
        for number in list(self._captures):
            self.end(number)


class _LiveCapture:
    def __init__(self, points: Points, expression: Expression | None, deliver: Deliver) -> None:
        self.points = points
        self.send_soon: Callable[[int], None] = lambda now: None
        self._matches = matcher(expression)
        self._deliver = deliver
        self._taps: list[PortTap] = []
        self._frames: list[Passed] = []
        self._octets = 0
        self._lost: Counter[int] = Counter()

    def attach(self, node: Node) -> None:
        numbers = self.points[node.name]
        for port in node.ports:
            if port.name in numbers:
                tap = PortTap(port, numbers[port.name], self._matches, self.add)
                self._taps.append(tap)

    def detach(self) -> None:
        for tap in self._taps:
            tap.detach()
        self._taps.clear()

    def add(self, passed: Passed) -> None:
        frames = self._frames
        if not frames:
            self.send_soon(passed[0])
        frames.append(passed)
        self._octets += len(passed[3])
        if len(frames) >= MOST_FRAMES or self._octets >= MOST_OCTETS:
            self.send(passed[0], None, b"")

    def batch(self) -> CapturedBatch:
        """What there is, and no more of it here."""
        batch = CapturedBatch(tuple(self._frames), dict(self._lost))
        self._frames.clear()
        self._octets = 0
        self._lost.clear()
        return batch

    def send(self, now: int, _: None, __: bytes) -> None:
        if not (self._frames or self._lost):
            return
        batch = self.batch()
        if not self._deliver(batch):
            self._lost.update(batch.lost)
            self._lost.update(number for _, number, _, _, _ in batch.frames)
