"""Descriptors of the kernel that a thread of a program waits for: pipes, also of a child."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netsim.core.time import SECOND
from netsim.sockets.poll_calls import kernels_poll
from netsim.virtual.strand import Strand
from netsim.virtual.timeline import real_seconds
from netsim.virtual.waits_in_c import has_children

_LOOK_MS: Final = 10


class KernelDescriptors:
    """Wakes a thread when there is an event, which has nothing to do with network time.

    What other threads here have written is there at once. A process that the thread has started
    (`subprocess.run(…, timeout=5)`) takes real time: as much of it as the thread would wait.
    """

    def __init__(self, strand: Strand, masks: Mapping[int, int], timeout_ns: int | None) -> None:
        self._strand = strand
        self._poll = kernels_poll()
        for descriptor, mask in masks.items():
            self._poll.register(descriptor, mask)
        self._waits_until = None if timeout_ns is None else real_seconds() + timeout_ns / SECOND

    def look(self) -> None:
        """Before time goes on: wake the thread where there is an event."""
        while not self._poll.poll(0):
            if not has_children(self._strand.native):
                return
            if self._waits_until is not None and real_seconds() >= self._waits_until:
                return
            if self._poll.poll(_LOOK_MS):
                break
        self._strand.wake()
