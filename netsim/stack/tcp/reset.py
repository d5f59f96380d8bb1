"""The answer to a segment that belongs to no connection (RFC 9293 3.10.7.1)."""

from __future__ import annotations

from collections.abc import Callable

from netsim.stack.tcp.seq import MASK
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import IpLayer, send_segment
from netsim.wire.tcp import ACK, FIN, RST, SYN, TcpSegment


def refuse(
    ip: IpLayer,
    drop: Callable[[str], None],
    counters: TcpCounters,
    source: bytes,
    destination: bytes,
    segment: TcpSegment,
    now: int,
) -> None:
    """Answer `segment`, which came from `source`, with RST, unless it is one itself."""
    flags = segment.flags
    if flags & RST:
        return
    if flags & ACK:
        sequence, acknowledgement, answer = segment.acknowledgement, 0, RST
    else:
        length = len(segment.payload) + bool(flags & SYN) + bool(flags & FIN)
        sequence, acknowledgement, answer = 0, segment.sequence + length & MASK, RST | ACK
    reset = TcpSegment(
        segment.destination_port,
        segment.source_port,
        sequence,
        acknowledgement,
        answer,
        0,
    )
    counters.resets_out += 1
    send_segment(ip, drop, counters, destination, source, reset, now)
