"""The UDP header (RFC 768).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|          source port          |       destination port        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|            length             |           checksum            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from netsim.wire.checksum import internet_checksum, is_valid
from netsim.wire.wire_error import WireError

HEADER_LENGTH: Final = 8
_HEADER = struct.Struct("!HHHH")


class UdpDatagram(NamedTuple):
    """Ports and payload."""

    source_port: int
    destination_port: int
    payload: bytes


def pack(source_port: int, destination_port: int, payload: bytes, pseudo_sum: int) -> bytes:
    """Header and payload. `pseudo_sum` is `checksum.pseudo_header_sum` of the addresses."""
    length = HEADER_LENGTH + len(payload)
    unsummed = _HEADER.pack(source_port, destination_port, length, 0) + payload
    # RFC 768: a computed checksum of zero is sent as all ones; zero means "none".
    checksum = internet_checksum(unsummed, pseudo_sum + length) or 0xFFFF
    return _HEADER.pack(source_port, destination_port, length, checksum) + payload


def parse(data: bytes, pseudo_sum: int) -> UdpDatagram:
    """Read and verify a datagram; WireError when lengths or checksum are wrong."""
    if len(data) < HEADER_LENGTH:
        raise WireError("udp-truncated")
    source_port, destination_port, length, checksum = _HEADER.unpack_from(data)
    if not HEADER_LENGTH <= length <= len(data):
        raise WireError("udp-length")
    if length < len(data):
        data = data[:length]
    if checksum and not is_valid(data, pseudo_sum + length):
        raise WireError("udp-checksum")
    return UdpDatagram(source_port, destination_port, data[HEADER_LENGTH:])
