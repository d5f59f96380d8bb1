"""Sending again: what `Recovery` says is lost, after three duplicates, SACK or a timeout.

RFC 5681 3.1 and 3.2, RFC 6582, RFC 6675 5, RFC 6298 (5.4) to (5.6), RFC 1191 6.4.
"""

from __future__ import annotations

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
        recovery.sent_again(sender.send_again(start, stop, now))


def rescue_tail(sender: Sender, now: int) -> None:
    """In fast recovery, with room and nothing else to send: perhaps the tail was lost too."""
    recovery = sender.recovery
    in_flight = recovery.in_flight(sender.una, sender.nxt)
    if in_flight + sender.mss <= sender.congestion.window:
        tail = recovery.rescue(sender.una, sender.nxt, sender.mss)
        if tail is not None:
            sender.send_again(*tail, now)


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
    """The path takes only `mss` octets of data in a segment: cut smaller what is outstanding
    and send it again, without taking it for congestion (RFC 1191 6.4)."""
    sender.set_mss(mss)
    if sender.una < sender.nxt:
        sender.recovery.begin_again(sender.una, sender.nxt)
        send_lost(sender, True, now)
