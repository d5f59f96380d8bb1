"""What `ss` and `inspect` show of a host's TCP."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.reno import UNLIMITED
from netsim.stack.tcp.shared import Endpoint
from netsim.stack.tcp.state import State
from netsim.stack.tcp.time_wait import TimeWait


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One connection at one instant. Sizes in octets, times in ns; 0 where there is none yet."""

    local: Endpoint
    remote: Endpoint
    state: State
    receive_queue: int = 0
    """Arrived in order and not read."""
    send_queue: int = 0
    """Written and not acknowledged."""
    congestion_window: int = 0
    slow_start_threshold: int | None = None
    """None until the first loss."""
    smoothed_rtt_ns: int = 0
    rtt_variation_ns: int = 0
    retransmission_timeout_ns: int = 0
    mss: int = 0
    retransmissions: int = 0


@dataclass(frozen=True, slots=True)
class ListenerView:
    """One listener at one instant."""

    local: tuple[bytes | None, int]
    waiting: int
    """Connections not accepted yet."""
    backlog: int


def view_connection(connection: Connection) -> ConnectionView:
    """Of a connection in any state but TIME-WAIT."""
    sender = connection.sender
    window, threshold = 0, None
    if sender.established:
        window = sender.congestion.window
        if sender.congestion.threshold < UNLIMITED:
            threshold = sender.congestion.threshold
    return ConnectionView(
        connection.local,
        connection.remote,
        connection.state,
        connection.readable_bytes,
        connection.buffered_bytes,
        window,
        threshold,
        sender.round_trip.smoothed,
        sender.round_trip.variation,
        sender.round_trip.timeout,
        sender.mss,
        sender.retransmissions,
    )


def view_time_wait(waiting: TimeWait) -> ConnectionView:
    """Of a connection that is over."""
    return ConnectionView(waiting.local, waiting.remote, State.TIME_WAIT)
