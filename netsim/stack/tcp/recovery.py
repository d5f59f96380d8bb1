"""Which outstanding octets count as lost, and which to send again (RFC 6675, 6582, 5681).

One account serves all cases. With SACK the scoreboard says what arrived. Without it each
duplicate acknowledgement stands for one segment that arrived somewhere (NewReno): subtracting
those from what is outstanding is RFC 6582's inflated window seen from the other side, and
gives limited transmit (RFC 3042) as well. After a timeout everything outstanding is lost until
the scoreboard, cleared then, says otherwise.
"""

from __future__ import annotations

from enum import Enum

from netsim.stack.tcp.scoreboard import DUPLICATE_THRESHOLD, Scoreboard


class Phase(Enum):
    """What the sender is doing about losses."""

    OPEN = "open"
    """Nothing looks lost, though duplicate acknowledgements may have begun to come."""
    FAST = "fast"
    """Fast recovery (RFC 5681 3.2)."""
    TIMEOUT = "timeout"
    """Slow start over what was outstanding when the retransmission timer went off."""


class Recovery:
    """Loss detection of one connection. It sends nothing: the sender asks it."""

    __slots__ = (
        "_duplicates",
        "_lost_below",
        "_point",
        "_rescued",
        "_resent_below",
        "_sack",
        "_scoreboard",
        "_virtually_sacked",
        "in_order",
        "phase",
    )

    def __init__(self, selective: bool, initial: int) -> None:
        self.phase = Phase.OPEN
        self.in_order = True
        """Nothing lost, SACKed or duplicate: what is in flight is all that is outstanding."""
        self._sack = selective
        self._scoreboard = Scoreboard()
        self._duplicates = 0
        self._virtually_sacked = 0
        """Without SACK: octets for which duplicate acknowledgements stand."""
        self._point = initial
        """RecoveryPoint: highest octet sent when the last recovery or timeout began."""
        self._lost_below = initial
        self._resent_below = initial
        """HighRxt: what is lost below this was sent again in this recovery."""
        self._rescued = False

    def note_sacked(self, blocks: list[tuple[int, int]], una: int, nxt: int) -> bool:
        """Take the SACK blocks of an acknowledgement; whether they told anything new.

        Blocks outside what is outstanding are D-SACKs (RFC 2883) or nonsense.
        """
        news = False
        for start, end in blocks:
            if una < start < end <= nxt and self._scoreboard.add(start, end):
                news = True
                self.in_order = False
        return news

    def in_flight(self, una: int, nxt: int) -> int:
        """Octets believed to be in the network: "pipe" of RFC 6675 4."""
        if self.in_order:
            return nxt - una
        missing = self._scoreboard.missing
        return (
            missing(una, nxt)
            - self._virtually_sacked
            - missing(una, self._lost_below)
            + missing(una, self._resent_below)
        )

    def duplicate(self, una: int, nxt: int, mss: int) -> bool:
        """A duplicate acknowledgement came; whether fast recovery begins with it."""
        self.in_order = False
        self._duplicates += 1
        if not self._sack:
            # Never the segment that is missing, nor what is known to be lost.
            most = max(nxt - una - mss, 0)
            if self.phase is not Phase.TIMEOUT:
                self._virtually_sacked = min(self._virtually_sacked + mss, most)
        if self.phase is not Phase.OPEN:
            if self.phase is Phase.FAST:
                self._update_lost(una, mss)
            return False
        if una < self._point or (una == self._point and not self._sack):
            return False  # RFC 6675 5.1, RFC 6582 4: these may be echoes of what was sent twice
        if self._duplicates < DUPLICATE_THRESHOLD and self._scoreboard.lost_below(mss) <= una:
            return False
        self.phase = Phase.FAST
        self._point = nxt
        self._resent_below = una
        self._rescued = False
        self._lost_below = min(una + mss, nxt)
        self._update_lost(una, mss)
        return True

    def advanced(self, una: int, nxt: int, octets: int, mss: int) -> bool:
        """`octets` were cumulatively acknowledged, while not `in_order`; whether that ended
        fast recovery."""
        self._duplicates = 0
        self._scoreboard.advance(una)
        self._resent_below = max(self._resent_below, una)
        if self.phase is Phase.OPEN or una >= self._point:
            ended = self.phase is Phase.FAST
            self.phase = Phase.OPEN
            self._virtually_sacked = 0
            self._lost_below = self._resent_below = una
            self.in_order = not self._scoreboard
            return ended
        if self.phase is Phase.FAST:
            if self._sack:
                self._update_lost(una, mss)
            else:
                # A partial acknowledgement: what follows it is lost too, and one of the
                # segments it covers is the one that was sent again (RFC 6582 3.2 (3)).
                self._lost_below = min(una + mss, nxt)
                self._resent_below = una
                arrived = self._virtually_sacked - max(octets - mss, 0)
                self._virtually_sacked = max(min(arrived, nxt - una - mss), 0)
        return False

    def begin_again(self, una: int, nxt: int) -> None:
        """Everything outstanding is lost: the timer went off, or the path MTU is smaller than
        all of that."""
        self.phase = Phase.TIMEOUT
        self.in_order = False
        self._scoreboard.clear()
        self._duplicates = 0
        self._virtually_sacked = 0
        self._point = self._lost_below = nxt
        self._resent_below = una

    def next_lost(self, una: int, mss: int) -> tuple[int, int] | None:
        """What to send again next, at most a segment: NextSeg() (1) of RFC 6675 4."""
        hole = self._scoreboard.hole(max(self._resent_below, una), self._lost_below)
        if hole is None:
            return None
        start, end = hole
        return start, min(end, start + mss)

    def rescue(self, una: int, nxt: int, mss: int) -> tuple[int, int] | None:
        """NextSeg() (4): once in a recovery, the last segment that is not SACKed, lest a lost
        tail has to wait for the timer."""
        if self._rescued or not self._sack or self.phase is not Phase.FAST:
            return None
        start = max(una, self._resent_below, nxt - mss)
        if self._scoreboard:
            start = max(start, self._scoreboard.highest)
        if start >= nxt:
            return None
        self._rescued = True
        return start, nxt

    def sent_again(self, end: int) -> None:
        """The octets below `end` that are lost were sent again."""
        self._resent_below = max(self._resent_below, end)

    def _update_lost(self, una: int, mss: int) -> None:
        self._lost_below = max(self._lost_below, self._scoreboard.lost_below(mss), una)
