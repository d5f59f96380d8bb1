"""Cutting a packet into fragments (RFC 791 3.2), and who may do it to one (RFC 1191)."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Final

from netsim.wire.ipv4 import MAX_PACKET, MORE_FRAGMENTS, OFFSET_MASK, Ipv4Header
from netsim.wire.ipv4_options import of_later_fragments
from netsim.wire.wire_error import WireError

UNIT: Final = 8
"""Offsets count in these octets."""


class PathMtuDiscovery(Enum):
    """What is done about packets larger than the path; the values are those of `ping -M`."""

    DO = "do"
    """Never fragment: what does not fit as far as is known is refused."""
    WANT = "want"
    """"Don't fragment" on what fits, so that the path tells its MTU; fragments of the rest."""
    DONT = "dont"
    """Fragment here and let routers fragment."""
    PROBE = "probe"
    """Never fragment, and forget what is known of the path beyond the first link."""


def fragments(header: Ipv4Header, payload: bytes, mtu: int) -> list[bytes]:
    """The packet in pieces of at most `mtu` octets; it may be a fragment itself.

    `mtu` has room for the header and one unit: any of 68 or more does. WireError when the end
    of a fragment is beyond what an IP packet can hold.
    """
    base = header.fragment & OFFSET_MASK
    if base * UNIT + header.total_length > MAX_PACKET:
        raise WireError("fragment-too-far")
    last_flag = header.fragment & MORE_FRAGMENTS
    options = header.options
    pieces = []
    start, size = 0, len(payload)
    while start < size:
        room = mtu - header.header_length
        stop = start + (room if size - start <= room else room // UNIT * UNIT)
        piece = payload[start:stop]
        header = replace(
            header,
            total_length=header.header_length + len(piece),
            fragment=base + start // UNIT | (last_flag if stop >= size else MORE_FRAGMENTS),
        )
        pieces.append(header.pack() + piece)
        if not start and options:
            header = replace(header, options=of_later_fragments(options))
        start = stop
    return pieces
