"""Asking a peer that says nothing: window probes and keep-alive (RFC 9293 3.8.6.1, 3.8.4)."""

from __future__ import annotations

from netsim.stack.tcp import tail_loss
from netsim.stack.tcp.sender import Sender
from netsim.wire.tcp import ACK, PSH


def probe_window(sender: Sender, now: int) -> None:
    """The timer went off with nothing outstanding: what waits may not leave. Override silly
    window avoidance (RFC 9293 3.8.6.2.1 (4)), or ask whether the window is still shut."""
    buffer = sender.buffer
    if sender.nxt >= buffer.end + buffer.fin_queued:
        return
    size = min(sender.window_edge, buffer.end, sender.nxt + sender.mss) - sender.nxt
    if size > 0:
        sender.transmitter.prepare(now)
        sender.send_new(size, now, ACK | PSH)
        tail_loss.start_timer(sender, now, progress=True)
        return
    sender.counters.zero_window_probes += 1
    send_probe(sender, now)
    sender.probes += 1
    sender.retries += 1
    sender.timer.start(now + sender.round_trip.backed_off(sender.probes))


def send_probe(sender: Sender, now: int) -> None:
    """A segment that asks for an acknowledgement: SEG.SEQ = SND.NXT - 1, no data.

    As Linux and BSD do, even of a window: no new octet, but an old number, which every TCP
    answers with its window; so nothing has to be taken back if that is shut.
    """
    sender.transmitter.prepare(now)
    sender.transmitter.write(sender.nxt - 1, ACK, b"", now)
