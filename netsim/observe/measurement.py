"""What is measured of an interface, or of a TCP connection, at one time, and told in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Watched: TypeAlias = Mapping[str, frozenset[str] | None]
"""Nodes with the interfaces that are measured; None is all of them, and the connections."""


class Measurement(NamedTuple):
    """A line of what `Network.record` writes. What it is not about is empty, or None.

    Of an interface: its queue, what it lets through each way, what it dropped. Of a connection:
    its windows, its round-trip time, what it has in flight, and what its peer has acknowledged.
    """

    time_ns: int
    """Network time."""
    node: str
    interface: str = ""
    """`eth0`."""
    local: str = ""
    remote: str = ""
    """Ends of a connection, `10.0.1.10:80`."""
    cwnd_bytes: int | None = None
    ssthresh_bytes: int | None = None
    """None until the first loss."""
    rtt_ns: int | None = None
    """Smoothed; None until there is one."""
    in_flight_bytes: int | None = None
    queue_packets: int | None = None
    queue_bytes: int | None = None
    rate_bps: int | None = None
    """bit/s since the measurement before, None in the first: frames that the interface sent and
    did not drop; data that the peer of a connection has acknowledged."""
    received_bps: int | None = None
    """The same of what has arrived."""
    dropped: int | None = None
    """Frames since the measurement before."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Measurements in the order of time, and how many were left out meanwhile."""

    measurements: tuple[Measurement, ...] = ()
    left_out: int = 0
