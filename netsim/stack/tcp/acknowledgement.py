"""An acknowledgement arrives: what it covers, what it measures, what it says is lost.

RFC 9293 3.10.7.4 (fifth), RFC 5681 3.2, RFC 6298 (5.2) and (5.3), RFC 7323 4.1.
"""

from __future__ import annotations

from netsim.core.time import MILLISECOND
from netsim.stack.tcp import retransmission
from netsim.stack.tcp.mtu_search import MtuSearch
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import Sender
from netsim.stack.tcp.seq import HALF, MASK, unwrap
from netsim.wire.tcp import FIN, TcpSegment


def acknowledged(sender: Sender, ack: int, sequence: int, segment: TcpSegment, now: int) -> bool:
    """Process the ACK and window of `segment`, with SND.UNA <= `ack` <= SND.NXT, both
    numbers unwrapped; whether anything was newly acknowledged."""
    edge = sender.window_edge
    sender.set_window(sequence, ack, segment.window)
    una, nxt = sender.una, sender.nxt
    recovery = sender.recovery
    news = False
    if segment.sack_blocks and sender.transmitter.sack:
        blocks = [(unwrap(a, ack), unwrap(b, ack)) for a, b in segment.sack_blocks]
        news = recovery.note_sacked(blocks, ack, nxt)
    if ack > una:
        _advance(sender, ack, segment, now)
        return True
    if una == nxt:
        sender.retries = 0
        if sender.window_edge > nxt:
            sender.probes = 0
        return False
    if not sender.transmitter.sack:
        # RFC 5681 2: what a duplicate acknowledgement is, without SACK
        news = edge == sender.window_edge and not segment.payload and not segment.flags & FIN
    if news and recovery.duplicate(una, nxt, sender.mss):
        sender.counters.fast_recoveries += 1
        if sender.search is not None and sender.search.lost(una, now):
            # RFC 4821 7.4: a probe that is lost says nothing about congestion.
            sender.congestion.threshold = sender.congestion.window
        else:
            sender.congestion.loss_detected(nxt - una, now)
        retransmission.send_lost(sender, True, now)
    return False


def _advance(sender: Sender, ack: int, segment: TcpSegment, now: int) -> None:
    una, nxt = sender.una, sender.nxt
    octets = ack - una
    _measure(sender, ack, segment, now)
    sender.una = ack
    sender.buffer.release(ack)
    sender.retries = 0
    if sender.search is not None and sender.search.acknowledged(ack, now):
        _path_takes(sender, sender.search)
    recovery = sender.recovery
    if recovery.in_order:
        sender.congestion.acknowledged(octets, nxt - una, now)
    elif recovery.advanced(ack, nxt, octets, sender.mss):
        sender.congestion.recovered(now)
    elif recovery.phase is not Phase.FAST:
        sender.congestion.acknowledged(octets, nxt - una, now)
    elif not sender.transmitter.sack:
        retransmission.send_lost(sender, True, now)  # a partial acknowledgement, RFC 6582 3.2 (3)
    if ack < nxt:
        sender.timer.start(now + sender.round_trip.timeout)  # RFC 6298 (5.3)
    else:
        sender.timer.stop()  # (5.2)


def _path_takes(sender: Sender, search: MtuSearch) -> None:
    sender.set_mss(search.low)
    if search.low >= search.ceiling:
        sender.search = None


def _measure(sender: Sender, ack: int, segment: TcpSegment, now: int) -> None:
    """One sample for each acknowledgement, from when the oldest segment it covers left, so
    that it includes what a delayed acknowledgement adds. Where that is ambiguous the
    timestamp the peer echoes tells, to the millisecond (RFC 7323 4.1), if it is that of
    what was sent again last: an older one may have been answered before, in vain."""
    flights = sender.flights
    sent_at = -1
    while flights and flights[0][0] <= ack:
        when = flights.popleft()[1]
        if sent_at < 0:
            sent_at = when
    if sender.una >= sender.resent_below:
        if sent_at >= 0:
            sender.round_trip.sample(now - sent_at)
    elif sender.transmitter.timestamps and segment.timestamp is not None:
        elapsed = (sender.transmitter.clock(now) - segment.timestamp_echo) & MASK
        if elapsed < HALF and elapsed * MILLISECOND <= now - sender.resent_at + MILLISECOND:
            sender.round_trip.sample(max(elapsed, 1) * MILLISECOND)
