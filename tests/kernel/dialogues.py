"""What is said in each dialogue, and where it is from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raw_dialogue import Dialogue

from netsim.wire import icmp, ipv4

Play = Callable[[Dialogue], None]
DIALOGUES: Final[dict[str, Play]] = {}

SOON: Final = 0.02
"""Seconds that a round trip takes."""
MODERN: Final = {"mss": 1460, "sack_permitted": True, "window_scale": 7}


def dialogue(play: Play) -> Play:
    """Count it among those that are played."""
    DIALOGUES[play.__name__] = play
    return play


def handshake(d: Dialogue, *, modern: bool = False, mss: int = 1460, syn: str = "S") -> None:
    """The peer connects, and the program accepts; sequence numbers are 1 on both sides."""
    d.timestamps = modern
    d.listen()
    d.send(syn, **(MODERN if modern else {"mss": mss}))
    d.wait(SOON)
    d.send("A", 1, 1)
    d.wait(SOON)
    d.accept()


# Handshakes (RFC 9293 3.5, 3.10.7)


@dialogue
def a_bare_handshake(d: Dialogue) -> None:
    handshake(d)


@dialogue
def a_modern_handshake(d: Dialogue) -> None:
    handshake(d, modern=True)


@dialogue
def a_closed_port(d: Dialogue) -> None:
    d.send("S", mss=1460)
    d.wait(SOON)
    d.send("A", 5, 7)
    d.wait(SOON)
    d.send("FA", 5, 7, 10)
    d.wait(SOON)
    d.send("R", 5)
    d.wait(SOON)


@dialogue
def segments_to_a_listener(d: Dialogue) -> None:
    d.listen()
    for flags in ("A", "R", "F", "", "FPU", "SF", "SR"):
        d.send(flags, 5, 7)
        d.wait(SOON)


@dialogue
def data_in_a_syn(d: Dialogue) -> None:
    d.listen()
    d.send("S", count=10, mss=1460)
    d.wait(SOON)
    d.send("A", 1, 1, 10)
    d.wait(SOON)
    d.accept()
    d.note(f"read {d.read()}")


@dialogue
def nobody_answers_a_syn_ack(d: Dialogue) -> None:
    d.listen()
    d.send("S", mss=1460)
    d.wait(3.4)


@dialogue
def a_syn_twice(d: Dialogue) -> None:
    d.listen()
    d.send("S", mss=1460)
    d.wait(SOON)
    d.send("S", mss=1460)
    d.wait(SOON)
    d.send("A", 1, 1)
    d.wait(SOON)
    d.accept()


@dialogue
def a_wrong_ack_of_a_syn_ack(d: Dialogue) -> None:
    d.listen()
    d.send("S", mss=1460)
    d.wait(SOON)
    d.send("A", 1, 100)
    d.wait(SOON)
    d.send("R", 1)
    d.wait(SOON)
    d.accept()


@dialogue
def nobody_answers_a_syn(d: Dialogue) -> None:
    d.connect()
    d.wait(3.4)


@dialogue
def a_simultaneous_open(d: Dialogue) -> None:
    d.connect()
    d.wait(SOON)
    d.send("S", mss=1460)
    d.wait(SOON)
    d.send("SA", 0, 1, mss=1460)
    d.wait(SOON)
    d.note(d.error())


@dialogue
def an_active_open(d: Dialogue) -> None:
    d.connect()
    d.wait(SOON)
    d.send("SA", 0, 1, mss=1460)
    d.wait(SOON)
    d.write(100)
    d.wait(SOON)


@dialogue
def a_wrong_ack_of_a_syn(d: Dialogue) -> None:
    d.connect()
    d.wait(SOON)
    d.send("SA", 0, 77, mss=1460)
    d.wait(SOON)
    d.send("R", 0)
    d.wait(SOON)
    d.send("RA", 0, 77)
    d.wait(SOON)
    d.send("RA", 0, 1)
    d.wait(SOON)
    d.note(d.error())


# A handshake that is repeated: what is measured (RFC 6298, 7323 4, 6928 2)

LATE: Final = 0.1
"""Seconds that an answer takes; a timer of the kernel's may be 40 ms late."""


