"""What `ss` and `inspect` show of a host's TCP."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.endpoints import Endpoint
from netsim.stack.tcp.reno import UNLIMITED
from netsim.stack.tcp.state import State
from netsim.stack.tcp.time_wait import TimeWait


@dataclass(frozen=True, slots=True)
class TimerView:
    """A timer that runs. `name` is `on` (retransmission), `persist`, `keepalive`, `timewait`."""

    name: str
    due: int
    """Network time in ns."""
    retries: int


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
    in_flight: int = 0
    """Believed to be in the network (RFC 6675's pipe)."""
    acknowledged: int = 0
    """Of what was written, by the peer."""
    received: int = 0
    """In order."""
    send_scale: int = 0
    receive_scale: int = 0
    """Window scales: shifts of the peer's and of our window field (RFC 7323)."""
    timer: TimerView | None = None


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
        connection.receiver.readable,
        len(sender.buffer.data),
        window,
        threshold,
        sender.round_trip.smoothed,
        sender.round_trip.variation,
        sender.round_trip.timeout,
        sender.mss,
        sender.retransmissions,
        sender.in_flight() if sender.established else 0,
        max(sender.una - sender.iss - 1, 0),
        max(connection.receiver.nxt - connection.receiver.irs - 1, 0),
        sender.scale,
        connection.receiver.scale,
        _timer_of(connection),
    )


def view_time_wait(waiting: TimeWait) -> ConnectionView:
    """Of a connection that is over."""
    timer = None if waiting.ends_at is None else TimerView("timewait", waiting.ends_at, 0)
    return ConnectionView(waiting.local, waiting.remote, State.TIME_WAIT, timer=timer)


def _timer_of(connection: Connection) -> TimerView | None:
    sender = connection.sender
    due = connection.retransmission_timer.due
    if due is not None:
        # One timer serves both: it asks for a window when nothing is outstanding.
        return TimerView("on" if sender.una < sender.nxt else "persist", due, sender.retries)
    due = connection.idle_timer.due
    if due is not None:
        name = "timewait" if connection.orphan else "keepalive"
        return TimerView(name, due, connection.keep_alive_probes)
    return None
