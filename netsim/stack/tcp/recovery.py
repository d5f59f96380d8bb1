"""What the sender of one connection is doing about losses: the state that its parts share.

`rack` and `sent_queue` say what is lost, `prr` how fast it is sent again, `tail_loss` asks when
nothing comes, `undo` takes back what was a mistake; `loss_recovery` puts them together.
"""

from __future__ import annotations

from enum import Enum

from netsim.stack.tcp.rack import Rack
from netsim.stack.tcp.sent_queue import SentQueue


class Phase(Enum):
    """What is being done."""

    OPEN = "open"
    """Nothing is lost, though duplicate acknowledgements or SACK may have begun to come."""
    REDUCED = "reduced"
    """The window comes down for congestion without a loss (RFC 3168, RFC 8985 7.4.2)."""
    FAST = "fast"
    """Fast recovery (RFC 5681 3.2)."""
    TIMEOUT = "timeout"
    """Slow start over what was outstanding when the retransmission timer went off."""


class Recovery:
    """Of one connection, in unwrapped sequence numbers and octets."""

    __slots__ = (
        "delivered",
        "duplicates",
        "first_resent_at",
        "flight",
        "frto",
        "holds_back",
        "in_order",
        "phase",
        "point",
        "prior_threshold",
        "prior_window",
        "probe_end",
        "probe_resent",
        "queue",
        "rack",
        "selective",
        "sent",
        "undo_from",
        "undo_resent",
    )

    def __init__(self, selective: bool, initial: int) -> None:
        self.selective = selective
        """The peer sends SACK blocks (RFC 2018)."""
        self.queue = SentQueue()
        self.rack = Rack(initial)
        self.phase = Phase.OPEN
        self.in_order = True
        """Nothing lost, SACKed, duplicate or sent again: what is in flight is all that is
        outstanding, and nothing here has to be looked at."""
        self.duplicates = 0
        """Duplicate acknowledgements in a row; counted without SACK only."""
        self.point = initial
        """RecoveryPoint: SND.NXT when the phase began."""
        # PRR (RFC 9937 5)
        self.delivered = 0
        """prr_delivered"""
        self.sent = 0
        """prr_out"""
        self.flight = 0
        """RecoverFS"""
        # Undo (RFC 3522, 3708, 4015, 5682)
        self.undo_from: int | None = None
        """SND.UNA when the window was reduced; None where that cannot be taken back."""
        self.undo_resent = 0
        """Repetitions since then that no D-SACK has reported as needless; -1 before the first."""
        self.first_resent_at: int | None = None
        """When the first repetition left."""
        self.prior_window = 0
        self.prior_threshold = 0
        self.frto = False
        """The timeout may have been spurious (RFC 5682 3.1)."""
        self.holds_back = False
        """New data is to leave rather than what seems lost (RFC 5682 2.1, step 2b)."""
        # TLP (RFC 8985 7)
        self.probe_end = -1
        """TLP.end_seq: SND.NXT when the tail loss probe left; -1 without one."""
        self.probe_resent = False
        """The probe repeated what had left before."""

    def in_flight(self, una: int, nxt: int) -> int:
        """Octets believed to be in the network: "pipe" of RFC 6675 4."""
        return nxt - una if self.in_order else nxt - una - self.queue.missing

    @property
    def is_recovering(self) -> bool:
        """Whether something is sent again."""
        return self.phase is Phase.FAST or self.phase is Phase.TIMEOUT

    def settle(self) -> None:
        """See whether all is in order again."""
        if self.phase is Phase.OPEN and self.probe_end < 0 and self.queue.is_plain:
            self.in_order = True
            self.duplicates = 0
            self.queue.forget_times()
        else:
            self.in_order = False