def after_a_repeated_handshake(d: Dialogue) -> None:
    """How many segments leave, and when the first is sent again."""
    d.note_round_trip()
    d.write(12 * 1448)
    d.wait(0.9)


def a_repeated_syn(d: Dialogue, times: int, answered: int | None) -> None:
    """The peer answers the first SYN, or the second…, or says not which."""
    d.timestamps = answered is not None
    d.connect()
    stamps = []
    for _ in range(times):
        d.wait(0.5)
        stamps.append(d.echo)
        d.wait(0.5)
    d.wait(LATE)
    stamps.append(d.echo)
    d.note(f"{len(set(stamps))} stamps")
    echo = {} if answered is None else {"timestamp_echo": stamps[answered]}
    d.send("SA", 0, 1, **MODERN, **echo)
    d.wait(SOON)
    after_a_repeated_handshake(d)


@dialogue
def a_repeated_syn_is_answered(d: Dialogue) -> None:
    a_repeated_syn(d, 1, 1)


@dialogue
def a_repeated_syn_whose_first_is_answered(d: Dialogue) -> None:
    a_repeated_syn(d, 1, 0)


@dialogue
def a_repeated_syn_without_timestamps(d: Dialogue) -> None:
    a_repeated_syn(d, 1, None)


@dialogue
def a_syn_that_left_three_times_is_answered(d: Dialogue) -> None:
    a_repeated_syn(d, 2, 2)


@dialogue
def a_syn_that_left_three_times_whose_first_is_answered(d: Dialogue) -> None:
    a_repeated_syn(d, 2, 0)


@dialogue
def a_syn_that_left_three_times_whose_second_is_answered(d: Dialogue) -> None:
    a_repeated_syn(d, 2, 1)


def a_syn_ack_with_an_echo(d: Dialogue, ago: int) -> None:
    d.timestamps = True
    d.connect()
    d.wait(LATE)
    d.send("SA", 0, 1, **MODERN, timestamp_echo=(d.echo - ago) % 2**32)
    d.wait(SOON)
    d.note(d.error())


@dialogue
def a_syn_ack_that_echoes_what_was_before_the_syn(d: Dialogue) -> None:
    a_syn_ack_with_an_echo(d, 5)


@dialogue
def a_syn_ack_that_echoes_what_will_be(d: Dialogue) -> None:
    a_syn_ack_with_an_echo(d, -10_000)


def a_repeated_syn_ack(d: Dialogue, times: int, acknowledged: int | None) -> None:
    """The peer acknowledges the first SYN-ACK, or the second…, or says not which."""
    d.timestamps = acknowledged is not None
    d.listen()
    d.send("S", **MODERN)
    stamps = []
    for seconds in (1, 2)[:times]:
        d.wait(seconds / 2)
        stamps.append(d.echo)
        d.wait(seconds / 2)
    d.wait(LATE)
    stamps.append(d.echo)
    d.note(f"{len(set(stamps))} stamps")
    echo = {} if acknowledged is None else {"timestamp_echo": stamps[acknowledged]}
    d.send("A", 1, 1, **echo)
    d.wait(SOON)
    d.accept()
    after_a_repeated_handshake(d)


@dialogue
def a_repeated_syn_ack_is_acknowledged(d: Dialogue) -> None:
    a_repeated_syn_ack(d, 1, 1)


@dialogue
def a_repeated_syn_ack_whose_first_is_acknowledged(d: Dialogue) -> None:
    a_repeated_syn_ack(d, 1, 0)


@dialogue
def a_repeated_syn_ack_without_timestamps(d: Dialogue) -> None:
    a_repeated_syn_ack(d, 1, None)


@dialogue
def a_syn_ack_that_left_three_times_is_acknowledged(d: Dialogue) -> None:
    a_repeated_syn_ack(d, 2, 2)


