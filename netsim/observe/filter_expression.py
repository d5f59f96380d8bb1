"""What a capture filter means, as a tree of what a frame has to have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from netsim.wire.address import IpAddress, MacAddress

Way: TypeAlias = Literal["any", "src", "dst", "both"]
"""Which of the two addresses or ports has to be it."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Frames of a protocol: `tcp`."""

    name: str


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses in a network: `src net 10.0.1.0/24`, `arp host 10.0.1.1`.

    ARP is asked for its addresses, too, unless the protocol is `ip`.
    """

    protocol: str
    """Empty where none is written."""
    way: Way
    address: IpAddress
    prefix: int


@dataclass(frozen=True, slots=True)
class Station:
    """A MAC address: `ether src 02:00:00:01:00:00`."""

    way: Way
    mac: MacAddress


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports in a range: `tcp dst port 80`."""

    protocol: str
    """Empty where none is written: TCP, UDP and SCTP."""
    way: Way
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Group:
    """`broadcast`, `multicast`; of IP with the protocol `ip`."""

    protocol: str
    broadcast: bool


@dataclass(frozen=True, slots=True)
class Length:
    """Octets of the frame: `less 100`, `greater 1000`, both inclusive."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Number:
    value: int


@dataclass(frozen=True, slots=True)
class FrameLength:
    """Octets of the frame: `len`."""


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets of a header or behind it, as a number: `tcp[12:2]`."""

    protocol: str
    at: Value
    """From the beginning of the header."""
    size: int
    """1, 2 or 4."""


@dataclass(frozen=True, slots=True)
class Calculation:
    """Of numbers of 32 bits without a sign: `tcp[13] & 2`."""

    operator: str
    left: Value
    right: Value


Value: TypeAlias = Number | FrameLength | Octets | Calculation


@dataclass(frozen=True, slots=True)
class Comparison:
    """`tcp[13] & 2 != 0`."""

    operator: str
    """`=`, `!=`, `<`, `<=`, `>`, `>=`."""
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression


@dataclass(frozen=True, slots=True)
class Both:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Either:
    left: Expression
    right: Expression


Expression: TypeAlias = (
    Protocol | Network | Station | Ports | Group | Length | Comparison | Not | Both | Either
)
