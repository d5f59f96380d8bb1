"""Taking back a reduction of the window that was a mistake: nothing had been lost, only late.

Known by the timestamp that an acknowledgement echoes (Eifel, RFC 3522), by D-SACKs for all that
was sent again (RFC 3708), or by F-RTO (RFC 5682); the answer is that of RFC 4015.
"""

from __future__ import annotations

from netsim.stack.tcp.congestion import CongestionControl
from netsim.stack.tcp.recovery import Phase, Recovery
from netsim.stack.tcp.seq import HALF, MASK


def remember(recovery: Recovery, congestion: CongestionControl, una: int) -> None:
    """The window is about to be reduced."""
    recovery.prior_window = congestion.window
    recovery.prior_threshold = congestion.threshold
    recovery.undo_from = una
    recovery.undo_resent = -1
    recovery.first_resent_at = None


def resent(recovery: Recovery, now: int) -> None:
    """A segment was sent again."""
    recovery.undo_resent = max(recovery.undo_resent, 0) + 1
    if recovery.first_resent_at is None:
        recovery.first_resent_at = now


def duplicate_reported(recovery: Recovery, start: int, end: int, una: int, mss: int) -> None:
    """A D-SACK says that [start, end) came twice."""
    begin = recovery.undo_from
    if begin is not None and recovery.undo_resent > 0 and begin < end <= una:
        segments = -(-(end - start) // mss)
        recovery.undo_resent = max(recovery.undo_resent - segments, 0)


def was_delayed(recovery: Recovery, echo: int | None, clock_then: int) -> bool:
    """Eifel detection: whether the timestamp echoed is older than the first repetition, which
    left when our timestamp clock said `clock_then`."""
    if recovery.first_resent_at is None or echo is None:
        return False
    return (echo - clock_then) & MASK >= HALF


def may_undo(recovery: Recovery, delayed: bool) -> bool:
    """Whether everything that was sent again had arrived before."""
    return recovery.undo_from is not None and (recovery.undo_resent == 0 or delayed)


def undo(recovery: Recovery, congestion: CongestionControl, *, nothing_is_lost: bool) -> None:
    """Restore the window (RFC 4015 3.2, RFC 9438 4.9)."""
    if nothing_is_lost:
        recovery.queue.unmark_lost()
    congestion.undo(recovery.prior_window, recovery.prior_threshold)
    recovery.undo_from = None


def end(recovery: Recovery) -> None:
    """All is well again."""
    recovery.phase = Phase.OPEN
    recovery.frto = recovery.holds_back = False
    recovery.first_resent_at = None
