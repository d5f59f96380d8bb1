"""What a queue before a transmitter has to do, whatever its discipline, and how it marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from netsim.core.link_attributes import LinkAttributes
from netsim.wire.checksum import update
from netsim.wire.ethernet import ETHERTYPE_IPV4, HEADER_LENGTH
from netsim.wire.ipv4 import CE, ECN_MASK, NOT_ECT

Drop = Callable[[bytes, str, int], None]
"""Takes a frame that goes no further, the reason and the time in ns."""
EARLY: Final = "aqm"
"""The reason of what is dropped although there is room (active queue management)."""

_IPV4: Final = ETHERTYPE_IPV4.to_bytes(2, "big")
_TOS: Final = HEADER_LENGTH + 1
_CHECKSUM: Final = HEADER_LENGTH + 10


class Discipline(Protocol):
    """Never decides when a frame departs: the link asks whenever its transmitter is free."""

    @property
    def packets(self) -> int:
        """Frames that are here."""

    @property
    def octets(self) -> int:
        """Of all of them."""

    @property
    def looks_ahead(self) -> bool:
        """Whether `take` may be called before the departure, without another outcome."""

    def adopt(self, attributes: LinkAttributes) -> None:
        """From now on do as these say; what waits stays."""

    def keep_all(self) -> None:
        """Drop nothing until `adopt`."""

    def offer(self, frame: bytes, now: int) -> bool:
        """Take a frame; False when there is no room. What else it drops, it tells."""

    def take(self, departure: int) -> bytes | None:
        """The frame whose serialisation starts at `departure`; None when nothing waits."""

    def empty(self) -> list[bytes]:
        """Give up every frame that is here."""


class Waiting(NamedTuple):
    """A frame in a queue that knows since when."""

    since: int
    frame: bytes


def mark_ce(frame: bytes) -> bytes | None:
    """The frame with "congestion experienced" (RFC 3168 5); None when its sender could not tell."""
    if len(frame) < HEADER_LENGTH + 20 or frame[12:14] != _IPV4:
        return None
    codepoint = frame[_TOS] & ECN_MASK
    if codepoint == NOT_ECT:
        return None
    if codepoint == CE:
        return frame
    marked = bytearray(frame)
    marked[_TOS] |= CE
    old, new = (int.from_bytes(each[HEADER_LENGTH : _TOS + 1], "big") for each in (frame, marked))
    checksum = int.from_bytes(frame[_CHECKSUM : _CHECKSUM + 2], "big")
    marked[_CHECKSUM : _CHECKSUM + 2] = update(checksum, old, new).to_bytes(2, "big")
    return bytes(marked)
