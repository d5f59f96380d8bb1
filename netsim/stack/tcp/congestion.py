"""Congestion control by name: what the sender tells it, and the registry.

An algorithm keeps a window and a threshold in bytes and is told what happens; it sends nothing
and knows no sequence numbers. When losses are detected and which octets are sent again is the
business of `recovery.py`, whatever the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from netsim.stack.tcp.cubic import Cubic
from netsim.stack.tcp.reno import Reno
from netsim.stack.tcp.rtt import RoundTrip


class CongestionControl(Protocol):
    """cwnd and ssthresh of one connection, in bytes."""

    window: int
    threshold: int

    def set_segment_size(self, mss: int) -> None:
        """The effective MSS is known, or has changed."""

    def acknowledged(self, octets: int, in_flight: int, is_limiting: bool, now: int) -> None:
        """That many octets were newly acknowledged, outside recovery or after a timeout;
        `in_flight` is what was outstanding before, and the window grows only where it was what
        held the sender back (RFC 7661 3)."""

    def reduce(self, flight: int, now: int) -> None:
        """Congestion, with `flight` octets outstanding: lower the threshold (RFC 5681 (4)).
        How the window comes down to it is the business of `prr`."""

    def recovered(self, now: int) -> None:
        """The window has come down: everything outstanding when that began is acknowledged."""

    def timed_out(self, in_flight: int, now: int) -> None:
        """The retransmission timer went off, and `in_flight` is what may still arrive; a
        segment more than that may leave (RFC 5681 3.1)."""

    def undo(self, window: int, threshold: int) -> None:
        """The last `reduce` was a mistake: these were window and threshold before."""

    def restart_after_idle(self, timeouts: int) -> None:
        """Nothing was sent for so many RTOs and a part of one: what the path takes is known ever
        less (`after_idleness`)."""


Algorithm = Callable[[int, int, RoundTrip], CongestionControl]
"""Makes the control of a new connection from its MSS and initial window, both in bytes, and its
measurement of the round-trip time."""

_ALGORITHMS: Final[dict[str, Algorithm]] = {"cubic": Cubic, "reno": Reno}


def named(name: str) -> Algorithm:
    """The algorithm called `name`; ValueError names those there are."""
    try:
        return _ALGORITHMS[name]
    except KeyError:
        known = ", ".join(sorted(_ALGORITHMS))
        raise ValueError(f"no congestion control {name!r}; there are: {known}") from None


def algorithm_names() -> list[str]:
    """Of those there are."""
    return sorted(_ALGORITHMS)
