"""What the connections of one host have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netsim.stack.tcp.isn import SequenceNumbers
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import IpSender
from netsim.stack.timers import Timers

if TYPE_CHECKING:
    from netsim.stack.tcp.connection import Connection
    from netsim.stack.tcp.time_wait import TimeWait

Endpoint = tuple[bytes, int]
"""A packed address and a port."""


def key_of(remote: Endpoint, local: Endpoint) -> bytes:
    """Names a connection: both addresses, then both ports as an arriving segment has them in
    its first four octets, so that the receiving side gets it by joining bytes."""
    return b"%b%b%b%b" % (
        remote[0],
        local[0],
        remote[1].to_bytes(2, "big"),
        local[1].to_bytes(2, "big"),
    )


@dataclass(slots=True, eq=False)
class Shared:
    """One for each host."""

    ip: IpSender
    timers: Timers
    ready: dict[Any, None]
    """Where a connection or listener puts itself when its owner should look at it."""
    settings: TcpSettings
    sequence_numbers: SequenceNumbers
    counters: TcpCounters = field(default_factory=TcpCounters)
    connections: dict[bytes, Connection] = field(default_factory=dict)
    """By `key_of`, in any state but TIME-WAIT."""
    waiting: dict[bytes, TimeWait] = field(default_factory=dict)
    """In TIME-WAIT, oldest first."""
    dirty: dict[Connection, None] = field(default_factory=dict)
    """Connections whose owner did something that may make segments leave."""
