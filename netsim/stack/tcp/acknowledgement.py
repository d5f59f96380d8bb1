"""An acknowledgement arrives (RFC 9293 3.10.7.4, fifth; RFC 6298 (5.2) and (5.3))."""

from __future__ import annotations

from netsim.stack.tcp import loss_recovery, tail_loss
from netsim.stack.tcp.sender import Sender
from netsim.wire.tcp import ECE, FIN, TcpSegment


def acknowledged(sender: Sender, ack: int, sequence: int, segment: TcpSegment, now: int) -> bool:
    """Process the ACK and window of `segment`, with SND.UNA <= `ack` <= SND.NXT, both
    numbers unwrapped; whether anything was newly acknowledged."""
    edge = sender.window_edge
    sender.set_window(sequence, ack, segment.window)
    una = sender.una
    recovery = sender.recovery
    told_of_congestion = segment.flags & ECE and sender.transmitter.ecn
    if ack > una and recovery.in_order and not segment.sack_blocks and not told_of_congestion:
        segments = recovery.queue.segments
        sent_at = segments[0].sent_at if segments[0].end <= ack else None
        while segments and segments[0].end <= ack:
            segments.popleft()
        if segments and segments[0].start < ack:
            segments[0].start = ack
        in_flight = sender.nxt - una
        if sent_at is not None:
            sender.round_trip.sample(now - sent_at)
        sender.advance(ack, now)
        sender.congestion.acknowledged(ack - una, in_flight, sender.window_limits, now)
        tail_loss.start_timer(sender, now, progress=True)
        return True
    if una == sender.nxt:
        sender.retries = 0
        if sender.window_edge > una:
            sender.probes = 0
        if not segment.sack_blocks:
            return False
    # RFC 5681 2: what a duplicate acknowledgement is
    duplicate = (
        ack == una < sender.nxt
        and edge == sender.window_edge
        and not segment.payload
        and not segment.flags & FIN
    )
    if recovery.in_order and not (segment.sack_blocks or duplicate or told_of_congestion):
        return False
    loss_recovery.acknowledged(sender, ack, segment, duplicate, now)
    return ack > una
