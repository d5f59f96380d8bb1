"""What a host has learned about the MTU of the paths it uses (RFC 1191)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from netsim.core.time import SECOND
from netsim.stack.timers import Timer, Timers
from netsim.wire.address import IpAddress

PATH_MTU_LIMIT: Final = 1024
"""Destinations that are remembered; beyond it the oldest is forgotten and found again."""
LIFETIME: Final = 600 * SECOND
"""After which a larger MTU is tried (RFC 1191 6.3; Linux: mtu_expires)."""
MIN_PATH_MTU: Final = 552
"""A report of less is no reason to send in smaller pieces (Linux: min_pmtu): whoever invents
one could make a host send in crumbs. Packets of this size leave without "don't fragment"."""
_LEAST_MTU: Final = 68
_PLATEAUS: Final = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, _LEAST_MTU)
"""What to try next when a router does not tell its MTU (RFC 1191 7.1)."""


PathChanged = Callable[[IpAddress | None, int | None], None]
"""Told of a destination whose MTU is another now, and when; of None when all may be others."""


class PathMtu(NamedTuple):
    """One destination. `is_fragmented`: routers may fragment, as the path takes less than we
    are willing to send."""

    mtu: int
    is_fragmented: bool
    expires_at: int


class PathMtus:
    """By destination."""

    def __init__(self, timers: Timers, changed: PathChanged) -> None:
        self.known: dict[IpAddress, PathMtu] = {}
        """The one that expires first comes first."""
        self.simple: dict[IpAddress, int] = {}
        """The same for who is in a hurry: how large a packet may be that leaves with "don't
        fragment", 0 where none does."""
        self._changed = changed
        self._timer = Timer(timers, self._expire)

    def __len__(self) -> int:
        return len(self.known)

    def note(self, destination: IpAddress, reported: int, lost: int, now: int) -> bool:
        """A packet of `lost` octets did not fit, a router said; `reported` is its MTU, 0 from
        one that does not tell. False when that cannot be."""
        if not reported:
            reported = next((plateau for plateau in _PLATEAUS if plateau < lost), _LEAST_MTU)
        if not _LEAST_MTU <= reported < lost:
            return False
        before = self.known.pop(destination, None)
        mtu, is_fragmented = max(reported, MIN_PATH_MTU), reported < MIN_PATH_MTU
        if before is not None:
            # RFC 1191 3: more than before is old news.
            mtu, is_fragmented = min(mtu, before.mtu), is_fragmented or before.is_fragmented
        elif len(self.known) >= PATH_MTU_LIMIT:
            self._forget(next(iter(self.known)), now)
        self.known[destination] = PathMtu(mtu, is_fragmented, now + LIFETIME)
        self.simple[destination] = 0 if is_fragmented else mtu
        self._timer.start_if_stopped(now + LIFETIME)
        if before is None or mtu < before.mtu:
            self._changed(destination, now)
        return True

    def clear(self) -> None:
        """The paths are others now."""
        self.known.clear()
        self.simple.clear()
        self._timer.stop()
        self._changed(None, None)

    def _forget(self, destination: IpAddress, now: int) -> None:
        del self.known[destination]
        del self.simple[destination]
        self._changed(destination, now)

    def _expire(self, now: int) -> None:
        while self.known:
            destination, entry = next(iter(self.known.items()))
            if entry.expires_at > now:
                self._timer.start(entry.expires_at)
                return
            self._forget(destination, now)
