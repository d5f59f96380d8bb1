"""On which computer the code of a thread runs."""

from __future__ import annotations

from _thread import get_ident

from netsim.interception.environment import Surroundings


class Presence:
    """Of the one thread that runs computers. Others are on none."""

    __slots__ = ("surroundings", "thread")

    def __init__(self) -> None:
        self.thread = get_ident()
        self.surroundings: Surroundings | None = None

    def here(self) -> Surroundings | None:
        """Those of the computer that the caller runs on."""
        surroundings = self.surroundings
        if surroundings is None or get_ident() != self.thread:
            return None
        return surroundings
