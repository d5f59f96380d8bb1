"""Sockets that closed with answers still on their way, as every traceroute leaves some behind."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from netsim.core.time import SECOND

ANSWER_TIME: Final = 30 * SECOND
"""Network time in ns that an answer may take after the socket's last packet."""
LIMIT: Final = 64
"""Sockets that are remembered; the oldest goes."""


class RecentlyClosed:
    """Tells late answers, which are no fault, from those that nobody asked for."""

    def __init__(self) -> None:
        self._last_sent: dict[Hashable, int] = {}

    def note(self, key: Hashable, last_sent: int | None) -> None:
        """The socket `key` closes; it sent at `last_sent`, network time in ns, if ever."""
        self._last_sent.pop(key, None)
        if last_sent is None:
            return
        self._last_sent[key] = last_sent
        if len(self._last_sent) > LIMIT:
            del self._last_sent[next(iter(self._last_sent))]

    def awaited(self, key: Hashable, now: int) -> bool:
        """Whether an answer for `key` at `now` may be one to a socket that has closed."""
        last_sent = self._last_sent.get(key)
        return last_sent is not None and now - last_sent <= ANSWER_TIME
