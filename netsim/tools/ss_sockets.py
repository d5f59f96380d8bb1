"""The sockets of a host as `ss` sees them, and the lines that it prints of them, as in iproute2."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.host import Host
from netsim.stack.tcp.view import ConnectionView, TimerView
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


_HEAD = ("Netid", "State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port")
_TO_THE_RIGHT = (4, 6)
"""Columns of addresses: they end at the colon before the port."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How endpoints are written: names of services and of nodes, or numbers."""

    name_of: Callable[[IpAddress], str | None]
    ports: bool
    addresses: bool

    def cells(self, endpoint: Endpoint, kind: str) -> tuple[str, str]:
        """The address and the port."""
        address, port = endpoint
        name = self.name_of(address) if self.addresses else None
        return name or format_ip(address), self._port(port, kind)

    def _port(self, port: int, kind: str) -> str:
        if not port:
            return "*"
        if self.ports:
            try:
                return socket.getservbyport(port, kind)
            except OSError:
                pass
        return str(port)


def lines(
    sockets: Sequence[Socket],
    naming: Naming,
    now: int,
    *,
    heading: bool,
    kinds: bool,
    timers: bool,
    details: bool,
) -> Iterator[str]:
    """A line for each socket; `kinds` adds the first column, `details` a second line."""
    rows = [_cells(each, naming) for each in sockets]
    shown = [_HEAD, *rows] if heading else rows
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    if heading:
        yield _line(_HEAD, widths, kinds)
    for each, row in zip(sockets, rows, strict=True):
        view = each.connection
        line = _line(row, widths, kinds)
        if timers and view is not None and view.timer is not None:
            line += f" timer:({_timer_text(view.timer, now)})"
        yield line
        if details and view is not None and view.mss:
            yield f"\t {_details(view)}"


def _cells(each: Socket, naming: Naming) -> tuple[str, ...]:
    return (
        each.kind,
        each.state,
        str(each.receive_queue),
        str(each.send_queue),
        *naming.cells(each.local, each.kind),
        *naming.cells(each.remote, each.kind),
    )


def _line(cells: Sequence[str], widths: Sequence[int], kinds: bool) -> str:
    padded = [
        cell.rjust(width) if column in _TO_THE_RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    kind, state, receive, send, local, local_port, peer, peer_port = padded
    words = [state, receive, send, f"{local}:{local_port}", f"{peer}:{peer_port}"]
    return " ".join([kind, *words] if kinds else words).rstrip()


def _timer_text(timer: TimerView, now: int) -> str:
    """`on,204ms,0`; from a second on `1.5sec`, from a minute on `1min59sec`, as iproute2."""
    left = max(timer.due - now, 0)
    if left >= 60 * SECOND:
        seconds = left // SECOND
        text = f"{seconds // 60}min" + (f"{seconds % 60}sec" if seconds % 60 else "")
    elif left >= SECOND:
        text = f"{left / SECOND:.3g}sec"
    else:
        text = f"{left // MILLISECOND}ms"
    return f"{timer.name},{text},{timer.retries}"


def _details(view: ConnectionView) -> str:
    words = ["reno"]
    if view.send_scale or view.receive_scale:
        words.append(f"wscale:{view.send_scale},{view.receive_scale}")
    words.append(f"rto:{view.retransmission_timeout_ns / MILLISECOND:g}")
    if view.smoothed_rtt_ns:
        smoothed = view.smoothed_rtt_ns / MILLISECOND
        words.append(f"rtt:{smoothed:.4g}/{view.rtt_variation_ns / MILLISECOND:.4g}")
    words.append(f"mss:{view.mss}")
    if view.congestion_window:
        words.append(f"cwnd:{view.congestion_window // view.mss}")
    if view.slow_start_threshold is not None:
        words.append(f"ssthresh:{view.slow_start_threshold // view.mss}")
    if view.retransmissions:
        words.append(f"retrans:0/{view.retransmissions}")
    return " ".join(words)
