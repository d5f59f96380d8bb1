"""`struct tcp_info` of Linux (linux/tcp.h), filled from a connection, for TCP_INFO."""

from __future__ import annotations

import struct
from typing import Final

from netsim.core.time import MICROSECOND, MILLISECOND
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.reno import UNLIMITED
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_socket import TcpSocket

_STATES: Final = {
    State.ESTABLISHED: 1,
    State.SYN_SENT: 2,
    State.SYN_RECEIVED: 3,
    State.FIN_WAIT_1: 4,
    State.FIN_WAIT_2: 5,
    State.TIME_WAIT: 6,
    State.CLOSED: 7,
    State.CLOSE_WAIT: 8,
    State.LAST_ACK: 9,
    State.CLOSING: 11,
}
_OPEN, _DISORDER, _REDUCED, _RECOVERY, _LOSS = range(5)
_PHASES: Final = {Phase.REDUCED: _REDUCED, Phase.FAST: _RECOVERY, Phase.TIMEOUT: _LOSS}
_TIMESTAMPS, _SACK, _SCALING = 1, 2, 4
_LAYOUT: Final = struct.Struct("=8B24I4Q6I")
_UNLIMITED: Final = 0x7FFFFFFF


def tcp_info(connection: TcpSocket, now: int) -> bytes:
    """As Linux would lay it out up to `tcpi_data_segs_out`; times in µs or ms as there, `now` is
    network time in ns. What is not measured here is 0."""
    sender, receiver = connection.sender, connection.receiver
    trip = sender.round_trip
    transmitter = connection.transmitter
    mss = max(sender.mss, 1)
    window, threshold, phase, lost, resent, sacked, unacked = 0, UNLIMITED, _OPEN, 0, 0, 0, 0
    if hasattr(sender, "recovery"):
        queue = sender.recovery.queue
        window, threshold = sender.congestion.window, sender.congestion.threshold
        disorder = _OPEN if sender.recovery.in_order else _DISORDER
        phase = _PHASES.get(sender.recovery.phase, disorder)
        lost, resent = -(-queue.lost // mss), -(-queue.resent // mss)
        sacked, unacked = queue.sacked_segments, len(queue.segments)
    options = (
        _TIMESTAMPS * transmitter.timestamps + _SACK * transmitter.sack
    ) + _SCALING * connection.scaling
    heard = (now - connection.last_heard) // MILLISECOND
    return _LAYOUT.pack(
        _STATES[connection.state],
        phase,
        min(sender.retries, 255),
        min(sender.probes, 255),
        0,
        options,
        sender.scale | receiver.scale << 4,
        0,
        trip.timeout // MICROSECOND,
        receiver.acks.interval // MICROSECOND,
        sender.mss,
        receiver.acks.mss,
        unacked,
        sacked,
        lost,
        resent,
        0,
        (now - sender.last_sent_at) // MILLISECOND,
        0,
        heard,
        heard,
        connection.own_mss() + 40,
        receiver.limit,
        trip.smoothed // MICROSECOND,
        trip.variation // MICROSECOND,
        _UNLIMITED if threshold >= UNLIMITED else threshold // mss,
        window // mss,
        connection.own_mss(),
        3,
        trip.smoothed // MICROSECOND,
        receiver.limit,
        sender.retransmissions,
        0,
        0,
        max(sender.una - sender.iss - 1, 0),
        max(receiver.nxt - receiver.irs - 1, 0),
        0,
        0,
        sender.unsent,
        trip.least // MICROSECOND,
        0,
        0,
    )
