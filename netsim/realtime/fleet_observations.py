"""What is observed at all nodes of a fleet, also at those that start again meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from netsim.observe.captured import CapturedBatch, Points
from netsim.observe.filter_expression import Expression
from netsim.observe.frame_log import RECENT_FRAMES, FrameRecord
from netsim.observe.hop_events import HopBatch, HopFilter
from netsim.observe.measurement import Batch, Watched
from netsim.observe.pcapng import CaptureTarget
from netsim.realtime.fleet import Fleet
from netsim.realtime.node_handle import ANSWER_TIMEOUT
from netsim.site import messages


class FleetObservations:
    """Does what `Backend` says of captures, traces and measurements."""

    def __init__(self, fleet: Fleet, now: Callable[[], int]) -> None:
        self._fleet = fleet
        self._now = now
        self._observing = False
        self._recordings: dict[int, tuple[Watched, int, int]] = {}
        """What is measured, how often, and since when."""
        self._captures: dict[int, tuple[Points, Expression | None]] = {}
        """What is captured live, and which frames."""
        self._capture_epochs: dict[str, int] = {}
        """By file: the wall time at network time 0, ns since the Unix epoch."""

    def go_on_at(self, node: str) -> None:
        """A node has started again."""
        if self._observing:
            self._fleet.nodes[node].send(messages.ObserveFrames())
        self._tell_recordings(node, *self._recordings)
        self._tell_captures(node, *self._captures)

    async def _ask(self, nodes: Iterable[str], kind: Callable[..., Any], *about: Any) -> list[Any]:
        """What those answer that are up; who does not answer in time is left out."""
        handles = [self._fleet.nodes[name] for name in nodes if self._fleet.nodes[name].up]
        answers = await asyncio.gather(
            *(node.ask(kind(node.next_number(), *about), ANSWER_TIMEOUT) for node in handles),
            return_exceptions=True,
        )
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    # Frames

    def observe_frames(self) -> None:
        """What a node has seen is lost when it goes down."""
        if not self._observing:
            self._observing = True
            for node in self._fleet.nodes.values():
                if node.up:
                    node.send(messages.ObserveFrames())

    async def recent_frames(self) -> list[FrameRecord]:
        answers = await self._ask(self._fleet.nodes, messages.AskFrames)
        records: list[FrameRecord] = [record for answer in answers for record in answer]
        records.sort(key=lambda record: record.time_ns)
        return records[-RECENT_FRAMES:]

    async def begin_hops(self, number: int, chosen: HopFilter) -> None:
        await self._ask(self._fleet.nodes, messages.BeginHops, number, chosen)

    async def end_hops(self, number: int) -> list[HopBatch]:
        return await self._ask(self._fleet.nodes, messages.EndHops, number)

    # Measurements

    def record(self, recording: int, watched: Watched, every_ns: int, at: int) -> None:
        self._recordings[recording] = (watched, every_ns, at)
        for name in watched:
            if self._fleet.nodes[name].up:
                self._tell_recordings(name, recording)

    def _tell_recordings(self, node: str, *recordings: int) -> None:
        for recording in recordings:
            watched, every_ns, at = self._recordings[recording]
            if node in watched:
                # A node that starts later keeps to the same times.
                missed = max(0, -(-(self._now() - at) // every_ns))
                own = {node: watched[node]}
                question = messages.Record(recording, own, every_ns, at + missed * every_ns)
                self._fleet.nodes[node].send(question)

    async def end_recording(self, recording: int) -> list[Batch]:
        watched, _, _ = self._recordings.pop(recording)
        return await self._ask(watched, messages.EndRecording, recording)

    # Captures

    def begin_capture(self, capture: int, points: Points, expression: Expression | None) -> None:
        self._captures[capture] = points, expression
        for name in points:
            if self._fleet.nodes[name].up:
                self._tell_captures(name, capture)

    def _tell_captures(self, node: str, *captures: int) -> None:
        for capture in captures:
            points, expression = self._captures[capture]
            if node in points:
                message = messages.BeginCapture(capture, {node: points[node]}, expression)
                self._fleet.nodes[node].send(message)

    async def end_capture(self, capture: int) -> list[CapturedBatch]:
        points, _ = self._captures.pop(capture)
        return await self._ask(points, messages.EndCapture, capture)

    async def capture(
        self,
        node: str,
        path: str,
        numbers: Mapping[str, int],
        expression: Expression | None,
    ) -> None:
        handle = self._fleet.nodes[node]
        # One for all nodes, so that their times in a file can be compared.
        epoch_ns = self._capture_epochs.setdefault(path, time.time_ns() - self._now())
        target = CaptureTarget(path, numbers, epoch_ns, expression)
        question = messages.Capture(handle.next_number(), node, target)
        failure = await handle.order(question)
        if failure is not None:
            raise OSError(failure)
        handle.captures.append(target)
