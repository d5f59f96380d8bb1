"""The sockets of a host as `ss` sees them: TCP connections and listeners, and UDP sockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netsim.stack.host import Host
from netsim.stack.tcp.view import ConnectionView
from netsim.wire.address import UNSPECIFIED, IpAddress, format_ip

Endpoint = tuple[IpAddress, int]
"""Address, unspecified for any, and port, 0 for any."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A row of `ss`. Queues in bytes; of a listener in connections: waiting, and at most."""

    kind: str
    state: str
    receive_queue: int
    send_queue: int
    local: Endpoint
    remote: Endpoint
    connection: ConnectionView | None = None

    @property
    def is_listening(self) -> bool:
        """Whether it takes what comes from anybody."""
        return self.state in ("LISTEN", "UNCONN")


def sockets_of(host: Host) -> list[Socket]:
    """Every socket: UDP, then listeners, then connections."""
    sockets = [
        Socket(
            "udp",
            "ESTAB" if each.remote else "UNCONN",
            each.queued_bytes,
            0,
            _endpoint(each.local),
            _endpoint(each.remote),
        )
        for each in host.udp.sockets()
    ]
    sockets += [
        Socket("tcp", "LISTEN", each.waiting, each.backlog, _endpoint(each.local), _endpoint(None))
        for each in host.tcp.listeners()
    ]
    sockets += [
        Socket(
            "tcp",
            each.state.value,
            each.receive_queue,
            each.send_queue,
            each.local,
            each.remote,
            each,
        )
        for each in host.tcp.connections()
    ]
    return sockets


def document(socket: Socket, now: int) -> dict[str, Any]:
    """Everything about one socket, ready for JSON; times in ms, sizes in bytes."""
    facts = {
        "netid": socket.kind,
        "state": socket.state,
        "recv_q": socket.receive_queue,
        "send_q": socket.send_queue,
        "local": _place(socket.local),
        "peer": _place(socket.remote),
    }
    view = socket.connection
    if view is None:
        return facts
    timer = view.timer
    return facts | {
        "tcp": {
            "mss": view.mss,
            "cwnd": view.congestion_window,
            "ssthresh": view.slow_start_threshold,
            "rtt_ms": view.smoothed_rtt_ns / 1_000_000,
            "rttvar_ms": view.rtt_variation_ns / 1_000_000,
            "rto_ms": view.retransmission_timeout_ns / 1_000_000,
            "retransmissions": view.retransmissions,
            "send_scale": view.send_scale,
            "receive_scale": view.receive_scale,
        },
        "timer": None
        if timer is None
        else {
            "name": timer.name,
            "expires_ms": max(timer.due - now, 0) / 1_000_000,
            "retries": timer.retries,
        },
    }


def _endpoint(given: tuple[IpAddress | None, int] | None) -> Endpoint:
    address, port = given or (None, 0)
    return UNSPECIFIED if address is None else address, port


def _place(endpoint: Endpoint) -> dict[str, Any]:
    address, port = endpoint
    return {"address": format_ip(address), "port": port or None}
