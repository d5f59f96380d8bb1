"""An acknowledgement arrives while something is lost, SACKed, duplicate or sent again.

What RFC 6675, 6582, 8985, 9937, 5682 and 4015 do on an acknowledgement, in the order in which
Linux does it: take what it says about what arrived, find what is lost, begin, carry on or end a
recovery, adapt the window, send again.
"""

from __future__ import annotations

from dataclasses import dataclass

from netsim.stack.tcp import prr, retransmission, tail_loss, undo
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.scoreboard import DUPLICATE_THRESHOLD
from netsim.stack.tcp.sender import Sender, TimerUse
from netsim.stack.tcp.sent_queue import SentSegment
from netsim.stack.tcp.seq import unwrap
from netsim.wire.tcp import ECE, TcpSegment


@dataclass(slots=True)
class _News:
    """What an acknowledgement tells."""

    una: int
    """SND.UNA before it."""
    delivered: int = 0
    """DeliveredData of RFC 9937: octets newly acknowledged or SACKed."""
    sacked: int = 0
    """Octets newly SACKed."""
    octets: int = 0
    """Octets newly acknowledged."""
    sent_at: int | None = None
    """When the oldest data left of which it is certain that it arrived as it was first sent."""
    resent: bool = False
    """Something that is acknowledged had been sent again."""
    original: bool = False
    """Something that was outstanding when the timer went off, and was not sent again, arrived."""
    reported_duplicate: bool = False
    """It carries a D-SACK."""
    newly_lost: bool = False


def acknowledged(sender: Sender, ack: int, segment: TcpSegment, duplicate: bool, now: int) -> None:
    """SND.UNA <= `ack` <= SND.NXT; `duplicate` as RFC 5681 2 has it, for peers without SACK."""
    recovery = sender.recovery
    recovery.in_order = False
    news = _News(sender.una)
    before = sender.in_flight()
    recovery.rack.fack = max(recovery.rack.fack, news.una)
    if ack > news.una:
        _cumulative(sender, ack, news, now)
    elif not recovery.selective and duplicate:
        _virtually_sacked(sender, news)
    if recovery.selective and segment.sack_blocks:
        _sacked(sender, ack, segment, news, now)
    if news.sent_at is not None:
        sender.round_trip.sample(now - news.sent_at)
    elif news.resent:
        sender.measure_echo(segment, now)
    if recovery.probe_end >= 0:
        tail_loss.acknowledged(sender, ack, duplicate, news.reported_duplicate, news.sacked > 0)
    if news.octets:
        tail_loss.start_timer(sender, now, progress=True)  # what is found lost may override it
    delayed = _is_delayed(sender, segment)
    _judge(sender, news, duplicate, delayed, now)
    if segment.flags & ECE and sender.transmitter.ecn and recovery.phase is Phase.OPEN:
        _slow_down(sender, news, now)
    phase = recovery.phase
    if phase is Phase.FAST or phase is Phase.REDUCED:
        safe = bool(news.octets) and not news.newly_lost
        prr.acknowledged(
            recovery, sender.congestion, sender.in_flight(), news.delivered, safe, sender.mss
        )
    elif news.octets:
        sender.congestion.acknowledged(news.delivered, before, sender.window_limits, now)
    if recovery.is_recovering and not recovery.holds_back:
        retransmission.send_lost(sender, now)
    recovery.settle()


# -- what arrived


def _sacked(sender: Sender, ack: int, segment: TcpSegment, news: _News, now: int) -> None:
    recovery = sender.recovery
    blocks = [(unwrap(start, ack), unwrap(end, ack)) for start, end in segment.sack_blocks]
    first = blocks[0]
    # RFC 2883 4: what is acknowledged already, or lies within the second block, came twice.
    if first[1] <= ack or (
        len(blocks) > 1 and blocks[1][0] <= first[0] and first[1] <= blocks[1][1]
    ):
        news.reported_duplicate = True
        sender.counters.duplicates_reported += 1
        undo.duplicate_reported(recovery, *first, ack, sender.mss)
        recovery.rack.duplicate_reported(ack, sender.nxt)
        del blocks[0]
    for start, end in blocks:
        # Others are old, or nonsense.
        if ack < start < end <= sender.nxt:
            for each in recovery.queue.sack(start, end):
                news.sacked += each.end - each.start
                if news.sent_at is None and not each.resent_once:
                    news.sent_at = each.sent_at
                _arrived(sender, each, news, now)
    news.delivered += news.sacked


