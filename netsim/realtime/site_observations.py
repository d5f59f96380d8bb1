"""What is observed at a node because the supervisor said so: captures, traces, measurements."""

from __future__ import annotations

from typing import Any, Final

from netsim.core.time import MILLISECOND
from netsim.observe.captured import CapturedBatch
from netsim.observe.measurement import Batch
from netsim.realtime.channel import Channel
from netsim.site import messages
from netsim.site.site import Site

CAPTURED_EVERY: Final = 20 * MILLISECOND
"""What live captures have seen is told so often: a message for each frame would cost more."""


class SiteObservations:
    """Those of one site."""

    def __init__(self, site: Site, channel: Channel) -> None:
        self._site = site
        self._channel = channel

    def capture(self, message: messages.Capture) -> None:
        try:
            self._site.capture(message.node, message.target)
        except OSError as error:
            self._answer(message.number, f"{message.target.path}: {error.strerror}")
        else:
            self._answer(message.number, None)

    def begin_capture(self, message: messages.BeginCapture) -> None:
        capture = message.capture

        def tell(batch: CapturedBatch) -> bool:
            if self._channel.congested:
                return False
            self._channel.send(messages.Captured(capture, batch))
            return True

        self._site.live_taps.begin(
            capture, message.points, message.expression, tell, lambda now: now + CAPTURED_EVERY
        )

    def end_capture(self, message: messages.EndCapture) -> None:
        self._answer(message.number, self._site.live_taps.end(message.capture))

    def begin_hops(self, message: messages.BeginHops) -> None:
        self._site.begin_hops(message.trace, message.chosen)
        self._answer(message.number, None)

    def end_hops(self, message: messages.EndHops) -> None:
        self._answer(message.number, self._site.end_hops(message.trace))

    def record(self, message: messages.Record) -> None:
        recording = message.recording

        def tell(batch: Batch) -> None:
            self._channel.send(messages.Recorded(recording, batch))

        self._site.recorder.begin(recording, message.watched, message.every_ns, message.at, tell)

    def end_recording(self, message: messages.EndRecording) -> None:
        self._answer(message.number, self._site.recorder.end(message.recording))

    def observe_frames(self, message: messages.ObserveFrames) -> None:
        self._site.observe_frames()

    def tell_frames(self, message: messages.AskFrames) -> None:
        self._answer(message.number, self._site.watch.recent_frames())

    def _answer(self, number: int, value: Any) -> None:
        self._channel.send(messages.Answer(number, value))
