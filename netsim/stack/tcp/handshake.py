"""Opening a connection: SYNs, what their options agree on, and the step to ESTABLISHED.

RFC 9293 3.5, options of RFC 7323 and RFC 2018, MSS of RFC 9293 3.7.1.
"""

from __future__ import annotations

from typing import Final

from netsim.stack.tcp.connection import TIMESTAMP_LENGTH, Connection
from netsim.stack.tcp.receiver import MAX_WINDOW_SCALE, window_scale_for
from netsim.stack.tcp.state import State
from netsim.wire.tcp import ACK, TcpSegment

_DEFAULT_MSS: Final = {4: 536, 16: 1220}
"""Of a peer that names none (RFC 9293 3.7.1, MUST-15)."""
_LEAST_MSS: Final = 88
"""Less would be an attack: Linux does not go below 48, we leave room for options besides."""


def begin(connection: Connection, state: State, now: int) -> None:
    """Send our SYN or SYN-ACK for the first time."""
    connection.state = state
    connection.opened_at = now
    sender = connection.sender
    sender.nxt = sender.iss + 1
    send_syn(connection, now)
    connection.retransmission_timer.start(now + sender.round_trip.timeout)


def send_syn(connection: Connection, now: int) -> None:
    """Our SYN, or SYN-ACK once the peer's SYN has come, first or again."""
    settings = connection.shared.settings
    transmitter = connection.transmitter
    connection.syn_sent_at = now
    answer = connection.state is State.SYN_RECEIVED
    scaling = connection.scaling if answer else settings.window_scaling
    timestamps = transmitter.timestamps if answer else settings.timestamps
    sack = transmitter.sack if answer else settings.selective_acknowledgement
    offers = TcpSegment(0, 0, 0, 0, 0, 0, sack_permitted=sack)
    if scaling:
        offers.window_scale = window_scale_for(settings.receive_buffer)
    if timestamps:
        offers.timestamp = 0
    transmitter.synchronize(
        connection.sender.iss, ACK if answer else 0, connection.own_mss(), offers, now
    )


def synchronize(connection: Connection, segment: TcpSegment, now: int) -> None:
    """Take the peer's SYN: where its data begins and what both of us offered."""
    settings = connection.shared.settings
    receiver, sender, transmitter = connection.receiver, connection.sender, connection.transmitter
    if settings.window_scaling and segment.window_scale is not None:
        connection.scaling = True
        sender.scale = min(segment.window_scale, MAX_WINDOW_SCALE)
    scale = window_scale_for(settings.receive_buffer) if connection.scaling else 0
    receiver.synchronize(segment.sequence, scale)
    default = _DEFAULT_MSS[len(connection.remote[0])]
    connection.peer_mss = max(default if segment.mss is None else segment.mss, _LEAST_MSS)
    receiver.mss = min(connection.peer_mss, connection.own_mss())
    transmitter.sack = settings.selective_acknowledgement and segment.sack_permitted
    if settings.timestamps and segment.timestamp is not None:
        transmitter.timestamps = True
        receiver.recent = segment.timestamp
        receiver.recent_at = now
        receiver.mss -= TIMESTAMP_LENGTH
    sender.start_window(receiver.irs, sender.iss + 1, segment.window)


def establish(connection: Connection, segment: TcpSegment, now: int) -> None:
    """Our SYN is acknowledged by `segment` and theirs has come: ESTABLISHED."""
    sender = connection.sender
    repeated = sender.retries
    if not repeated:
        sender.round_trip.sample(now - connection.opened_at)
    else:
        sender.round_trip.handshake_was_repeated()
        sender.measure_echo(connection.syn_sent_at, segment, now)
    connection.receiver.round_trip = sender.round_trip.smoothed
    sender.una = sender.iss + 1
    sender.retries = 0
    connection.retransmission_timer.stop()
    sender.establish(connection.segment_size(), connection.shared.settings, repeated, now)
    connection.connected = True
    # A half-close asked for before now takes effect as soon as data may leave.
    connection.state = State.FIN_WAIT_1 if sender.buffer.fin_queued else State.ESTABLISHED
    connection.notify()
    # What the owner asked for on a connection that was still opening, such as keep-alive.
    connection.mark_dirty()
