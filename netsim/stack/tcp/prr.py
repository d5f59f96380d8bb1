"""Proportional Rate Reduction (RFC 9937): the window comes down while data arrives, not at once.

For each octet that arrives so much leaves that at the end of the recovery what is in flight is
what congestion control wants; a burst of losses does not silence the sender, nor is it made good
in a burst.
"""

from __future__ import annotations

from netsim.stack.tcp.congestion import CongestionControl
from netsim.stack.tcp.recovery import Recovery


def begin(recovery: Recovery, outstanding: int, delivered: int) -> None:
    """A recovery begins with `outstanding` octets between SND.UNA and SND.NXT, as they are after
    the acknowledgement that it begins with, which told that `delivered` have arrived."""
    recovery.delivered = recovery.sent = 0
    sacked = recovery.queue.board.octets + recovery.queue.virtually_sacked
    recovery.flight = outstanding - sacked + delivered


def acknowledged(
    recovery: Recovery,
    congestion: CongestionControl,
    in_flight: int,
    delivered: int,
    safe: bool,
    mss: int,
) -> None:
    """`delivered` octets have arrived: what may be in flight now. `safe`: SND.UNA advances and
    nothing more was lost (SafeACK)."""
    if delivered <= 0:
        return
    recovery.delivered += delivered
    threshold = congestion.threshold
    if in_flight > threshold:
        flight = max(recovery.flight, 1)
        count = -(-recovery.delivered * threshold // flight) - recovery.sent
    else:
        count = max(recovery.delivered - recovery.sent, delivered)
        if safe:
            count += mss
        count = min(threshold - in_flight, count)
    if not recovery.sent:
        count = max(count, mss)  # a fast retransmission in any case
    congestion.window = max(in_flight + max(count, 0), mss)
