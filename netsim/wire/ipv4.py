"""The IPv4 header (RFC 791 3.1).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|version|  IHL  |DSCP, ECN (TOS)|         total length          |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|        identification         |0|D|M|     fragment offset     |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|  time to live |   protocol    |        header checksum        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                        source address                         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                      destination address                      |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                 options (0 to 40), padding …                  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from netsim.wire.address import IpAddress
from netsim.wire.checksum import internet_checksum
from netsim.wire.wire_error import WireError

ECN_MASK: Final = 0x03
"""Of the TOS octet: the two bits of RFC 3168 5."""
NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
"""The ends understand ECN: mark rather than drop."""
CE: Final = 3
"""Congestion was experienced."""
HEADER_LENGTH: Final = 20
PROTOCOL_ICMP: Final = 1
PROTOCOL_TCP: Final = 6
PROTOCOL_UDP: Final = 17
DONT_FRAGMENT: Final = 0x4000
MORE_FRAGMENTS: Final = 0x2000
OFFSET_MASK: Final = 0x1FFF
MAX_PACKET: Final = 65535

_HEADER = struct.Struct("!BBHHHBBH4s4s")


@dataclass(slots=True)
class Ipv4Header:
    """A parsed header. `fragment` is the 16-bit field of flags and offset (in units of 8)."""

    tos: int
    total_length: int
    identification: int
    fragment: int
    ttl: int
    protocol: int
    source: IpAddress
    destination: IpAddress
    options: bytes = b""

    @property
    def header_length(self) -> int:
        """Octets before the payload."""
        return HEADER_LENGTH + len(self.options)

    @property
    def is_fragment(self) -> bool:
        """Whether this is a part of a larger datagram: an offset, or more to come."""
        return self.fragment & (MORE_FRAGMENTS | OFFSET_MASK) != 0

    def pack(self) -> bytes:
        """The header with its checksum. `options` must be padded to a multiple of four."""
        words = 5 + len(self.options) // 4
        fields = (
            0x40 | words,
            self.tos,
            self.total_length,
            self.identification,
            self.fragment,
            self.ttl,
            self.protocol,
        )
        unsummed = _HEADER.pack(*fields, 0, self.source, self.destination) + self.options
        return (
            _HEADER.pack(*fields, internet_checksum(unsummed), self.source, self.destination)
            + self.options
        )


def parse(frame: bytes, offset: int = 0) -> Ipv4Header:
    """Read and verify the header at `offset`: version, lengths and checksum (RFC 1122 3.2.1)."""
    available = len(frame) - offset
    if available < HEADER_LENGTH:
        raise WireError("ipv4-truncated")
    version_ihl, tos, total, identification, fragment, ttl, protocol, _sum, source, destination = (
        _HEADER.unpack_from(frame, offset)
    )
    if version_ihl >> 4 != 4:
        raise WireError("ipv4-version")
    header_length = (version_ihl & 0xF) * 4
    if header_length < HEADER_LENGTH or total < header_length:
        raise WireError("ipv4-header-length")
    if available < total:
        raise WireError("ipv4-truncated")
    # The checksum is good when the words add up to a multiple of 0xFFFF (RFC 1071).
    if int.from_bytes(frame[offset : offset + header_length], "big") % 0xFFFF:
        raise WireError("ipv4-checksum")
    options = frame[offset + HEADER_LENGTH : offset + header_length]
    return Ipv4Header(
        tos, total, identification, fragment, ttl, protocol, source, destination, options
    )


def pack_plain(
    tos: int,
    total_length: int,
    identification: int,
    ttl: int,
    protocol: int,
    source: IpAddress,
    destination: IpAddress,
) -> bytes:
    """A header without options and with "don't fragment": what a host sends all day."""
    words = (
        0x4500
        + tos
        + total_length
        + identification
        + DONT_FRAGMENT
        + (ttl << 8 | protocol)
        + int.from_bytes(source + destination, "big")
    )
    return _HEADER.pack(
        0x45,
        tos,
        total_length,
        identification,
        DONT_FRAGMENT,
        ttl,
        protocol,
        0xFFFF - (words % 0xFFFF or 0xFFFF),
        source,
        destination,
    )


def parse_quoted(packet: bytes) -> Ipv4Header:
    """The header of a packet that an ICMP error quotes: cut short, and with any checksum.

    RFC 792 quotes the header and at least eight octets; a router may have changed it on the way.
    """
    if len(packet) < HEADER_LENGTH + 8:
        raise WireError("icmp-quote-truncated")
    version_ihl, tos, total, identification, fragment, ttl, protocol, _sum, source, destination = (
        _HEADER.unpack_from(packet)
    )
    header_length = (version_ihl & 0xF) * 4
    if version_ihl >> 4 != 4 or not HEADER_LENGTH <= header_length <= len(packet) - 8:
        raise WireError("icmp-quote-header")
    options = packet[HEADER_LENGTH:header_length]
    return Ipv4Header(
        tos, total, identification, fragment, ttl, protocol, source, destination, options
    )
