"""Sending again: what `Recovery` says is lost, after three duplicates, SACK or a timeout.

RFC 5681 3.1 and 3.2, RFC 6582, RFC 6675 5, RFC 6298 (5.4) to (5.6), RFC 1191 6.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.wire.tcp import ACK, FIN, PSH

if TYPE_CHECKING:
    from netsim.stack.tcp.sender import Sender


def send_lost(sender: Sender, first_at_once: bool, now: int) -> None:
    """Send again what is lost, as far as the congestion window allows; the first segment in any
    case where the RFCs ask for it (RFC 5681 3.2 (3), RFC 6675 5 (4.3))."""
    recovery = sender.recovery
    while (lost := recovery.next_lost(sender.una, sender.mss)) is not None:
        start, stop = lost
        if not first_at_once:
            in_flight = recovery.in_flight(sender.una, sender.nxt)
            if in_flight + stop - start > sender.congestion.window:
                return
        first_at_once = False
        recovery.sent_again(_send_again(sender, start, stop, now))


def rescue_tail(sender: Sender, now: int) -> None:
    """In fast recovery, with room and nothing else to send: perhaps the tail was lost too."""
    recovery = sender.recovery
    in_flight = recovery.in_flight(sender.una, sender.nxt)
    if in_flight + sender.mss <= sender.congestion.window:
        tail = recovery.rescue(sender.una, sender.nxt, sender.mss)
        if tail is not None:
            _send_again(sender, *tail, now)


def timed_out(sender: Sender, now: int) -> None:
    """The timer went off with something outstanding."""
    una, nxt = sender.una, sender.nxt
    sender.counters.timeouts += 1
    sender.congestion.timed_out(nxt - una, sender.retries == 0, now)
    sender.retries += 1
    sender.recovery.begin_again(una, nxt)
    sender.round_trip.back_off()
    send_lost(sender, True, now)
    sender.timer.start(now + sender.round_trip.timeout)


def lower_mss(sender: Sender, mss: int, now: int) -> None:
    """The path takes only `mss` octets of text in a segment: cut smaller what is outstanding
    and send it again, without taking it for congestion (RFC 1191 6.4)."""
    sender.set_mss(mss)
    if sender.una < sender.nxt:
        sender.recovery.begin_again(sender.una, sender.nxt)
        send_lost(sender, True, now)


def _send_again(sender: Sender, start: int, stop: int, now: int) -> int:
    """Repeat the octets from `start` to `stop`; returns where the segment ended."""
    buffer = sender.buffer
    end = buffer.end
    flags = ACK
    if stop >= end:
        flags = ACK | PSH
        if sender.nxt > end:
            flags = ACK | PSH | FIN if start < end else ACK | FIN
            stop = end + 1
    sender.transmitter.prepare(now)
    sender.transmitter.write(start, flags, buffer.cut(start, stop), now)
    sender.resent_below = max(sender.resent_below, stop)
    sender.resent_at = sender.last_sent_at = now
    sender.retransmissions += 1
    sender.counters.retransmissions += 1
    sender.timer.start_if_stopped(now + sender.round_trip.timeout)
    return stop