def _cumulative(sender: Sender, ack: int, news: _News, now: int) -> None:
    recovery = sender.recovery
    queue = recovery.queue
    news.octets = ack - news.una
    sacked = queue.board.octets
    done = queue.release(ack)
    sacked -= queue.board.octets
    fresh = [each for each in done if not each.sacked]
    for each in fresh:
        _arrived(sender, each, news, now)
    if any(each.resent_once for each in done):
        news.resent = True
        if not recovery.selective:
            news.original = False  # what is known only by count may be due to the repetition
    elif fresh:
        news.sent_at = fresh[0].sent_at
    sender.advance(ack, now)
    news.delivered += news.octets - sacked
    if not recovery.selective:
        recovery.duplicates = 0
        news.delivered = max(news.delivered - queue.virtually_sacked, 0)
        if recovery.phase is Phase.FAST and ack < recovery.point:
            # One of the segments it covers is the one that was sent again, the others came
            # before (RFC 6582 3.2 (3)).
            arrived = queue.virtually_sacked - max(news.octets - sender.mss, 0)
            most = max(sender.nxt - ack - sender.mss, 0)
            queue.virtually_sacked = max(min(arrived, most), 0)
        else:
            queue.virtually_sacked = 0


def _arrived(sender: Sender, segment: SentSegment, news: _News, now: int) -> None:
    recovery = sender.recovery
    if not segment.resent_once and segment.end <= recovery.point:
        news.original = True
    recovery.rack.delivered(segment, sender.round_trip.least, now)


def _virtually_sacked(sender: Sender, news: _News) -> None:
    """A duplicate acknowledgement of a peer without SACK stands for one segment that arrived;
    never the one that is missing, nor what is known to be lost."""
    recovery = sender.recovery
    queue = recovery.queue
    recovery.duplicates += 1
    if recovery.phase is Phase.TIMEOUT:
        return
    most = max(sender.nxt - sender.una - sender.mss - queue.lost, 0)
    grown = min(queue.virtually_sacked + sender.mss, most)
    news.delivered += max(grown - queue.virtually_sacked, 0)
    queue.virtually_sacked = max(grown, queue.virtually_sacked)


def _is_delayed(sender: Sender, segment: TcpSegment) -> bool:
    first = sender.recovery.first_resent_at
    if first is None or not sender.transmitter.timestamps:
        return False
    echo = None if segment.timestamp is None else segment.timestamp_echo
    return undo.was_delayed(sender.recovery, echo, sender.transmitter.clock(first))


# -- what follows from it


def _judge(sender: Sender, news: _News, duplicate: bool, delayed: bool, now: int) -> None:
    recovery = sender.recovery
    phase = recovery.phase
    done = sender.una >= recovery.point
    if phase is Phase.TIMEOUT:
        if _timeout_continues(sender, news, duplicate, delayed, done):
            _find_lost(sender, news, now)
        return
    if phase is Phase.FAST:
        if done:
            _recovered(sender, delayed)
            # There may be something new beyond what this recovery was about.
        else:
            if news.octets and delayed and recovery.undo_from is not None:
                # A partial acknowledgement of something that was not lost.
                if not recovery.queue.resent:
                    _take_back(sender)
                return
            _find_lost(sender, news, now)
            if recovery.undo_from is not None and recovery.undo_resent == 0:
                _take_back(sender)
            return
    elif phase is Phase.REDUCED and sender.una > recovery.point:
        # Beyond the point: what says CWR must have reached the peer, or it would echo again.
        sender.congestion.recovered(now)
        undo.end(recovery)
    if recovery.undo_from is not None and recovery.undo_resent == 0 and news.reported_duplicate:
        undo.undo(recovery, sender.congestion, nothing_is_lost=False)
        sender.counters.undone += 1
    _find_lost(sender, news, now)
    if recovery.queue.lost:
        begin_fast_recovery(sender, news.delivered, now)


