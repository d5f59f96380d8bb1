"""How the network's time follows the clock of the machine: at its pace, or slower.

This is the one place where time enters nodes in real time. All sites of a network have the same
clock, which they are given when they start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic_ns


@dataclass(frozen=True, slots=True)
class NetworkClock:
    """Network time passes `speed` ns while the machine's clock passes one."""

    epoch: int
    """The `time.monotonic_ns` at which the network's time was 0."""
    speed: Fraction = Fraction(1)
    """More than 0; 1/10 is slow motion, in which whatever takes a second takes ten."""

    def reader(self) -> Callable[[], int]:
        """What tells the network's time in ns. It is asked with each frame, and so it is bare."""
        epoch = self.epoch
        if self.speed == 1:
            return lambda: monotonic_ns() - epoch
        parts, whole = self.speed.numerator, self.speed.denominator
        return lambda: (monotonic_ns() - epoch) * parts // whole

    def alarm(self) -> Callable[[int], int]:
        """What tells the first `time.monotonic_ns` at which a network time has come."""
        epoch = self.epoch
        if self.speed == 1:
            return lambda network_ns: network_ns + epoch
        parts, whole = self.speed.numerator, self.speed.denominator
        return lambda network_ns: epoch - (-network_ns * whole) // parts
