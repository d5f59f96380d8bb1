"""Faults that a host suffers though its links are well: packets and connections that go wrong.

Plain values, told to a host as a whole: what is not among them any more is healed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ConnectionFaultKind = Literal["reset", "cut", "slow_close", "refuse"]


@dataclass(frozen=True, slots=True)
class PacketFault:
    """Packets from some addresses vanish when they arrive. None stands for any."""

    sources: frozenset[bytes]
    """Addresses, packed."""
    protocol: int | None = None
    """IP's number: 1, 6 or 17."""
    port: int | None = None
    """Of either end: the port of a service both of requests and of replies."""
    only_data: bool = False
    """Of TCP only segments with data or a FIN: connections are there, and nothing comes through."""


@dataclass(frozen=True, slots=True)
class ConnectionFault:
    """TCP connections to a port of the host, from some addresses or from all, go wrong."""

    number: int
    """Tells it apart from others that are alike."""
    kind: ConnectionFaultKind
    """`reset` and `cut` end a connection, with RST or FIN, when so many bytes were sent on it;
    `slow_close` sends the FIN late; `refuse` answers a SYN with RST."""
    port: int
    peers: frozenset[bytes] | None = None
    amount: int | None = None
    """Bytes; ns; how many connections are refused, None for all."""

    def concerns(self, peer: bytes, port: int) -> bool:
        """Whether a connection with `peer` at this port of ours is one of them."""
        return port == self.port and (self.peers is None or peer in self.peers)


@dataclass(frozen=True, slots=True)
class HostFaults:
    """All faults of one host."""

    packets: tuple[PacketFault, ...] = ()
    connections: tuple[ConnectionFault, ...] = ()
