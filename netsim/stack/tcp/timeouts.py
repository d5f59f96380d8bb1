"""What the timers of a connection bring (RFC 9293 3.10.8, 3.8.3, 3.8.4)."""

from __future__ import annotations

import errno

from netsim.stack.tcp import (
    handshake,
    loss_recovery,
    mtu_probes,
    output,
    peer_probes,
    retransmission,
    tail_loss,
)
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.sender import TimerUse
from netsim.stack.tcp.state import SYNCHRONIZED, State


def retransmission_timer_fired(connection: Connection, now: int) -> None:
    """Nothing was heard for an RTO: say it again, probe, or give up."""
    sender = connection.sender
    if sender.una < sender.nxt and sender.established:
        if sender.timer_use is TimerUse.PROBE:
            connection.stalled_since = sender.recovery.queue.segments[0].sent_at
            tail_loss.send_probe(sender, now)
            return
        if sender.timer_use is TimerUse.REORDER:
            loss_recovery.late_data_is_lost(sender, now)
            output.output(sender, now)
            return
    settings = connection.shared.settings
    state = connection.state
    if state is State.SYN_SENT or state is State.SYN_RECEIVED:
        passive = connection.listener is not None
        steady = 0 if passive else settings.steady_syn_retries
        limit = settings.syn_ack_retries if passive else settings.syn_retries + steady
        if sender.retries >= limit:
            connection.fail(errno.ETIMEDOUT)
            return
        sender.retries += 1
        sender.retransmissions += 1
        connection.shared.counters.retransmissions += 1
        if sender.retries > steady:
            sender.round_trip.back_off()
        handshake.send_syn(connection, now)
        connection.retransmission_timer.start(now + sender.round_trip.timeout)
        return
    outstanding = sender.una < sender.nxt
    shut = sender.window_edge <= sender.una
    answered = connection.last_heard > sender.last_sent_at
    if outstanding and shut and answered and not connection.orphan:
        # RFC 9293 3.8.6.1: a peer that answers may keep its window shut as long as it likes; but
        # not where nobody waits for it any more.
        sender.retries = 0
    if not sender.retries and sender.recovery.probe_end < 0:
        segments = sender.recovery.queue.segments
        connection.stalled_since = segments[0].sent_at if segments else now
    if _has_waited_enough(connection, now):
        connection.fail(errno.ETIMEDOUT)
        return
    if outstanding:
        if not shut:
            mtu_probes.suspect_black_hole(connection, now)
        retransmission.timed_out(sender, now)
    else:
        unsent = sender.unsent
        peer_probes.probe_window(sender, now)
        if sender.unsent != unsent:
            connection.notify()
    limit = connection.user_timeout_ns
    if limit and sender.timer.due is not None:
        sender.timer.start(min(sender.timer.due, max(connection.stalled_since + limit, now + 1)))


def _has_waited_enough(connection: Connection, now: int) -> bool:
    """Whether the retries, or the time that the program has set, are used up (RFC 9293 3.8.3,
    RFC 5482)."""
    retries = connection.sender.retries
    if connection.user_timeout_ns and not connection.orphan:
        return bool(retries) and now - connection.stalled_since >= connection.user_timeout_ns
    settings = connection.shared.settings
    if not connection.orphan:
        return retries >= settings.retries
    # Probes that are answered count here, once they have become rare (Linux: tcp_probe_timer).
    sender = connection.sender
    probes = sender.probes if sender.round_trip.is_longest(sender.probes) else 0
    return max(retries, probes) >= settings.orphan_retries


def idle_timer_fired(connection: Connection, now: int) -> None:
    """Keep-alive, or the end of an orphan's FIN-WAIT-2."""
    if connection.orphan and connection.state is State.FIN_WAIT_2:
        connection.end(None)
        return
    keep_alive = connection.keep_alive
    if keep_alive is None or connection.state not in SYNCHRONIZED:
        return
    heard = connection.last_heard
    if heard >= connection.keep_alive_probed_at:
        connection.keep_alive_probes = 0
        if now - heard < keep_alive.idle_ns:
            connection.idle_timer.start(heard + keep_alive.idle_ns)
            return
    if connection.sender.una < connection.sender.nxt:
        # Retransmission finds out by itself; keep-alive is for a connection with nothing to say.
        connection.idle_timer.start(now + keep_alive.interval_ns)
        return
    if connection.keep_alive_probes >= keep_alive.probes:
        connection.transmitter.reset(connection.sender.nxt, now)
        connection.fail(errno.ETIMEDOUT)
        return
    connection.keep_alive_probes += 1
    connection.keep_alive_probed_at = now
    connection.shared.counters.keep_alive_probes += 1
    peer_probes.send_probe(connection.sender, now)
    connection.idle_timer.start(now + keep_alive.interval_ns)


def owner_acted(connection: Connection, now: int) -> None:
    """The owner may have closed the connection or set keep-alive."""
    if connection.orphan:
        if connection.state is State.FIN_WAIT_2:
            start_fin_wait_2(connection, now)
    elif connection.keep_alive is not None:
        connection.idle_timer.start_if_stopped(now + connection.keep_alive.idle_ns)
    else:
        connection.idle_timer.stop()


def start_fin_wait_2(connection: Connection, now: int) -> None:
    """The peer of a connection nobody owns gets a limited time for its FIN, as in Linux; a
    half-closed connection with an owner may wait for ever (RFC 9293 3.6)."""
    if connection.orphan:
        connection.idle_timer.start(now + connection.shared.settings.fin_timeout_ns)
