"""Opening a connection: SYNs, what their options agree on, and the step to ESTABLISHED.

RFC 9293 3.5, options of RFC 7323 and RFC 2018, MSS of RFC 9293 3.7.1.
"""

from __future__ import annotations

from typing import Final

from netsim.stack.tcp import send_memory, syn_cookies
from netsim.stack.tcp.connection import TIMESTAMP_LENGTH, Connection, Shared, own_mss
from netsim.stack.tcp.endpoints import Endpoint, key_of
from netsim.stack.tcp.receiver import MAX_WINDOW_FIELD, MAX_WINDOW_SCALE, window_scale_for
from netsim.stack.tcp.seq import MASK
from netsim.stack.tcp.state import State
from netsim.stack.tcp.transmitter import send_segment, timestamp_clock
from netsim.wire.ipv4 import ECT_0
from netsim.wire.tcp import ACK, CWR, ECE, SYN, TcpSegment

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
    # Who opens at the same time as the peer says again what was offered before, as Linux does.
    agreed = answer and connection.listener is not None
    scaling = connection.scaling if agreed else settings.window_scaling
    timestamps = transmitter.timestamps if agreed else settings.timestamps
    sack = transmitter.sack if agreed else settings.selective_acknowledgement
    offers = TcpSegment(0, 0, 0, 0, 0, 0, sack_permitted=sack)
    if scaling:
        offers.window_scale = window_scale_for(settings.receive_buffer)
    if timestamps:
        offers.timestamp = 0
    if answer:
        flags = ACK | (ECE if transmitter.ecn else 0)
    else:
        # RFC 3168 6.1.1; a SYN that was lost may have been dropped for it (6.1.1.1).
        asks = settings.request_ecn and not connection.sender.retries
        flags = ECE | CWR if asks else 0
    transmitter.synchronize(connection.sender.iss, flags, connection.own_mss(), offers, now)


def resume(connection: Connection) -> None:
    """As after `begin`, of a handshake whose answer was a SYN cookie: nobody knows when it left."""
    connection.state = State.SYN_RECEIVED
    connection.opened_at = None
    connection.sender.nxt = connection.sender.iss + 1


def answer_with_cookie(
    shared: Shared, local: Endpoint, remote: Endpoint, syn: TcpSegment, user_mss: int, now: int
) -> None:
    """The SYN-ACK of a connection that is kept nowhere."""
    settings = shared.settings
    numbers = shared.sequence_numbers
    key = key_of(remote, local)
    default = _DEFAULT_MSS[len(remote[0])]
    answer = TcpSegment(
        local[1],
        remote[1],
        syn_cookies.make(numbers, key, syn.sequence, syn.mss or default, now),
        syn.sequence + 1 & MASK,
        SYN | ACK,
        min(settings.initial_receive_buffer, MAX_WINDOW_FIELD),
        mss=own_mss(shared.ip, remote[0], user_mss),
    )
    if settings.timestamps and syn.timestamp is not None:
        clock = timestamp_clock(now, numbers.timestamp_offset(key))
        answer.timestamp, answer.timestamp_echo = syn_cookies.stamp(clock, syn), syn.timestamp
        answer.sack_permitted = settings.selective_acknowledgement and syn.sack_permitted
        if settings.window_scaling and syn.window_scale is not None:
            answer.window_scale = window_scale_for(settings.receive_buffer)
    send_segment(shared.ip, shared.drop, shared.counters, local[0], remote[0], answer, now)


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
    offer = segment.flags & (ACK | ECE | CWR)
    if (offer == ECE | CWR and settings.ecn) or (offer == ACK | ECE and settings.request_ecn):
        transmitter.ecn = ECT_0
    transmitter.sack = settings.selective_acknowledgement and segment.sack_permitted
    if settings.timestamps and segment.timestamp is not None:
        transmitter.timestamps = True
        receiver.recent = segment.timestamp
        receiver.recent_at = now
        receiver.mss -= TIMESTAMP_LENGTH
    receiver.acks.mss = min(receiver.acks.mss, receiver.mss)
    sender.start_window(receiver.irs, sender.iss + 1, segment.window)


def establish(connection: Connection, segment: TcpSegment, now: int) -> None:
    """Our SYN is acknowledged by `segment` and theirs has come: ESTABLISHED."""
    sender = connection.sender
    repeated = sender.retries
    opened_at = connection.opened_at
    if opened_at is not None and opened_at == connection.syn_sent_at:
        sender.round_trip.sample(now - opened_at)
    else:
        sender.round_trip.handshake_was_not_measured()
        sender.measure_echo(segment, now)
        if opened_at is not None and _answers_what_left_at(connection, opened_at, segment):
            repeated = 0  # without need (RFC 3522; Linux: tcp_try_undo_spurious_syn)
    sender.una = sender.iss + 1
    sender.retries = 0
    connection.retransmission_timer.stop()
    sender.establish(connection.segment_size(), connection.shared.settings, repeated, now)
    send_memory.expand(connection)
    connection.connected = True
    # A half-close asked for before now takes effect as soon as data may leave.
    connection.state = State.FIN_WAIT_1 if sender.buffer.fin_queued else State.ESTABLISHED
    connection.notify()
    # What the owner asked for on a connection that was still opening, such as keep-alive.
    connection.mark_dirty()


def _answers_what_left_at(connection: Connection, time: int, segment: TcpSegment) -> bool:
    """Whether the peer echoes the timestamp of then."""
    transmitter = connection.transmitter
    return transmitter.timestamps and segment.timestamp_echo == transmitter.clock(time)
