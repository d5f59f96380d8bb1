"""What ping prints, word for word."""

from __future__ import annotations

import pytest

from netsim.tools.ping_report import Failure, Reply, Report, failure_text, reply_line
from netsim.wire.icmp import IcmpMessage

WEB = bytes([10, 0, 3, 10])


def reply(sequence: int, rtt_ns: int, *, is_duplicate: bool = False) -> Reply:
    return Reply(sequence, WEB, 62, 64, rtt_ns, rtt_ns + 5, is_duplicate, arrived_at=0)


@pytest.mark.parametrize(
    ("rtt_ns", "text"),
    [
        (1_000, "0.001"),
        (999_999, "0.999"),
        (1_000_000, "1.00"),
        (5_604_999, "5.60"),
        (5_605_000, "5.61"),
        (9_994_000, "9.99"),
        (9_995_000, "10.0"),
        (12_345_000, "12.3"),
        (99_949_000, "99.9"),
        (99_950_000, "100"),
        (1_234_567_000, "1235"),
    ],
)
def test_times_have_three_digits(rtt_ns: int, text: str) -> None:
    line = f"64 bytes from web (10.0.3.10): icmp_seq=1 ttl=62 time={text} ms"
    assert reply_line(reply(1, rtt_ns), "web (10.0.3.10)") == line


def test_duplicates_are_marked() -> None:
    line = reply_line(reply(2, 1_000_000, is_duplicate=True), "10.0.3.10")
    assert line == "64 bytes from 10.0.3.10: icmp_seq=2 ttl=62 time=1.00 ms (DUP!)"


@pytest.mark.parametrize(
    ("kind", "code", "rest", "text"),
    [
        (3, 0, 0, "Destination Net Unreachable"),
        (3, 1, 0, "Destination Host Unreachable"),
        (3, 3, 0, "Destination Port Unreachable"),
        (3, 4, 1400, "Frag needed and DF set (mtu = 1400)"),
        (3, 13, 0, "Packet filtered"),
        (3, 99, 0, "Dest Unreachable, Bad Code: 99"),
        (11, 0, 0, "Time to live exceeded"),
        (11, 1, 0, "Frag reassembly time exceeded"),
        (12, 0, 20 << 24, "Parameter problem: pointer = 20"),
        (42, 0, 0, "Bad ICMP type: 42"),
    ],
)
def test_errors_in_words(kind: int, code: int, rest: int, text: str) -> None:
    assert failure_text(IcmpMessage(kind, code, rest, b"")) == text


def test_statistics_of_a_mixed_run() -> None:
    report = Report("web", WEB, 56, transmitted=6, duplicates=1, started=10**9, ended=6 * 10**9)
    report.replies = [
        reply(1, 1_000_000),
        reply(1, 3_000_000, is_duplicate=True),
        reply(2, 2_000_000),
    ]
    report.failures = [Failure(3, WEB, "Time to live exceeded")]
    assert report.heading() == "PING web (10.0.3.10) 56(84) bytes of data."
    assert report.statistics() == [
        "",
        "--- web ping statistics ---",
        "6 packets transmitted, 2 received, +1 duplicates, +1 errors, 66.6667% packet loss, "
        "time 5000ms",
        "rtt min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms",
    ]


def test_statistics_without_a_reply_have_no_times() -> None:
    report = Report("web", WEB, 56, transmitted=1)
    assert report.statistics()[2:] == [
        "1 packets transmitted, 0 received, 100% packet loss, time 0ms",
        "",
    ]
    assert report.document()["rtt_ms"] is None


def test_statistics_before_anything_was_sent() -> None:
    assert Report("web", WEB, 56).loss_percent == 0
