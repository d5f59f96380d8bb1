"""The states of a connection (RFC 9293 3.3.2, figure 5).

LISTEN has a class of its own (`listener.Listener`): a listener is not a connection that waits
but the place where connections begin.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """Values are the names that `ss` prints."""

    CLOSED = "UNCONN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECV"
    ESTABLISHED = "ESTAB"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


SYNCHRONIZED: Final = frozenset(
    {
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSE_WAIT,
        State.CLOSING,
        State.LAST_ACK,
    }
)
"""Both ends know each other's initial sequence number; TIME-WAIT has an object of its own."""

MAY_WRITE: Final = frozenset(
    {State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT}
)
"""Our FIN is not queued yet, so `write` adds to the stream."""

MAY_RECEIVE: Final = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})
"""The peer's FIN has not come yet, so its data is welcome (RFC 9293 3.10.7.4, seventh)."""
