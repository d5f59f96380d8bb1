"""Addresses, networks and next hops of a topology file; `values` has what else stands there."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeAlias

from netsim.core.errors import InvalidNameError
from netsim.topology.naming import check_node_name

HostAddress: TypeAlias = tuple[bytes, int]
"""A packed address of an interface and the length of its subnet's prefix."""
Prefix: TypeAlias = tuple[bytes, int]
"""A packed address whose host bits are zero, and the length of the prefix."""

# Without a dot it is a name: the nodes of graphs from code are often numbers.
_ADDRESS_LIKE: Final = re.compile(r"[0-9.]*\.[0-9.]*|.*:.*")
_UNUSABLE: Final = tuple(
    ipaddress.IPv4Network(prefix) for prefix in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")
)


def host_address(written: object) -> HostAddress:
    """`10.0.3.10/24`: an address that a host in that subnet can have."""
    if not isinstance(written, str):
        raise ValueError("this is no address; write for example `10.0.3.10/24`")
    address, slash, length = written.partition("/")
    packed = ip_address(address)
    if not slash:
        raise ValueError(f"`{written}` has no prefix length; write for example `{written}/24`")
    if length == "32":  # of `lo`, which is looked at when the interfaces are known
        return packed, 32
    if (of_mask := _length_of_mask(length)) is not None:
        raise ValueError(f"`{length}` is a mask; write its length: `{address}/{of_mask}`")
    if not is_number(length) or not 1 <= int(length[:4]) <= 31:
        raise ValueError(
            f"`/{length}` cannot be a subnet with hosts; write a prefix length from 1 to 31, "
            f"for example `{address}/24`"
        )
    network = ipaddress.IPv4Network((packed, int(length)), strict=False)
    if int(length) == 31:  # RFC 3021: both are hosts, and there is no broadcast
        return packed, 31
    if packed in (network.network_address.packed, network.broadcast_address.packed):
        role = "network" if packed == network.network_address.packed else "broadcast"
        raise ValueError(
            f"{address} is the {role} address of {network}; write one from {network[1]} to "
            f"{network[-2]}"
        )
    return packed, int(length)


def prefix(written: object) -> Prefix:
    """`10.9.0.0/16`: a network, without host bits."""
    if not isinstance(written, str):
        raise ValueError("this is no network; write for example `10.0.0.0/8`")
    address, slash, length = written.partition("/")
    packed = ip_address(address, usable=False)
    if (of_mask := _length_of_mask(length)) is not None:
        raise ValueError(f"`{length}` is a mask; write its length: `{address}/{of_mask}`")
    if not slash or not is_number(length) or int(length[:4]) > 32:
        raise ValueError(f"`{written}` has no prefix length from 0 to 32; write `{address}/16`")
    network = ipaddress.IPv4Network((packed, int(length)), strict=False)
    if network.network_address.packed != packed:
        raise ValueError(f"`{written}` has host bits set; write `{network}`")
    return packed, int(length)


def _length_of_mask(text: str) -> int | None:
    """24 of `255.255.255.0`."""
    if "." not in text:
        return None
    try:
        return ipaddress.IPv4Network(f"0.0.0.0/{text}").prefixlen
    except ValueError:
        return None


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def route_target(written: object) -> Prefix:
    """`default`, or a network."""
    return (bytes(4), 0) if written == "default" else prefix(written)


def next_hop(written: object) -> bytes | str:
    """A packed address, or the name of a node."""
    if written == "0.0.0.0":
        raise ValueError("0.0.0.0 is no next hop; leave it out, and it follows from the links")
    if isinstance(written, str) and is_address_like(written):
        return ip_address(written)
    try:
        return check_node_name(written)
    except InvalidNameError:
        raise ValueError(
            f"`{written}` is neither an address nor a node; write for example `10.0.1.1` or `r1`"
        ) from None


def pool(written: object) -> Prefix:
    """The network that subnets are cut from."""
    packed, length = prefix(written)
    network = ipaddress.IPv4Network((packed, length))
    if length > 29 or any(network.overlaps(unusable) for unusable in _UNUSABLE):
        raise ValueError(f"no subnets can be cut from {network}; write for example `10.0.0.0/8`")
    return packed, length


def subnet_length(written: object) -> int:
    """The prefix length of each assigned subnet."""
    if isinstance(written, bool) or not isinstance(written, int) or not 8 <= written <= 30:
        raise ValueError(f"`{written}` is not a prefix length; write a number from 8 to 30")
    return written


def ip_address(written: str, *, usable: bool = True) -> bytes:
    """The packed address; a `usable` one is a unicast address that a host can have."""
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        raise ValueError(
            f"`{written[:50]}` is no address; write four numbers from 0 to 255, for example "
            "`10.0.3.10`"
        ) from None
    if address.version != 4:
        raise ValueError(f"IPv6 is not there yet (`{written}`); write an IPv4 address")
    if usable and any(address in network for network in _UNUSABLE):
        raise ValueError(f"no host can have {address}; write one from 10.0.0.0/8")
    return address.packed


def is_address_like(text: str) -> bool:
    """Whether it is meant for an address, right or wrong."""
    return _ADDRESS_LIKE.fullmatch(text) is not None
