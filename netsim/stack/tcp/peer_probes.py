"""Asking a peer that says nothing: window probes and keep-alive (RFC 9293 3.8.6.1, 3.8.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.wire.tcp import ACK, PSH

if TYPE_CHECKING:
    from netsim.stack.tcp.sender import Sender


def probe_window(sender: Sender, now: int) -> None:
    """The timer went off with nothing outstanding: what waits may not leave. Override silly
    window avoidance (RFC 9293 3.8.6.2.1 (4)), or ask whether the window is still shut."""
    buffer = sender.buffer
    if sender.nxt >= buffer.end + buffer.fin_queued:
        return
    size = min(sender.window_edge, buffer.end, sender.nxt + sender.mss) - sender.nxt
    if size > 0:
        sender.transmitter.prepare(now)
        text = buffer.cut(sender.nxt, sender.nxt + size)
        sender.transmitter.write(sender.nxt, ACK | PSH, text, now)
        sender.nxt += size
        sender.flights.append((sender.nxt, now))
        sender.last_sent_at = now
        sender.timer.start(now + sender.round_trip.timeout)
        return
    sender.counters.zero_window_probes += 1
    send_probe(sender, now)
    sender.probes += 1
    sender.retries += 1
    sender.timer.start(now + sender.round_trip.backed_off(sender.probes))


def send_probe(sender: Sender, now: int) -> None:
    """A segment that asks for an acknowledgement: SEG.SEQ = SND.NXT - 1, no text.

    As Linux and BSD do, even of a window: no new octet, but an old number, which every TCP
    answers with its window; so nothing has to be taken back if that is shut.
    """
    sender.transmitter.prepare(now)
    sender.transmitter.write(sender.nxt - 1, ACK, b"", now)
