"""Interface taps: what sees every frame that an interface sends, receives or loses."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol, TypeAlias

OnDrop: TypeAlias = Callable[[bytes, str, int], None]
"""Takes a frame that goes no further, the reason, and the time in ns."""


class Direction(IntEnum):
    """Which way a frame passed, seen from the node; the numbers are pcapng's."""

    INBOUND = 1
    OUTBOUND = 2


class Tap(Protocol):
    """Something that is shown every frame passing the interfaces it was put on."""

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        """A frame passed at `time_ns` of network time: its departure, or its delivery."""


class LossTaps:
    """Shows what a port or a link loses (`on_drop`) to everybody who watches it."""

    def __init__(self) -> None:
        self.taps: list[OnDrop] = []

    def __call__(self, frame: bytes, reason: str, now: int) -> None:
        for tap in self.taps:
            tap(frame, reason, now)


class Loses(Protocol):
    """What has frames that go no further: a port, or a direction of a link."""

    on_drop: OnDrop | None


def watch_losses(place: Loses, tap: OnDrop) -> None:
    """Show `tap` what is lost there from now on; while nobody watches it costs nothing."""
    if place.on_drop is None:
        place.on_drop = LossTaps()
    assert isinstance(place.on_drop, LossTaps), "nothing else is put there"
    place.on_drop.taps.append(tap)


def forget_losses(place: Loses, tap: OnDrop) -> None:
    """It is shown no more."""
    assert isinstance(place.on_drop, LossTaps), "somebody watches"
    place.on_drop.taps.remove(tap)
    if not place.on_drop.taps:
        place.on_drop = None
