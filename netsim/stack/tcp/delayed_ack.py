"""When data is acknowledged: at once, with an answer, or a little later.

RFC 9293 3.8.6.3 and RFC 5681 4.2 say what must be: at least every second full segment, and within
half a second. How long in between, and that a connection starts with acknowledgements at once, is
as in Linux (tcp_event_data_recv, tcp_measure_rcv_mss, __tcp_ack_snd_check, tcp_delack_timer).
"""

from __future__ import annotations

from typing import Final

from netsim.core.time import MILLISECOND
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.timers import Timer

QUICK: Final = 16
"""Acknowledgements at once at the start, after a pause, and when something is told again."""
AFTER_MARK: Final = 2
"""The same when a CE mark has come: the peer's window may be small soon."""
_DEFAULT_SEGMENT: Final = 536
_LEAST_SEGMENT: Final = 88
_LONGEST: Final = 500 * MILLISECOND
_LONGEST_WHEN_PUSHED: Final = 200 * MILLISECOND


class DelayedAck:
    """Of one connection. Times in ns of network time, sizes in octets."""

    __slots__ = (
        "_last_length",
        "_least",
        "_longest",
        "_pushed",
        "_round_trip",
        "interactive",
        "interval",
        "last_data_at",
        "mss",
        "quick",
        "timer",
        "unacknowledged",
    )

    def __init__(self, settings: TcpSettings, timer: Timer, round_trip: RoundTrip) -> None:
        self.timer = timer
        self._round_trip = round_trip
        self._least = settings.delayed_ack_ns
        self._longest = settings.min_rto_ns - MILLISECOND
        """Later the peer would send again."""
        self.interval = 0
        """How long to wait for an answer to go with, or more data; 0 before the first data."""
        self.last_data_at = 0
        self.quick = 0
        """Acknowledgements that leave at once, unless the connection is interactive."""
        self.interactive = False
        """The program has answered within `interval`, and may again ("ping-pong")."""
        self.mss = _DEFAULT_SEGMENT
        """What the peer seems to fill a segment with: more than that is acknowledged at once."""
        self._last_length = 0
        self._pushed = 0
        """Segments not acknowledged yet that the peer ended where its program did."""
        self.unacknowledged = 0
        """Octets of data and FIN since the last acknowledgement."""

    def data_arrived(self, size: int, pushed: bool, window: int, now: int) -> bool:
        """Data in order came, with `window` octets of room left before it: whether it is to be
        acknowledged at once; the timer runs if not."""
        if size >= self.mss:
            self.mss = size
            self._last_length = 0
            self._pushed += pushed
        else:
            self._measure(size, pushed)
        interval = self.interval
        if not interval:
            self.interval = self._least
            self._quicken(QUICK, window)
        else:
            pause = now - self.last_data_at
            if pause <= self._least // 2:
                self.interval = (interval + self._least) // 2
            elif pause < interval:
                self.interval = min(interval // 2 + pause, self._round_trip.timeout)
            elif pause > self._round_trip.timeout:
                # The peer starts slowly again after such a time (RFC 5681 4.1).
                self._quicken(QUICK, window)
        self.last_data_at = now
        self.unacknowledged += size
        return self.unacknowledged > self.mss or self._is_due(now)

    def _measure(self, size: int, pushed: bool) -> None:
        """A segment that is not full came, it seems."""
        last, self._last_length = self._last_length, 0
        if size >= _DEFAULT_SEGMENT or (size >= _LEAST_SEGMENT and not pushed):
            self._last_length = size
            if size == last:
                self.mss = size  # twice the same: a path with a smaller MTU
                return
        self._pushed += 1

    def _is_due(self, now: int) -> bool:
        interval = self.interval
        if not interval or (self.quick and not self.interactive):
            return True
        if interval > self._least:
            most = _LONGEST_WHEN_PUSHED if self.interactive or self._pushed else _LONGEST
            smoothed = self._round_trip.smoothed
            if smoothed:
                most = min(most, max(smoothed, self._least))
            interval = min(interval, most, self._longest)
        due = now + interval
        timer = self.timer
        if timer.due is None:
            timer.start(due)
        elif timer.due <= now + interval // 4:
            return True
        elif due < timer.due:
            timer.start(due)
        return False

    def fin_arrived(self, now: int) -> bool:
        """The end of what the peer sends was reached, and our program is likely to end as well:
        whether to acknowledge at once; the timer runs if not."""
        self.unacknowledged += 1
        self.interactive = True
        return self.unacknowledged > self.mss or self._is_due(now)

    def tell_quickly(self, most: int, window: int) -> None:
        """The peer has sent something in vain, or should slow down: the next `most`
        acknowledgements leave at once, whatever the program does (tcp_enter_quickack_mode)."""
        self._quicken(most, window)
        self.interactive = False
        self.interval = self._least

    def _quicken(self, most: int, window: int) -> None:
        """As many as the window takes segments, two of which would be acknowledged at once."""
        self.quick = max(self.quick, min(window // (2 * self.mss) or 2, most))

    def will_not_be_answered(self) -> bool:
        """Whether what has come ended where the peer's program did, and ours, when it has read
        it, is not likely to write something that the acknowledgement could go with."""
        return self._pushed > 1 or (self._pushed == 1 and not self.interactive)

    def set_quick(self, wanted: bool) -> None:
        """Acknowledge at once for a while, or not (TCP_QUICKACK)."""
        self.interactive = not wanted
        if wanted and self.unacknowledged:
            self._pushed += 1

    def sent(self, owed: bool) -> None:
        """An acknowledgement leaves, alone or with data; `owed` where one had to."""
        if self.quick and (owed or self.unacknowledged):
            self.quick -= 1
            if not self.quick:
                self.interval = self._least
        self.unacknowledged = self._pushed = 0
        if self.timer.due is not None:
            self.timer.stop()

    def waited(self) -> None:
        """The timer went off: no answer came in time."""
        if self.interactive:
            self.interactive = False
            self.interval = self._least
        else:
            self.interval = min(2 * self.interval, self._round_trip.timeout)