@dialogue
def a_syn_ack_that_left_three_times_whose_first_is_acknowledged(d: Dialogue) -> None:
    a_repeated_syn_ack(d, 2, 0)


def a_syn_ack_that_was_asked_for_again(d: Dialogue, acknowledged: int) -> None:
    """By a SYN that came twice, before any timer: it counts as repeated."""
    d.timestamps = True
    d.listen()
    stamps = []
    for _ in range(2):
        d.wait(0.4)
        d.send("S", **MODERN)
        d.wait(LATE)
        stamps.append(d.echo)
    d.send("A", 1, 1, timestamp_echo=stamps[acknowledged])
    d.wait(SOON)
    d.accept()
    after_a_repeated_handshake(d)


@dialogue
def a_syn_ack_that_was_asked_for_again_is_acknowledged(d: Dialogue) -> None:
    a_syn_ack_that_was_asked_for_again(d, 1)


@dialogue
def a_syn_ack_that_was_asked_for_again_whose_first_is_acknowledged(d: Dialogue) -> None:
    a_syn_ack_that_was_asked_for_again(d, 0)


def data_that_left_twice(d: Dialogue, answered: int) -> None:
    handshake(d, modern=True)
    d.wait(0.2)
    d.write(1448)
    d.wait(LATE)
    stamps = [d.echo]
    d.wait(1.0)
    stamps.append(d.echo)
    d.send("A", 1, 1449, timestamp_echo=stamps[answered])
    d.wait(SOON)
    d.note_round_trip()


@dialogue
def data_that_left_twice_is_acknowledged(d: Dialogue) -> None:
    data_that_left_twice(d, 1)


@dialogue
def data_that_left_twice_whose_first_is_acknowledged(d: Dialogue) -> None:
    data_that_left_twice(d, 0)


# Resets and challenges (RFC 5961)


@dialogue
def a_reset(d: Dialogue) -> None:
    handshake(d)
    d.send("R", 1)
    d.wait(SOON)
    d.note(d.error())
    d.send("A", 1, 1)
    d.wait(SOON)


@dialogue
def a_reset_beside_the_number(d: Dialogue) -> None:
    handshake(d)
    d.send("R", 2)
    d.wait(SOON)
    d.note(d.error())


@dialogue
def a_reset_out_of_the_window(d: Dialogue) -> None:
    handshake(d)
    d.send("R", 1_000_000)
    d.wait(SOON)
    d.send("R", -1)
    d.wait(SOON)
    d.note(d.error())


@dialogue
def a_syn_in_a_connection(d: Dialogue) -> None:
    handshake(d)
    d.send("S", 1)
    d.wait(SOON)


@dialogue
def many_syns_in_a_connection(d: Dialogue) -> None:
    handshake(d)
    for _ in range(20):
        d.send("S", 1)
    d.wait(0.2)


@dialogue
def acks_that_cannot_be(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 1, 5000, 10)
    d.wait(SOON)
    d.send("A", 1, -100_000, 10)
    d.wait(0.6)
    d.note(f"read {d.read()}")


# What is received (RFC 9293 3.10.7.4, 2018, 2883, 7323)


@dialogue
def data_out_of_the_window(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 1_000_000, 1, 10)
    d.wait(SOON)


@dialogue
def data_again(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 1, 1, 100)
    d.wait(0.1)
    d.send("A", 1, 1, 100)
    d.wait(0.1)
    d.note(f"read {d.read()}")


