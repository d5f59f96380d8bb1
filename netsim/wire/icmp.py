"""ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|     type      |     code      |           checksum            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|  rest of header: identifier, sequence | unused, next-hop MTU  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|        echo data, or the packet that caused the error …       |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from netsim.wire.checksum import internet_checksum, is_valid
from netsim.wire.wire_error import WireError

HEADER_LENGTH: Final = 8

ECHO_REPLY: Final = 0
DESTINATION_UNREACHABLE: Final = 3
REDIRECT: Final = 5
ECHO_REQUEST: Final = 8
TIME_EXCEEDED: Final = 11
PARAMETER_PROBLEM: Final = 12
TIMESTAMP_REQUEST: Final = 13
TIMESTAMP_REPLY: Final = 14

ERRORS: Final = frozenset({DESTINATION_UNREACHABLE, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM, 4})
"""Types that report on another packet; 4 is source quench, deprecated by RFC 6633."""

# Codes of "destination unreachable" (RFC 792, RFC 1812 5.2.7.1)
NETWORK_UNREACHABLE: Final = 0
HOST_UNREACHABLE: Final = 1
PROTOCOL_UNREACHABLE: Final = 2
PORT_UNREACHABLE: Final = 3
FRAGMENTATION_NEEDED: Final = 4
ADMINISTRATIVELY_PROHIBITED: Final = 13

# Codes of "time exceeded"
TTL_EXCEEDED: Final = 0
REASSEMBLY_TIME_EXCEEDED: Final = 1

_HEADER = struct.Struct("!BBHI")


@dataclass(frozen=True, slots=True)
class IcmpMessage:
    """One message. `rest` is the 32-bit word whose meaning depends on the type."""

    type: int
    code: int
    rest: int
    body: bytes

    @property
    def identifier(self) -> int:
        """Of an echo: which program asked."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Of an echo: which question."""
        return self.rest & 0xFFFF

    @property
    def next_hop_mtu(self) -> int:
        """Of "fragmentation needed" (RFC 1191 4); 0 from routers older than that."""
        return self.rest & 0xFFFF

    def pack(self) -> bytes:
        """The message with its checksum."""
        unsummed = _HEADER.pack(self.type, self.code, 0, self.rest) + self.body
        return (
            _HEADER.pack(self.type, self.code, internet_checksum(unsummed), self.rest) + self.body
        )


def echo(kind: int, identifier: int, sequence: int, data: bytes) -> IcmpMessage:
    """An echo request or reply."""
    return IcmpMessage(kind, 0, identifier << 16 | sequence, data)


def timestamp_reply(request: IcmpMessage, milliseconds: int) -> IcmpMessage:
    """The answer to a timestamp request that came `milliseconds` after midnight (RFC 792);
    WireError when it has not room for three times."""
    if len(request.body) < 12:
        raise WireError("icmp-truncated")
    body = request.body[:4] + struct.pack("!II", milliseconds, milliseconds)
    return IcmpMessage(TIMESTAMP_REPLY, 0, request.rest, body)


def parse(data: bytes) -> IcmpMessage:
    """Read and verify a message; WireError when it is short or its checksum is wrong."""
    if len(data) < HEADER_LENGTH:
        raise WireError("icmp-truncated")
    if not is_valid(data):
        raise WireError("icmp-checksum")
    kind, code, _checksum, rest = _HEADER.unpack_from(data)
    return IcmpMessage(kind, code, rest, data[HEADER_LENGTH:])
