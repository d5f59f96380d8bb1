"""How much a program may write before it has to wait: what the send buffer weighs, as in Linux.

Linux counts memory (sk_wmem_queued), not octets: each of its buffers costs something beside the
data in it. What waits is in buffers of up to 64 KiB, what is in flight in those that left at once,
two segments on slow paths. While less than the limit is taken another buffer is begun, and the last
is filled to its end. The limit (sk_sndbuf) is two congestion windows of segments, each rounded up
to what Linux reckons for it; it grows when a program waits (tcp_new_space), and never shrinks.
"""

from __future__ import annotations

from typing import Final

from netsim.core.time import MICROSECOND, SECOND
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.sender import Sender

_DESCRIPTOR: Final = 256
"""struct sk_buff"""
_SHARED: Final = 320
"""struct skb_shared_info"""
_MOST_AT_ONCE: Final = 65_536
"""gso_max_size"""
_LEAST_SEGMENTS_AT_ONCE: Final = 2
"""tcp_min_tso_segs"""
_PACING_SHIFT: Final = 10
"""A buffer takes what passes in about a millisecond (sk_pacing_shift)."""
_NEAR_SHIFT: Final = 9
"""More where the round trip is short: twice as much for each 512 µs less (tcp_tso_rtt_log)."""
_INITIAL_SEGMENTS: Final = 10


def expand(connection: Connection) -> None:
    """The limit grows with the congestion window, unless that is full (tcp_should_expand_sndbuf)
    or the program has set it. Linux waits until a whole buffer may leave (tcp_tso_should_defer),
    and so the window is hardly ever full but in slow start, by two segments at once."""
    sender, settings = connection.sender, connection.shared.settings
    if sender.memory_fixed or not sender.established:
        return
    window = sender.congestion.window
    if (
        window < sender.congestion.threshold
        and sender.in_flight() + sender.mss > window
        and _octets_at_once(sender) <= _LEAST_SEGMENTS_AT_ONCE * sender.mss
    ):
        return
    window = max(window // sender.mss, _INITIAL_SEGMENTS)
    segment = max(connection.peer_mss, sender.mss) + settings.header_room + _SHARED
    limit = 2 * ((1 << (segment - 1).bit_length()) + _DESCRIPTOR) * window  # tcp_sndbuf_expand
    sender.memory_limit = max(sender.memory_limit, min(limit, settings.send_buffer))


def room(connection: Connection) -> int:
    """Octets that it takes now. A buffer is begun while less than the limit is taken, and then
    filled, though its head may have left meanwhile (tcp_sendmsg)."""
    sender = connection.sender
    buffer = _memory_of_a_buffer(connection)
    used, may_leave, waiting = _used(connection, buffer)
    whole = _octets_of_a_buffer(connection)
    if waiting or sender.unsent:
        taken = may_leave + max(whole - waiting, 0)
    elif used < sender.memory_limit:
        taken = may_leave + whole
        used += buffer
    else:
        return 0
    if may_leave:
        used += -(-may_leave // _octets_at_once(sender)) * buffer
    left = sender.memory_limit - used - taken
    return taken + (-(-left // (whole + buffer)) * whole if left > 0 else 0)


def is_writable(connection: Connection) -> bool:
    """Whether a third is free, so that who waits is woken (sk_stream_is_writeable)."""
    used, _, _ = _used(connection, _memory_of_a_buffer(connection))
    return connection.sender.memory_limit - used >= used // 2


def _used(connection: Connection, buffer: int) -> tuple[int, int, int]:
    """Memory that is taken, with `buffer` octets for each buffer; how many octets more may leave
    at once; and how many cannot."""
    sender = connection.sender
    octets = len(sender.buffer.data)
    if not sender.established:
        return octets + buffer, 0, octets
    unsent = sender.unsent
    window = min(sender.congestion.window - sender.in_flight(), sender.window_edge - sender.nxt)
    leaving = min(max(window, 0), unsent)
    waiting = unsent - leaving
    segments = len(sender.recovery.queue.segments) + -(-leaving // sender.mss)
    buffers = -(-segments * sender.mss // _octets_at_once(sender))
    buffers += -(-waiting // _octets_of_a_buffer(connection))
    return octets + buffers * buffer, max(window, 0) - leaving, waiting


def _memory_of_a_buffer(connection: Connection) -> int:
    """What it takes beside the data that is in it; a head that would be a power of two has 64
    octets more (SKB_SMALL_HEAD_CACHE_SIZE)."""
    head = connection.shared.settings.header_room + _SHARED
    return head + _DESCRIPTOR + (0 if head & (head - 1) else 64)


def _octets_of_a_buffer(connection: Connection) -> int:
    """What a buffer holds that waits: whole segments, at most half of the peer's largest window
    (tcp_bound_to_half_wnd)."""
    sender = connection.sender
    most = _MOST_AT_ONCE - 1 - connection.shared.settings.header_room
    return max(min(most, sender.max_window // 2) // sender.mss, 1) * sender.mss


def _octets_at_once(sender: Sender) -> int:
    """What a buffer holds that has left (tcp_update_pacing_rate, tcp_tso_autosize)."""
    trip = sender.round_trip
    window = sender.congestion.window
    percent = 200 if window < sender.congestion.threshold // 2 else 120
    rate = window * percent * SECOND // (100 * max(trip.smoothed, MICROSECOND))
    octets = (rate >> _PACING_SHIFT) + (_MOST_AT_ONCE >> (trip.least // MICROSECOND >> _NEAR_SHIFT))
    mss = sender.mss
    return max(min(octets, _MOST_AT_ONCE) // mss, _LEAST_SEGMENTS_AT_ONCE) * mss
