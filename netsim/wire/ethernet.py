"""Ethernet II frames (IEEE 802.3 clause 3), without preamble and frame check sequence.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     destination (6 octets)                    |
    +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                               |       source (6 octets)       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           EtherType           |            payload …          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Frames are not padded to 60 octets, as on a Linux veth: nothing below reads the padding, and a
capture taken at the sender of a real card shows frames the same way.
"""

from __future__ import annotations

import struct
from typing import Final

from netsim.wire.address import MacAddress
from netsim.wire.wire_error import WireError

HEADER_LENGTH: Final = 14
ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_VLAN: Final = 0x8100
ETHERTYPE_IPV6: Final = 0x86DD
MIN_ETHERTYPE: Final = 0x0600
"""Smaller values are an IEEE 802.3 length, not an EtherType."""

_HEADER = struct.Struct("!6s6sH")


def pack_header(destination: MacAddress, source: MacAddress, ethertype: int) -> bytes:
    """The 14 octets before the payload."""
    return _HEADER.pack(destination, source, ethertype)


def parse_header(frame: bytes) -> tuple[MacAddress, MacAddress, int]:
    """(destination, source, EtherType); WireError when the frame is too short to have them."""
    if len(frame) < HEADER_LENGTH:
        raise WireError("ethernet-truncated")
    destination, source, ethertype = _HEADER.unpack_from(frame)
    return destination, source, ethertype