def _timeout_continues(
    sender: Sender, news: _News, duplicate: bool, delayed: bool, done: bool
) -> bool:
    """After a timeout (RFC 5682 3.1, RFC 3522): whether it was one, and is not repaired yet."""
    recovery = sender.recovery
    if news.octets and undo.may_undo(recovery, delayed):
        _take_back(sender)
        return False
    if recovery.frto:
        if news.original and (recovery.selective or news.octets):
            _take_back(sender)  # step 3b: what was not sent again arrives
            sender.counters.spurious_timeouts += 1
            return False
        if sender.nxt > recovery.point:
            if news.sacked or duplicate:
                recovery.frto = recovery.holds_back = False  # step 3a
        elif news.octets and not done:
            recovery.point = sender.nxt
            if sender.unsent and sender.window_edge > sender.nxt:
                recovery.holds_back = True  # step 2b
                return False
            recovery.frto = False
    if done:
        _recovered(sender, delayed)
        return False
    recovery.holds_back = False
    return True


def _find_lost(sender: Sender, news: _News, now: int) -> None:
    recovery = sender.recovery
    queue = recovery.queue
    if recovery.selective:
        news.newly_lost = retransmission.detect_lost(sender, now)
        return
    if not queue.segments:
        return
    head = queue.segments[0]
    if recovery.phase is Phase.FAST:
        if news.octets:
            queue.mark_lost(head)  # a partial acknowledgement, RFC 6582 3.2 (3)
    elif (
        recovery.phase is not Phase.TIMEOUT
        and recovery.duplicates >= DUPLICATE_THRESHOLD
        and sender.una > recovery.point
    ):
        # RFC 6582 4: an acknowledgement of just what was outstanding may be an echo of what was
        # sent twice.
        queue.mark_lost(head)


def _slow_down(sender: Sender, news: _News, now: int) -> None:
    """The peer has seen a CE mark: reduce the window as for a loss, once for a window of data
    (RFC 3168 6.1.2)."""
    recovery = sender.recovery
    sender.counters.congestion_echoes += 1
    sender.congestion.reduce(sender.flight_size(), now)
    recovery.undo_from = None
    prr.begin(recovery, sender.nxt - sender.una, news.delivered)
    recovery.phase = Phase.REDUCED
    recovery.point = sender.nxt
    sender.cwr_due = True


def begin_fast_recovery(sender: Sender, delivered: int, now: int) -> None:
    """RFC 5681 3.2, RFC 6675 5 (4); an acknowledgement told that `delivered` octets arrived."""
    recovery = sender.recovery
    una, nxt = sender.una, sender.nxt
    if recovery.phase is not Phase.REDUCED:
        sender.counters.fast_recoveries += 1
        undo.remember(recovery, sender.congestion, una)
        if sender.search is not None and sender.search.lost(una, now):
            # RFC 4821 7.4: a probe that is lost says nothing about congestion.
            sender.congestion.threshold = sender.congestion.window
        else:
            sender.congestion.reduce(sender.flight_size(), now)
        prr.begin(recovery, nxt - una, delivered)
    recovery.phase = Phase.FAST
    recovery.point = nxt
    recovery.probe_end = -1


def late_data_is_lost(sender: Sender, now: int) -> None:
    """The reordering timer went off (RFC 8985 6.3)."""
    recovery = sender.recovery
    sender.timer_use = TimerUse.RETRANSMISSION
    found = retransmission.detect_lost(sender, now)
    if found:
        if not recovery.is_recovering:
            begin_fast_recovery(sender, 0, now)
        if recovery.phase is Phase.FAST:
            prr.acknowledged(
                recovery, sender.congestion, sender.in_flight(), sender.mss, False, sender.mss
            )
        retransmission.send_lost(sender, now)
    if sender.timer_use is TimerUse.RETRANSMISSION:
        sender.timer.start_if_stopped(now + sender.round_trip.timeout)


def _recovered(sender: Sender, delayed: bool) -> None:
    """Everything that was outstanding when the phase began is acknowledged."""
    recovery = sender.recovery
    if undo.may_undo(recovery, delayed):
        _take_back(sender)
        return
    if recovery.phase is Phase.FAST:
        sender.congestion.recovered(0)
    recovery.rack.recovered()
    undo.end(recovery)


def _take_back(sender: Sender) -> None:
    recovery = sender.recovery
    undo.undo(recovery, sender.congestion, nothing_is_lost=True)
    sender.retries = 0
    sender.counters.undone += 1
    undo.end(recovery)
