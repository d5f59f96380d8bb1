"""How much the subject's program may write: what it notes is compared in octets, not in words."""

from __future__ import annotations

from typing import Final

from dialogues import SOON, Play, handshake
from raw_dialogue import Dialogue

ROUNDS: Final = 8
"""Round trips, in each of which twice as much is acknowledged as in the one before."""


def _fill_and_acknowledge(d: Dialogue, mss: int) -> None:
    """The program writes whenever there is room; the peer acknowledges, segment by segment."""
    d.note(f"took {d.fill()} at 0")
    d.wait(SOON)
    sent, window = 1, 10
    for _ in range(ROUNDS):
        for _ in range(window):
            sent += mss
            d.send("A", 1, sent)
            if d.is_writable():
                d.note(f"took {d.fill()} at {sent - 1}")
        window *= 2
        d.wait(SOON)


def a_buffer_that_grows(d: Dialogue) -> None:
    handshake(d, modern=True)
    _fill_and_acknowledge(d, 1448)


def a_buffer_before_a_window_that_does_not(d: Dialogue) -> None:
    handshake(d)
    _fill_and_acknowledge(d, 1460)


def a_buffer_of_a_set_size(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.set_send_buffer(20_000)
    _fill_and_acknowledge(d, 1448)


BUFFER_DIALOGUES: Final[dict[str, Play]] = {
    play.__name__: play
    for play in (
        a_buffer_that_grows,
        a_buffer_before_a_window_that_does_not,
        a_buffer_of_a_set_size,
    )
}
