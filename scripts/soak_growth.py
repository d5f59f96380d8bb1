"""How much memory and how many descriptors processes have, and whether that grows."""

from __future__ import annotations

import os
import statistics
from array import array
from dataclasses import dataclass, field
from pathlib import Path

ALLOWED_KIB = 2048
"""Growth of a process between the first and the last third of the samples that is no finding:
now and then more happens at a time than ever before, and the heap keeps what that took. What
each request left behind would be many times this after some minutes."""


def heap_kib(pid: int) -> int:
    """What the process has written, or was forked with: its anonymous memory.

    Not the proportional set size: a page that 33 processes share since a fork counts as a 33rd for
    each of them, and for more the more of the others have written to their copies. So the
    supervisor "grew" by up to 13 MiB in an hour, without taking any.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    return 0


def descriptors(pid: int) -> int:
    """Open files of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


@dataclass(slots=True)
class Growth:
    """Samples of one process."""

    name: str
    pid: int
    seconds: array[float] = field(default_factory=lambda: array("d"))
    """When each sample was taken."""
    sizes_kib: array[int] = field(default_factory=lambda: array("l"))
    """Its heap. In arrays, since 50,000 tuples in an hour were a growth of this process."""
    descriptors_at_rest: int = 0
    """Before the load."""

    def sample(self, seconds: float) -> None:
        """Measure now."""
        self.seconds.append(seconds)
        self.sizes_kib.append(heap_kib(self.pid))

    @property
    def slope_kib_per_minute(self) -> float:
        """Of the line through all samples."""
        if len(self.seconds) < 2:
            return 0.0
        return statistics.linear_regression(self.seconds, self.sizes_kib).slope * 60

    @property
    def grown_kib(self) -> float:
        """From the median of the first third of the samples to that of the last."""
        third = len(self.sizes_kib) // 3
        if not third:
            return 0.0
        first, last = self.sizes_kib[:third], self.sizes_kib[-third:]
        return statistics.median(last) - statistics.median(first)

    def findings(self, descriptors_now: int) -> list[str]:
        """What is wrong with it."""
        found = []
        if self.grown_kib > ALLOWED_KIB:
            found.append(
                f"{self.name} grew by {self.grown_kib:.0f} KiB "
                f"({self.slope_kib_per_minute:+.0f} KiB/min)"
            )
        if descriptors_now > self.descriptors_at_rest:
            found.append(
                f"{self.name} has {descriptors_now} open descriptors at rest, "
                f"{self.descriptors_at_rest} before the load"
            )
        return found
