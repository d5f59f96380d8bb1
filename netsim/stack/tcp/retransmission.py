"""Sending again what is lost, and what the timer brings.

RFC 5681 3.1, RFC 6298 (5.4) to (5.6), RFC 6675 5, RFC 8985 6.2, RFC 1191 6.4.

Of NextSeg() in RFC 6675 4 there are the rules (1), what is lost, and (2), what is new. Rule (3)
repeats what lies below something SACKed though it does not count as lost, and (4) the last segment:
they are for who counts segments. RACK takes all that left before something that has arrived for
lost at once, or after a quarter of a round trip where segments overtake each other, and so the
tail when a repetition has arrived; Linux has neither rule.
"""

from __future__ import annotations

from netsim.stack.tcp import undo
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import Sender, TimerUse


def send_lost(sender: Sender, now: int) -> None:
    """Send again what is lost, as far as the congestion window allows."""
    recovery = sender.recovery
    queue = recovery.queue
    while (segment := queue.next_lost(sender.mss, sender.buffer.end)) is not None:
        if sender.in_flight() + segment.end - segment.start > sender.congestion.window:
            return
        sender.send_again(segment, now)
        if segment is queue.segments[0] and sender.timer_use is not TimerUse.REORDER:
            sender.timer_use = TimerUse.RETRANSMISSION
            sender.timer.start(now + sender.round_trip.timeout)


def detect_lost(sender: Sender, now: int) -> bool:
    """RACK_detect_loss_and_arm_timer(): whether anything is lost that was not."""
    recovery = sender.recovery
    found, wait = recovery.rack.detect(recovery.queue, _reordering_window(sender), now)
    if wait:
        sender.timer_use = TimerUse.REORDER
        sender.timer.start(now + wait)
    elif sender.timer_use is TimerUse.REORDER:
        sender.timer_use = TimerUse.RETRANSMISSION
        sender.timer.start(now + sender.round_trip.timeout)
    return found


def _reordering_window(sender: Sender) -> int:
    recovery = sender.recovery
    round_trip = sender.round_trip
    return recovery.rack.window(
        recovery.queue, recovery.is_recovering, round_trip.least, round_trip.smoothed
    )


def timed_out(sender: Sender, now: int) -> None:
    """The timer went off with something outstanding."""
    recovery = sender.recovery
    queue = recovery.queue
    sender.counters.timeouts += 1
    fresh = not recovery.is_recovering
    if (
        recovery.phase is Phase.OPEN
        or sender.una >= recovery.point
        or (recovery.phase is Phase.TIMEOUT and not sender.retries)
    ):
        undo.remember(recovery, sender.congestion, sender.una)
        sender.congestion.reduce(sender.flight_size(), now)
    _all_lost(sender, now)
    sender.congestion.timed_out(sender.in_flight(), now)
    recovery.phase = Phase.TIMEOUT
    recovery.point = sender.nxt
    recovery.frto = (fresh or sender.retries > 0) and sender.search is None
    recovery.holds_back = False
    recovery.probe_end = -1
    sender.retries += 1
    sender.round_trip.back_off()
    head = queue.next_lost(sender.mss, sender.buffer.end)
    assert head is not None
    sender.send_again(head, now)
    sender.timer_use = TimerUse.RETRANSMISSION
    sender.timer.start(now + sender.round_trip.timeout)


def _all_lost(sender: Sender, now: int) -> None:
    """RACK_mark_losses_on_RTO(): the head, and what left long enough ago; everything, where the
    peer has SACKed the head, and so forgotten what it SACKed (RFC 2018 8), or says nothing of
    what arrived."""
    recovery = sender.recovery
    queue = recovery.queue
    recovery.in_order = False
    recovery.duplicates = 0
    head = queue.segments[0]
    recent = recovery.selective
    if head.sacked or not recovery.selective:
        queue.renege()
        recent = False
    window = _reordering_window(sender)
    for segment in queue.segments:
        if segment.sacked:
            continue
        if segment is not head and recent and not recovery.rack.is_overdue(segment, window, now):
            continue
        queue.mark_lost(segment)


def lower_mss(sender: Sender, mss: int, now: int) -> None:
    """The path takes only `mss` octets of data in a segment: cut smaller what is outstanding
    and send it again, without taking it for congestion (RFC 1191 6.4)."""
    sender.set_mss(mss)
    if sender.una >= sender.nxt:
        return
    recovery = sender.recovery
    recovery.in_order = False
    for segment in recovery.queue.segments:
        if not segment.sacked:
            recovery.queue.mark_lost(segment)
    recovery.phase = Phase.TIMEOUT
    recovery.point = sender.nxt
    recovery.frto = recovery.holds_back = False
    recovery.undo_from = None
    recovery.probe_end = -1
    send_lost(sender, now)
    sender.timer_use = TimerUse.RETRANSMISSION
    sender.timer.start_if_stopped(now + sender.round_trip.timeout)
