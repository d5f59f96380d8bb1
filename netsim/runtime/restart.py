"""When a node that failed is started again: soon, and later and later if it keeps failing."""

from __future__ import annotations

from typing import Final

from netsim.core.time import MILLISECOND, SECOND

FIRST_DELAY: Final = 100 * MILLISECOND
LONGEST_DELAY: Final = 10 * SECOND
LONG_LIFE: Final = 10 * SECOND
"""After a life as long as this a failure counts as the first. All in ns of network time."""


class RestartPolicy:
    """`restart: on-failure` of one node: 100 ms, doubled with each failure up to 10 s."""

    def __init__(self) -> None:
        self._next_delay = FIRST_DELAY
        self._started_at = 0

    def started(self, now: int) -> None:
        """The node is up."""
        self._started_at = now

    def delay(self, now: int) -> int:
        """The node has failed, or has not come up: how long to wait before it is started."""
        if now - self._started_at >= LONG_LIFE:
            self._next_delay = FIRST_DELAY
        delay = self._next_delay
        self._next_delay = min(2 * delay, LONGEST_DELAY)
        # A start that fails is no life: nothing has been running since.
        self._started_at = now + delay
        return delay
