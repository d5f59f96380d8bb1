"""Tail loss probes (RFC 8985 7): when nothing comes for two round trips, ask; the retransmission
timer, which throws the window away, then has to wait no longer than before."""

from __future__ import annotations

from typing import Final

from netsim.core.time import MILLISECOND
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import Sender, TimerUse

_MAX_ACK_DELAY: Final = 200 * MILLISECOND
"""TLP.max_ack_delay: added when the peer may delay the acknowledgement of a lone segment."""
_SLACK: Final = 2 * MILLISECOND
"""Added otherwise, as in Linux (TCP_TIMEOUT_MIN)."""


def start_timer(sender: Sender, now: int, *, progress: bool) -> None:
    """Something was acknowledged, or new data has left: wait for a probe where one may be sent,
    else for the retransmission (RFC 6298 (5.1) to (5.3)). Without `progress` the retransmission
    stays due when it was."""
    if sender.una == sender.nxt:
        sender.timer.stop()
        return
    timeout = now + sender.round_trip.timeout
    recovery = sender.recovery
    phase = recovery.phase
    if (
        not recovery.selective
        or (phase is not Phase.OPEN and phase is not Phase.REDUCED)
        or recovery.queue.sacked_segments
        or recovery.probe_end >= 0
    ):
        if progress or sender.timer.due is None or sender.timer_use is TimerUse.PROBE:
            sender.timer_use = TimerUse.RETRANSMISSION
            sender.timer.start(timeout)
        return
    smoothed = sender.round_trip.smoothed
    if smoothed:
        lone = len(recovery.queue.segments) == 1
        due = now + 2 * smoothed + (_MAX_ACK_DELAY if lone else _SLACK)
    else:
        due = timeout
    if not progress:
        timeout = max(recovery.queue.segments[0].sent_at + sender.round_trip.timeout, now)
    sender.timer_use = TimerUse.PROBE
    sender.timer.start(min(due, timeout))


def send_probe(sender: Sender, now: int) -> None:
    """TLP_send_probe(): new data, or else the last segment again; once."""
    recovery = sender.recovery
    queue = recovery.queue
    nxt = sender.nxt
    recovery.in_order = False
    size = min(sender.buffer.end - nxt, sender.mss)
    if size > 0 and nxt + size <= sender.window_edge:
        sender.transmitter.prepare(now)
        sender.send_new(size, now)
        recovery.probe_resent = False
    else:
        if queue.segments[-1].end - queue.segments[-1].start > sender.mss:
            queue.split(len(queue.segments) - 1, queue.segments[-1].end - sender.mss)
        sender.send_again(queue.segments[-1], now)
        recovery.probe_resent = True
    recovery.probe_end = sender.nxt
    sender.counters.loss_probes += 1
    sender.timer_use = TimerUse.RETRANSMISSION
    sender.timer.start(now + sender.round_trip.timeout)


def acknowledged(sender: Sender, ack: int, duplicate: bool, reported: bool, sacked: bool) -> None:
    """TLP_process_ack(): whether the probe repaired a loss, which then was one of congestion
    (RFC 8985 7.4.2)."""
    recovery = sender.recovery
    if ack < recovery.probe_end:
        return
    if not recovery.probe_resent or reported:
        recovery.probe_end = -1  # nothing was lost
    elif ack > recovery.probe_end:
        recovery.probe_end = -1
        if recovery.phase is Phase.OPEN:
            sender.congestion.reduce(sender.flight_size(), 0)
            sender.congestion.recovered(0)
    elif duplicate and not sacked:
        recovery.probe_end = -1
