"""A segment arrives in SYN-SENT (RFC 9293 3.10.7.3)."""

from __future__ import annotations

import errno
from typing import Final

from netsim.core.time import MILLISECOND
from netsim.stack.tcp import arrival, handshake
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.seq import MASK, unwrap
from netsim.stack.tcp.state import State
from netsim.wire.tcp import ACK, RST, SYN, TcpSegment

_SOON: Final = 2 * MILLISECOND
"""As in Linux (TCP_TIMEOUT_MIN)."""


def segment_arrives(connection: Connection, segment: TcpSegment, now: int) -> None:
    """We sent a SYN and wait for the peer's."""
    sender = connection.sender
    flags = segment.flags
    if flags & ACK:  # first
        ack = unwrap(segment.acknowledgement, sender.nxt)
        if not sender.una < ack <= sender.nxt:
            arrival.refuse_acknowledgement(connection, segment, now)
            if not flags & RST and not sender.retries:
                # The RST ends what the peer has left of a connection before: ask again soon.
                connection.retransmission_timer.start(now + _SOON)
            return
        if _echoes_nothing_of_ours(connection, segment, now):
            connection.shared.counters.old_timestamps += 1
            arrival.refuse_segment(connection, segment, now)
            return
    if flags & RST:  # second
        if flags & ACK:
            connection.shared.counters.resets_in += 1
            connection.fail(errno.ECONNREFUSED)
        return
    if not flags & SYN:  # fifth
        return
    handshake.synchronize(connection, segment, now)  # fourth
    if flags & ACK:
        handshake.establish(connection, segment, now)
        connection.receiver.ack_now = True
        # A SYN-ACK may carry data; in any case what we have to say may leave now.
        arrival.data_arrives(connection, connection.receiver.nxt, segment, now)
    else:
        # Simultaneous open (RFC 9293 3.5, figure 7).
        connection.state = State.SYN_RECEIVED
        if not sender.retries:
            connection.opened_at = now  # what the peer answers leaves now
        handshake.send_syn(connection, now)


def _echoes_nothing_of_ours(connection: Connection, segment: TcpSegment, now: int) -> bool:
    """Whether its timestamp answers no SYN that we have sent: as Linux does, such an answer of a
    connection before is refused."""
    if not connection.shared.settings.timestamps or segment.timestamp is None:
        return False
    assert connection.opened_at is not None
    clock = connection.transmitter.clock
    first = clock(connection.opened_at)
    since = (segment.timestamp_echo - first) & MASK
    return segment.timestamp_echo != 0 and since > (clock(now) - first) & MASK