@dialogue
def data_again_with_sack(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.send("A", 1, 1, 100)
    d.wait(0.1)
    d.send("A", 1, 1, 100)
    d.wait(0.1)


@dialogue
def holes(d: Dialogue) -> None:
    handshake(d, modern=True)
    for start in (101, 301, 501, 701):
        d.send("A", start, 1, 100)
        d.wait(SOON)
    d.send("A", 1, 1, 100)
    d.wait(SOON)
    d.send("A", 201, 1, 500)
    d.wait(SOON)
    d.note(f"read {d.read()}")


@dialogue
def a_hole_without_sack(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 101, 1, 100)
    d.wait(SOON)
    d.send("A", 1, 1, 100)
    d.wait(SOON)
    d.note(f"read {d.read()}")


@dialogue
def an_old_timestamp(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.send("A", 1, 1, 100)
    d.wait(0.1)
    d.send("A", 101, 1, 100, age=5000)
    d.wait(0.1)
    d.note(f"read {d.read()}")


@dialogue
def no_timestamp(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.send("A", 1, 1, 100, stamped=False)
    d.wait(0.1)
    d.note(f"read {d.read()}")


@dialogue
def first_data_is_acknowledged_at_once(d: Dialogue) -> None:
    handshake(d)
    for start in range(1, 401, 100):
        d.send("A", start, 1, 100)
        d.wait(0.1)


@dialogue
def data_after_an_answer_is_acknowledged_later(d: Dialogue) -> None:
    handshake(d)
    for round_ in range(3):
        d.send("PA", 1 + 100 * round_, 1 + 50 * round_, 100)
        d.wait(SOON)
        d.read()
        d.write(50)
        d.wait(SOON)
    d.send("A", 301, 151, 100)
    d.wait(0.2)


@dialogue
def data_that_is_read_is_acknowledged(d: Dialogue) -> None:
    """When nobody has answered so far; else an answer is waited for."""
    handshake(d)
    for number in range(20):
        d.send("PA", 1 + 100 * number, 1, 100)
        d.wait(0.01)
        d.read()
        d.wait(0.01)
    d.write(50)
    d.send("PA", 2001, 51, 100)
    d.wait(0.01)
    d.read()
    d.wait(0.1)


@dialogue
def data_that_is_not_read_is_acknowledged_later(d: Dialogue) -> None:
    """After the first sixteen."""
    handshake(d)
    for number in range(16):
        d.send("PA", 1 + 100 * number, 1, 100)
        d.wait(0.002)
    for number in range(16, 20):
        d.send("PA", 1 + 100 * number, 1, 100)
        d.wait(0.15)


@dialogue
def data_after_a_pause_is_acknowledged_at_once(d: Dialogue) -> None:
    handshake(d)
    d.send("PA", 1, 1, 100)
    d.wait(SOON)
    d.write(50)
    d.wait(SOON)
    d.send("PA", 101, 51, 100)
    d.wait(0.6)
    d.send("PA", 201, 51, 100)
    d.wait(0.1)


@dialogue
def a_fin_after_data(d: Dialogue) -> None:
    """The program may be about to close, too."""
    handshake(d)
    d.send("PA", 1, 1, 100)
    d.wait(SOON)
    d.send("FA", 101, 1)
    d.wait(0.1)


@dialogue
def two_full_segments_are_acknowledged(d: Dialogue) -> None:
    handshake(d)
    for start in range(4):
        d.send("A", 1 + 1460 * start, 1, 1460)
    d.wait(0.1)


@dialogue
def urgent_data(d: Dialogue) -> None:
    handshake(d)
    d.send("UPA", 1, 1, 100)
    d.wait(0.1)


@dialogue
def nothing_but_flags(d: Dialogue) -> None:
    handshake(d)
    d.send("", 1, 1, 10)
    d.wait(SOON)
    d.send("P", 1, 1, 10)
    d.wait(SOON)


@dialogue
def a_keep_alive_of_the_peer(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 0, 1)
    d.wait(SOON)


# What is sent


@dialogue
def nagle(d: Dialogue) -> None:
    handshake(d)
    for count in (10, 20, 30):
        d.write(count)
        d.wait(SOON)
    d.send("A", 1, 11)
    d.wait(SOON)


@dialogue
def no_delay(d: Dialogue) -> None:
    handshake(d)
    d.set_no_delay()
    for count in (10, 20, 30):
        d.write(count)
        d.wait(SOON)


@dialogue
def the_mss_of_the_peer(d: Dialogue) -> None:
    handshake(d, mss=536)
    d.write(1700)
    d.wait(SOON)


@dialogue
def no_mss_from_the_peer(d: Dialogue) -> None:
    d.listen()
    d.send("S")
    d.wait(SOON)
    d.send("A", 1, 1)
    d.wait(SOON)
    d.accept()
    d.write(1700)
    d.wait(SOON)


@dialogue
def an_initial_window(d: Dialogue) -> None:
    handshake(d)
    d.write(30_000)
    d.wait(SOON)


@dialogue
def nobody_acknowledges(d: Dialogue) -> None:
    handshake(d)
    d.write(100)
    d.wait(2.5)


@dialogue
def nobody_acknowledges_with_timestamps(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.write(100)
    d.wait(2.5)


@dialogue
def three_duplicates(d: Dialogue) -> None:
    handshake(d)
    d.write(8 * 1460)
    d.wait(SOON)
    for _ in range(3):
        d.send("A", 1, 1)
        d.wait(0.002)
    d.wait(SOON)


@dialogue
def three_blocks(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.write(8 * 1448)
    d.wait(SOON)
    for end in (2, 3, 4):
        d.send("A", 1, 1, sack=[(1 + 1448, 1 + 1448 * end)])
        d.wait(0.002)
    d.wait(SOON)


@dialogue
def a_tail_is_lost(d: Dialogue) -> None:
    handshake(d, modern=True)
    d.write(4 * 1448)
    d.wait(SOON)
    d.send("A", 1, 1 + 3 * 1448)
    d.wait(0.6)


@dialogue
def a_window_that_is_shut(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 1, 1, window=0)
    d.write(100)
    d.wait(2.0)
    d.send("A", 1, 1, window=50)
    d.wait(SOON)
    d.send("A", 1, 51, window=5000)
    d.wait(SOON)


@dialogue
def a_keep_alive(d: Dialogue) -> None:
    handshake(d)
    d.keep_alive(1, 1, 2)
    d.wait(1.2)
    d.send("A", 1, 1)
    d.wait(3.2)
    d.note(d.error())


@dialogue
def a_lost_syn_ack_with_timestamps(d: Dialogue) -> None:
    """The echo says how long the round trip takes, though the SYN-ACK was repeated."""
    d.timestamps = True
    d.listen()
    d.send("S", **MODERN)
    d.wait(1.2)
    d.send("A", 1, 1)
    d.wait(SOON)
    d.accept()
    d.write(1448)
    d.wait(0.6)


@dialogue
def the_head_is_never_acknowledged(d: Dialogue) -> None:
    """What is sent again is lost again; blocks keep coming (RFC 8985)."""
    handshake(d, modern=True)
    d.write(10 * 1448)
    d.wait(SOON)
    for end in range(2, 11):
        d.send("A", 1, 1, sack=[(1 + 1448, 1 + 1448 * end)])
        d.wait(SOON)


@dialogue
def late_answers_after_a_timeout(d: Dialogue) -> None:
    """The answers to what was sent first come late: nothing else is sent again (RFC 5682, 4015)."""
    handshake(d, modern=True)
    d.write(4 * 1448)
    d.wait(SOON)
    first = d.echo
    d.wait(0.6)
    for number in range(1, 5):
        d.send("A", 1, 1 + 1448 * number, timestamp_echo=first)
        d.wait(SOON)


@dialogue
def a_window_that_a_program_fills_once(d: Dialogue) -> None:
    """It grows to twice what was outstanding, though less is as acknowledgements come."""
    handshake(d, modern=True)
    sent = 1
    for segments in (10, 15, 60):
        d.write(segments * 1448)
        d.wait(SOON)
        for _ in range(min(segments, 20)):
            sent += 1448
            d.send("A", 1, sent)
        d.wait(SOON / 2)


@dialogue
def a_window_that_a_program_does_not_fill(d: Dialogue) -> None:
    """It stays twice as large as what is outstanding."""
    handshake(d, modern=True)
    sent = 1
    for segments in (4, 7, 7, 7, 7, 7, 60):
        d.write(segments * 1448)
        d.wait(SOON)
        for _ in range(min(segments, 20)):
            sent += 1448
            d.send("A", 1, sent)
        d.wait(SOON / 2)


def a_pause_in_sending(d: Dialogue, seconds: float) -> None:
    """The window halves with every timeout that passes, as far as the initial one (RFC 2861), and
    slow start goes on to three quarters of what it was."""
    handshake(d, modern=True)
    sent = 1
    for segments in (10, 20):
        d.write(segments * 1448)
        d.wait(SOON)
        for _ in range(segments):
            sent += 1448
            d.send("A", 1, sent)
        d.wait(SOON / 2)
    d.note_round_trip()
    d.wait(seconds)
    d.write(60 * 1448)
    d.wait(SOON)
    for _ in range(20):
        sent += 1448
        d.send("A", 1, sent)
    d.wait(SOON / 2)


@dialogue
def a_short_pause_in_sending(d: Dialogue) -> None:
    a_pause_in_sending(d, 0.32)


@dialogue
def a_pause_of_two_timeouts_in_sending(d: Dialogue) -> None:
    a_pause_in_sending(d, 0.6)


@dialogue
def a_long_pause_in_sending(d: Dialogue) -> None:
    a_pause_in_sending(d, 2)


@dialogue
def a_pause_before_a_window_that_is_shut(d: Dialogue) -> None:
    """Whatever is written then leaves at once when it opens."""
    handshake(d, modern=True)
    d.write(10 * 1448)
    d.wait(SOON)
    for number in range(1, 11):
        d.send("A", 1, 1 + number * 1448, window=(10 - number) * 1448 >> 7)
    d.write(30 * 1448)
    d.wait(1.0)
    d.send("A", 1, 1 + 10 * 1448)
    d.wait(SOON)


# Congestion that is told (RFC 3168)


def with_ecn(d: Dialogue) -> None:
    """A connection on which both have agreed to it."""
    handshake(d, modern=True, syn="SEC")


@dialogue
def an_offer_of_ecn(d: Dialogue) -> None:
    with_ecn(d)
    d.write(3000)
    d.wait(SOON)


@dialogue
def marked_data(d: Dialogue) -> None:
    """It is told until the peer says that it has heard."""
    with_ecn(d)
    d.send("A", 1, 1, 1448, tos=2)
    d.send("A", 1449, 1, 1448, tos=3)
    d.wait(0.1)
    d.send("A", 2897, 1, 1448, tos=2)
    d.send("A", 4345, 1, 1448, tos=2)
    d.wait(0.1)
    d.send("CA", 5793, 1, 1448, tos=2)
    d.send("A", 7241, 1, 1448, tos=2)
    d.wait(0.1)


@dialogue
def told_of_congestion(d: Dialogue) -> None:
    with_ecn(d)
    d.write(4 * 1448)
    d.wait(SOON)
    d.send("EA", 1, 1 + 4 * 1448)
    d.wait(SOON)
    d.write(2 * 1448)
    d.wait(SOON)
    d.send("A", 1, 1 + 6 * 1448)
    d.write(1448)
    d.wait(SOON)


# Ends (RFC 9293 3.6, 6191)


@dialogue
def the_peer_closes_first(d: Dialogue) -> None:
    handshake(d)
    d.send("FA", 1, 1)
    d.wait(0.1)
    d.write(100)
    d.wait(SOON)
    d.send("A", 2, 101)
    d.wait(SOON)
    d.close()
    d.wait(SOON)
    d.send("A", 2, 102)
    d.wait(0.3)


@dialogue
def we_close_first(d: Dialogue) -> None:
    handshake(d)
    d.close()
    d.wait(SOON)
    d.send("A", 1, 2)
    d.wait(SOON)
    d.send("FA", 1, 2)
    d.wait(SOON)
    d.send("FA", 1, 2)
    d.wait(SOON)


@dialogue
def a_simultaneous_close(d: Dialogue) -> None:
    handshake(d)
    d.close()
    d.wait(SOON)
    d.send("FA", 1, 1)
    d.wait(SOON)
    d.send("A", 2, 2)
    d.wait(0.3)


@dialogue
def a_fin_with_data(d: Dialogue) -> None:
    handshake(d)
    d.send("FPA", 1, 1, 100)
    d.wait(0.1)
    d.note(f"read {d.read()}")


@dialogue
def a_fin_before_its_data(d: Dialogue) -> None:
    handshake(d)
    d.send("FA", 101, 1)
    d.wait(SOON)
    d.send("A", 1, 1, 100)
    d.wait(SOON)
    d.note(f"read {d.read()}")


@dialogue
def half_closed(d: Dialogue) -> None:
    handshake(d)
    d.shutdown()
    d.wait(SOON)
    d.send("A", 1, 2, 100)
    d.wait(0.1)
    d.note(f"read {d.read()}")


@dialogue
def closed_with_data_unread(d: Dialogue) -> None:
    handshake(d)
    d.send("A", 1, 1, 100)
    d.wait(0.1)
    d.close()
    d.wait(SOON)


@dialogue
def data_when_all_is_closed(d: Dialogue) -> None:
    handshake(d)
    d.close()
    d.wait(SOON)
    d.send("A", 1, 2, 100)
    d.wait(SOON)


@dialogue
def closed_without_lingering(d: Dialogue) -> None:
    handshake(d)
    d.set_linger()
    d.write(100)
    d.wait(SOON)
    d.close()
    d.wait(SOON)


@dialogue
def a_fin_that_nobody_acknowledges(d: Dialogue) -> None:
    handshake(d)
    d.write(100)
    d.close()
    d.wait(1.2)


def time_wait(d: Dialogue) -> None:
    """The subject has closed first, and waits."""
    handshake(d, modern=True)
    d.close()
    d.wait(SOON)
    d.send("FA", 1, 2)
    d.wait(SOON)


@dialogue
def a_new_connection_in_time_wait(d: Dialogue) -> None:
    time_wait(d)
    d.send("S", 1000, **MODERN)
    d.wait(SOON)


@dialogue
def an_old_timestamp_in_time_wait(d: Dialogue) -> None:
    time_wait(d)
    d.send("S", 1000, age=5000, **MODERN)
    d.wait(SOON)


@dialogue
def a_lower_number_in_time_wait(d: Dialogue) -> None:
    time_wait(d)
    d.send("S", -1000, age=5000, **MODERN)
    d.wait(SOON)


@dialogue
def a_reset_in_time_wait(d: Dialogue) -> None:
    time_wait(d)
    d.send("R", 2)
    d.wait(SOON)
    d.send("FA", 1, 2)
    d.wait(SOON)


# ICMP (RFC 5927, 1122, 1191)


@dialogue
def port_unreachable_for_a_syn(d: Dialogue) -> None:
    d.connect()
    d.wait(SOON)
    d.send_error(3, 3, 0)
    d.wait(0.1)
    d.note(d.error())


@dialogue
def host_unreachable_in_a_connection(d: Dialogue) -> None:
    handshake(d)
    d.write(100)
    d.wait(SOON)
    d.send_error(3, 1, 1)
    d.wait(0.1)
    d.send("A", 1, 101, 10)
    d.wait(0.1)


@dialogue
def fragmentation_needed(d: Dialogue) -> None:
    handshake(d)
    d.write(1460)
    d.wait(SOON)
    d.send_error(3, 4, 1, mtu=1000)
    d.wait(0.1)


@dialogue
def an_echo_of_some_service(d: Dialogue) -> None:
    request = icmp.echo(icmp.ECHO_REQUEST, 5, 6, b"data").pack()
    d.send_packet(ipv4.PROTOCOL_ICMP, request, tos=0x28)
    d.wait(SOON)


@dialogue
def what_time_it_is(d: Dialogue) -> None:
    d.send_packet(ipv4.PROTOCOL_ICMP, icmp.IcmpMessage(13, 0, 0x00050006, bytes(12)).pack())
    d.wait(SOON)


@dialogue
def an_unknown_protocol(d: Dialogue) -> None:
    d.send_packet(200, b"what")
    d.wait(SOON)
