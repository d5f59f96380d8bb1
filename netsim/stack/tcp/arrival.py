"""A segment arrives for a connection whose peer's SYN is known (RFC 9293 3.10.7.4).

The steps are those of the RFC, in its order, with the refinements of RFC 5961 (blind attacks)
and RFC 7323 (PAWS). There is no third step: security compartments are gone.
"""

from __future__ import annotations

import errno

from netsim.core.time import SECOND
from netsim.stack.tcp import acknowledgement, handshake, output, timeouts
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.reset import refuse
from netsim.stack.tcp.seq import unwrap
from netsim.stack.tcp.state import MAY_RECEIVE, State
from netsim.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpSegment


def segment_arrives(connection: Connection, segment: TcpSegment, now: int) -> None:
    """In SYN-RECEIVED, ESTABLISHED and after; TIME-WAIT has its own module."""
    receiver = connection.receiver
    sequence = unwrap(segment.sequence, receiver.nxt)
    if segment.flags & SYN and sequence == receiver.irs and connection.state is State.SYN_RECEIVED:
        if not _syn_again(connection, segment, now):
            return
        sequence += 1
    if not _is_acceptable(connection, sequence, segment, now):
        return
    if segment.flags & RST:
        _reset_arrives(connection, sequence, now)
        return
    if segment.flags & SYN:
        _challenge(connection, now)  # fourth; RFC 5961 4.2
        return
    if not segment.flags & ACK:
        return
    if connection.transmitter.timestamps and segment.timestamp is not None:
        receiver.note_timestamp(sequence, segment.timestamp, now)
        if segment.payload and segment.timestamp_echo != receiver.echo:
            receiver.echoed(segment.timestamp_echo, len(segment.payload), now)
    if _acknowledgement_arrives(connection, sequence, segment, now):  # fifth
        data_arrives(connection, sequence, segment, now)


def _syn_again(connection: Connection, segment: TcpSegment, now: int) -> bool:
    """The SYN that brought us to SYN-RECEIVED came once more: whether it is a SYN-ACK, as in a
    simultaneous open, and so completes the handshake."""
    if segment.flags & RST:
        return False
    if segment.flags & ACK:
        # From here on it is an ACK like any other, but for its window, which is not scaled.
        segment.flags &= ~SYN
        segment.window >>= connection.sender.scale
        connection.receiver.ack_now = True  # as Linux: its SYN has come twice
        return True
    if connection.transmitter.timestamps and segment.timestamp is not None:
        connection.receiver.note_timestamp(connection.receiver.irs, segment.timestamp, now)
    # Our SYN-ACK was lost, or theirs is a duplicate; both are served by saying it again.
    handshake.send_syn(connection, now)
    return False


def _is_acceptable(connection: Connection, sequence: int, segment: TcpSegment, now: int) -> bool:
    """PAWS and the first step: sequence numbers. Answers what it does not accept."""
    receiver = connection.receiver
    counters = connection.shared.counters
    reset = segment.flags & RST
    stamp = segment.timestamp if connection.transmitter.timestamps and not reset else None
    # RFC 7323 3.2 would have a segment without the option dropped; as Linux does, we take it.
    if stamp is not None and receiver.timestamp_is_old(stamp, now):  # R1 of RFC 7323 5.3
        counters.old_timestamps += 1
        if segment.payload:
            connection.transmitter.acknowledge(connection.sender.nxt, now)
        else:
            _challenge(connection, now)
        return False
    # A little wider than the RFC's test, as in Linux: acknowledgements that were overtaken by
    # data, or follow data that was lost, are heard. Each later step takes what is new to it.
    end = sequence + len(segment.payload) + (segment.flags & FIN)
    if receiver.last_ack_sent <= end and sequence <= receiver.edge:
        return True
    counters.out_of_window += 1
    if segment.payload or segment.flags & FIN:
        if not reset:
            if end <= receiver.nxt:
                counters.duplicates += 1
                receiver.came_again()
                if segment.payload:
                    receiver.duplicate = (sequence, sequence + len(segment.payload))
            connection.transmitter.acknowledge(connection.sender.nxt, now)
    elif not reset:
        _challenge(connection, now)  # limited: two peers could answer each other for ever
    return False


def _challenge(connection: Connection, now: int) -> None:
    """Send an ACK that lets a genuine peer show itself, within limits (RFC 5961 7)."""
    shared = connection.shared
    settings = shared.settings
    last = connection.challenged_at
    if last is not None and now - last < settings.challenge_interval_ns:
        return
    if now - shared.challenges_since >= SECOND:
        shared.challenges_since = now
        shared.challenges = 0
    if shared.challenges < settings.challenge_acks:
        connection.challenged_at = now
        shared.challenges += 1
        shared.counters.challenge_acks += 1
        connection.transmitter.acknowledge(connection.sender.nxt, now)


def _reset_arrives(connection: Connection, sequence: int, now: int) -> None:
    """Second step, with the exact match of RFC 5961 3.2."""
    receiver = connection.receiver
    if sequence != receiver.nxt:
        if receiver.nxt < sequence < receiver.edge:
            _challenge(connection, now)
        return
    connection.shared.counters.resets_in += 1
    state = connection.state
    if state is State.SYN_RECEIVED:
        connection.fail(errno.ECONNREFUSED)
    elif state in (State.CLOSING, State.LAST_ACK):
        connection.end(None)
    else:
        # Linux says EPIPE when the peer had closed its half before.
        connection.fail(errno.EPIPE if state is State.CLOSE_WAIT else errno.ECONNRESET)


