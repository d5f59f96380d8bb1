"""Address Resolution Protocol for IPv4 over Ethernet (RFC 826).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|       hardware type = 1       |     protocol type = 0x0800    |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
| hw length = 6 | pr length = 4 |           operation           |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                  sender hardware address (6)                  |
+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                               |  sender protocol address (4)  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|      target hardware (6), target protocol address (4) …       |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from netsim.wire.address import IpAddress, MacAddress
from netsim.wire.wire_error import WireError

REQUEST: Final = 1
REPLY: Final = 2

_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET_IPV4: Final = (1, 0x0800, 6, 4)


@dataclass(frozen=True, slots=True)
class ArpPacket:
    """One ARP packet; `sender` and `target` are IPv4 addresses."""

    operation: int
    sender_mac: MacAddress
    sender: IpAddress
    target_mac: MacAddress
    target: IpAddress

    def pack(self) -> bytes:
        """The 28 octets."""
        return _PACKET.pack(
            *_ETHERNET_IPV4,
            self.operation,
            self.sender_mac,
            self.sender,
            self.target_mac,
            self.target,
        )


def parse(frame: bytes, offset: int) -> ArpPacket:
    """Read the packet at `offset`; WireError unless it is ARP for IPv4 over Ethernet."""
    if len(frame) - offset < _PACKET.size:
        raise WireError("arp-truncated")
    hardware, protocol, hw_length, pr_length, operation, *addresses = _PACKET.unpack_from(
        frame, offset
    )
    if (hardware, protocol, hw_length, pr_length) != _ETHERNET_IPV4:
        raise WireError("arp-unsupported")
    if operation not in (REQUEST, REPLY):
        raise WireError("arp-operation")
    return ArpPacket(operation, *addresses)
