"""The short way that almost every segment takes: header prediction (RFC 1323 4.2.4's idea).

Data in order, or an acknowledgement, with nothing out of the ordinary; the rest goes the long
way through `arrival`.
"""

from __future__ import annotations

from typing import Final

from netsim.stack.tcp import acknowledgement, arrival, output, syn_sent
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.seq import HALF, MASK
from netsim.stack.tcp.state import State
from netsim.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, TcpSegment

_UNUSUAL: Final = FIN | SYN | RST | URG | ACK | ECE | CWR


def segment_arrives(connection: Connection, segment: TcpSegment, now: int) -> None:
    """A segment for this connection came in."""
    connection.last_heard = now
    receiver = connection.receiver
    sequence = receiver.nxt
    flags = segment.flags
    # Header prediction: data in order or an acknowledgement, nothing out of the ordinary.
    # These conditions imply every check that `arrival` makes one by one.
    if (
        connection.state is State.ESTABLISHED
        and flags & _UNUSUAL == ACK
        and segment.sequence == sequence & MASK
    ):
        sender = connection.sender
        una = sender.una
        payload = segment.payload
        ack = una + ((segment.acknowledgement - una) & MASK)
        if (
            ack <= sender.nxt
            and len(payload) <= receiver.edge - sequence
            and not (payload and (receiver.reassembly.octets or receiver.fin_at is not None))
        ):
            if connection.transmitter.timestamps:
                timestamp = segment.timestamp
                if timestamp is None or (timestamp - receiver.recent) & MASK >= HALF:
                    arrival.segment_arrives(connection, segment, now)
                    return
                if sequence == receiver.last_ack_sent:
                    receiver.recent = timestamp
                    receiver.recent_at = now
                if payload and segment.timestamp_echo != receiver.echo:
                    receiver.echoed(segment.timestamp_echo, len(payload), now)
            if payload:
                receiver.take(payload, bool(flags & PSH), now)
                connection.ready[connection] = None
                if (
                    ack == una
                    and una + (segment.window << sender.scale) == sender.window_edge
                    and not segment.sack_blocks
                ):
                    if receiver.ack_now:
                        connection.transmitter.acknowledge(sender.nxt, now)
                    return
            if acknowledgement.acknowledged(sender, ack, sequence, segment, now):
                connection.ready[connection] = None
            output.output(sender, now)
            if receiver.ack_now:
                connection.transmitter.acknowledge(sender.nxt, now)
            return
    if connection.state is State.SYN_SENT:
        syn_sent.segment_arrives(connection, segment, now)
    elif connection.state is not State.CLOSED:
        arrival.segment_arrives(connection, segment, now)