def _acknowledgement_arrives(
    connection: Connection, sequence: int, segment: TcpSegment, now: int
) -> bool:
    """Fifth step: ACK, and window; whether the segment's data is of interest."""
    sender = connection.sender
    ack = unwrap(segment.acknowledgement, sender.una)
    if connection.state is State.SYN_RECEIVED:
        if not sender.una < ack <= sender.nxt:
            refuse_acknowledgement(connection, segment, now)
            return False
        if connection.listener is not None and not connection.listener.completes(connection):
            return False
        sender.start_window(sequence, ack, segment.window << sender.scale)
        handshake.establish(connection, segment, now)
        return True
    if not sender.una - sender.max_window <= ack <= sender.nxt:  # RFC 5961 5.2
        connection.shared.counters.bad_acknowledgements += 1
        _challenge(connection, now)
        return False
    if ack >= sender.una and acknowledgement.acknowledged(sender, ack, sequence, segment, now):
        connection.notify()
    if sender.fin_acknowledged:
        state = connection.state
        if state is State.FIN_WAIT_1:
            connection.state = State.FIN_WAIT_2
            timeouts.start_fin_wait_2(connection, now)
        elif state is State.CLOSING:
            connection.enter_time_wait(now)
            return False
        elif state is State.LAST_ACK:
            connection.end(None)
            return False
    return True


def refuse_acknowledgement(connection: Connection, segment: TcpSegment, now: int) -> None:
    """During the handshake: what was acknowledged was never sent, by this connection."""
    connection.shared.counters.bad_acknowledgements += 1
    refuse_segment(connection, segment, now)


def refuse_segment(connection: Connection, segment: TcpSegment, now: int) -> None:
    """Answer with RST, as if there were no connection."""
    shared = connection.shared
    source, destination = connection.remote[0], connection.local[0]
    refuse(shared.ip, shared.drop, shared.counters, source, destination, segment, now)


def data_arrives(connection: Connection, sequence: int, segment: TcpSegment, now: int) -> None:
    """Seventh and eighth step: data and FIN; then send what all of this has made possible.

    The sixth is the urgent pointer: urgent data is delivered in line (RFC 9293 3.8.5)."""
    receiver = connection.receiver
    payload = segment.payload
    if connection.state in MAY_RECEIVE:
        end = sequence + len(payload)
        if payload:
            if connection.orphan and end > receiver.nxt:
                # RFC 9293 3.6.1, MUST-17: nobody will read this, so the peer must know.
                refuse_segment(connection, segment, now)
                connection.end(None)
                return
            _take_data(connection, sequence, segment, now)
        if segment.flags & FIN:
            if receiver.fin_at is None and receiver.nxt <= end <= receiver.edge:
                receiver.fin_at = end
            if end != receiver.nxt:
                receiver.ack_now = True  # ahead of data that is missing, or again
        if receiver.finish(connection.state is State.ESTABLISHED, now):
            _finished(connection, now)
            if connection.closed:
                return
    elif payload or segment.flags & FIN:
        receiver.ack_now = True  # sent again by a peer that did not get our ACK
    if receiver.ack_now and (receiver.reassembly.octets or receiver.duplicate):
        # Alone, for the peer counts only segments without data as duplicate acknowledgements
        # (RFC 5681 2), and data leaves no room for SACK blocks.
        connection.transmitter.acknowledge(connection.sender.nxt, now)
    output.output(connection.sender, now)
    if receiver.ack_now:
        connection.transmitter.acknowledge(connection.sender.nxt, now)


def _take_data(connection: Connection, sequence: int, segment: TcpSegment, now: int) -> None:
    receiver = connection.receiver
    payload = segment.payload
    if receiver.fin_at is not None:
        payload = payload[: max(receiver.fin_at - sequence, 0)]  # nothing follows a FIN
    readable = receiver.readable
    if (
        sequence == receiver.nxt
        and not receiver.reassembly.octets
        and len(payload) <= receiver.edge - sequence
    ):
        if segment.flags & FIN and connection.state is State.ESTABLISHED:
            receiver.acks.interactive = True  # as `finish` is going to say
        if payload:
            receiver.take(payload, bool(segment.flags & PSH), now)
    else:
        fresh = receiver.take_out_of_order(sequence, payload, now)
        counters = connection.shared.counters
        if fresh is None:
            counters.beyond_buffer += 1
        elif not fresh:
            counters.duplicates += 1
        elif sequence > receiver.nxt:
            counters.out_of_order += 1
    if receiver.readable != readable:
        connection.notify()


def _finished(connection: Connection, now: int) -> None:
    """The peer's FIN is reached: it sends nothing more."""
    connection.notify()
    state = connection.state
    if state is State.ESTABLISHED:
        connection.state = State.CLOSE_WAIT
    elif state is State.FIN_WAIT_1:
        connection.state = State.CLOSING
    elif state is State.FIN_WAIT_2:
        connection.transmitter.acknowledge(connection.sender.nxt, now)
        connection.enter_time_wait(now)
