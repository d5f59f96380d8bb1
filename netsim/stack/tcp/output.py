"""What leaves when something may: lost data, then new data, as windows and Nagle allow.

RFC 9293 3.8.6.2.1 (silly window avoidance, Nagle), RFC 5681.
"""

from __future__ import annotations

from netsim.stack.tcp import mtu_probes, retransmission, tail_loss
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import Sender


def output(sender: Sender, now: int) -> None:
    """Send what window, congestion and Nagle allow; arm the timer for what remains."""
    if not sender.established:
        return
    recovery = sender.recovery
    if recovery.phase is not Phase.OPEN and recovery.is_recovering and not recovery.holds_back:
        retransmission.send_lost(sender, now)
    if sender.search is not None and mtu_probes.send_probe(sender, sender.search, now):
        return
    nxt = sender.nxt
    if nxt < sender.buffer.end + sender.buffer.fin_queued:
        _send_new(sender, now)


def _send_new(sender: Sender, now: int) -> None:
    una, nxt, mss = sender.una, sender.nxt, sender.mss
    congestion = sender.congestion
    end = sender.buffer.end
    if una == nxt and nxt < min(end, sender.window_edge):
        idle = now - sender.last_sent_at - 1
        if idle >= sender.round_trip.timeout:
            congestion.restart_after_idle(idle // sender.round_trip.timeout)
    in_flight = sender.recovery.in_flight(una, nxt)
    limit = min(end, sender.window_edge, nxt + congestion.window - in_flight)
    first = nxt
    while nxt < end:
        size = limit - nxt
        if size >= mss:
            size = mss
        elif not _may_send_part(sender, nxt, size, end):
            break
        else:
            sender.small_end = nxt + size
        if nxt == first:
            sender.transmitter.prepare(now)
            acks = sender.transmitter.receiver.acks
            if now - acks.last_data_at < acks.interval:
                acks.interactive = True  # an answer, and an acknowledgement with it
        sender.send_new(size, now)
        nxt += size
    if sender.nxt == end and sender.buffer.fin_queued and end < sender.window_edge:
        sender.transmitter.prepare(now)
        sender.send_new(0, now)
    if sender.nxt > first:
        sender.note_use(in_flight + sender.nxt - first)
        tail_loss.start_timer(sender, now, progress=first == una)
    elif una == nxt:
        sender.timer.start_if_stopped(now + sender.round_trip.timeout)


def _may_send_part(sender: Sender, nxt: int, size: int, end: int) -> bool:
    """Whether a segment of `size` octets, less than a full one, may leave: silly window
    avoidance of RFC 9293 3.8.6.2.1 with Nagle's algorithm."""
    if size <= 0:
        return False
    if nxt + size == end:
        # (2) and (3). Nagle holds a part back while another part, rather than anything at
        # all, is outstanding (Minshall's form, as in Linux): the tail of a long answer
        # does not have to wait for a delayed acknowledgement.
        return sender.no_delay or sender.buffer.fin_queued or sender.small_end <= sender.una
    return nxt + size == sender.window_edge and 2 * size >= sender.max_window
