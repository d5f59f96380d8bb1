"""Sockets that have a port together (socket(7): SO_REUSEADDR, SO_REUSEPORT)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import Flag
from typing import TypeVar

from netsim.wire.address import IpAddress

Member = TypeVar("Member")


class Sharing(Flag):
    """What a socket allows others that allow it, too."""

    NOTHING = 0
    ADDRESS = 1
    """SO_REUSEADDR: UDP, and TCP until somebody listens."""
    PORT = 2
    """SO_REUSEPORT: each has its share of the peers."""

    def goes_with(self, other: Sharing) -> bool:
        """Whether both may have one port."""
        return bool(self & other)


def share_of(
    group: Sequence[Member], local: tuple[IpAddress, int], remote: tuple[IpAddress, int]
) -> Member:
    """Whose peer it is, always the same as long as the group is (reuseport_select_sock)."""
    ends = b"".join(address + port.to_bytes(2, "big") for address, port in (local, remote))
    return group[zlib.crc32(ends) * len(group) >> 32]


def overlap(one: tuple[bytes | None, int], other: tuple[bytes | None, int]) -> bool:
    """Whether both are one port at one address; None is all addresses."""
    return one[1] == other[1] and (one[0] == other[0] or one[0] is None or other[0] is None)
