"""Probing the path for black holes: when `mtu_search` is begun, and the probes it asks for."""

from __future__ import annotations

from typing import Final

from netsim.stack.tcp import tail_loss
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.mtu_search import RETRIES, STEPS, MtuSearch
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.sender import Sender

_FOLLOWERS: Final = 3
"""Segments behind a probe, so that duplicate acknowledgements tell at once if it was lost."""


def suspect_black_hole(connection: Connection, now: int) -> None:
    """The retransmission timer went off. Perhaps what is outstanding is too large."""
    sender = connection.sender
    search = sender.search
    if search is not None:
        search.lost(sender.una, now)
    if sender.retries < RETRIES:
        return
    size = min(sender.nxt - sender.una, sender.mss)
    smaller = next((step for step in STEPS if step < size), None)
    if smaller is None:
        return
    connection.shared.counters.black_holes += 1
    if search is None:
        sender.search = MtuSearch(smaller, sender.mss)
    else:
        search.low, search.high = smaller, search.ceiling
    sender.set_mss(connection.segment_size())


def send_probe(sender: Sender, search: MtuSearch, now: int) -> bool:
    """Send the next new data in a larger segment, where all is well and enough follows it; True
    where smaller ones must wait until acknowledgements have made room for it."""
    if sender.recovery.phase is not Phase.OPEN or not sender.recovery.in_order:
        return False
    size = search.next_size(now)
    if size is None:
        return False
    una, nxt = sender.una, sender.nxt
    window = sender.congestion.window
    enough = size + _FOLLOWERS * sender.mss
    if window < enough or min(sender.buffer.end, sender.window_edge) - nxt < enough:
        return False
    if una + window - nxt < size:
        return True
    sender.transmitter.prepare(now)
    sender.send_new(size, now)
    tail_loss.start_timer(sender, now, progress=nxt == una)
    sender.counters.mtu_probes += 1
    search.sent(nxt, sender.nxt)
    return False
