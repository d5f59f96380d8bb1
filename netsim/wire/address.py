"""Addresses as packed bytes: 6 for a MAC, 4 for IPv4, 16 for IPv6; text only for people."""

from __future__ import annotations

import ipaddress
from typing import Final

MacAddress = bytes
IpAddress = bytes

BROADCAST_MAC: Final = b"\xff" * 6
LIMITED_BROADCAST: Final = b"\xff" * 4
UNSPECIFIED: Final = b"\x00" * 4


def format_mac(mac: MacAddress) -> str:
    """`02:00:00:01:00:00`"""
    return mac.hex(":")


def format_ip(address: IpAddress) -> str:
    """`10.0.3.10` for 4 bytes, `fd00::1` for 16."""
    if len(address) == 4:
        return "{}.{}.{}.{}".format(*address)
    return str(ipaddress.IPv6Address(address))


def parse_ip(text: str) -> IpAddress:
    """Packed form of an IPv4 or IPv6 address; ValueError when it is neither."""
    return ipaddress.ip_address(text).packed


def prefix_mask(prefix_length: int, octets: int = 4) -> int:
    """The netmask of a prefix as a number, for addresses of that many octets."""
    bits = octets * 8
    return ((1 << prefix_length) - 1) << (bits - prefix_length)


def network_of(address: IpAddress, prefix_length: int) -> IpAddress:
    """The network address: host bits cleared."""
    octets = len(address)
    return (int.from_bytes(address, "big") & prefix_mask(prefix_length, octets)).to_bytes(
        octets, "big"
    )


def broadcast_of(address: IpAddress, prefix_length: int) -> IpAddress:
    """The directed broadcast address of an IPv4 subnet: host bits set."""
    host_bits = (1 << (32 - prefix_length)) - 1
    return (int.from_bytes(address, "big") | host_bits).to_bytes(4, "big")


def is_multicast_mac(mac: MacAddress) -> bool:
    """Whether the group bit is set; broadcast is the widest group (IEEE 802.3 3.2.3)."""
    return bool(mac[0] & 1)


def is_multicast_ip(address: IpAddress) -> bool:
    """224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291)."""
    return address[0] >> 4 == 0xE if len(address) == 4 else address[0] == 0xFF
