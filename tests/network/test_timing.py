"""Whether timing can be trusted: from counters to words, and from when to when they count."""

from __future__ import annotations

import pytest

from netsim.core.time import MILLISECOND
from netsim.network.timing import FEW, VERY_LATE, Timing, TimingWatches
from netsim.observe.late import Late


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (
            {"r1": Late(frames=9_000, max_ns=94_400_000), "s1": Late(frames=4_594, max_ns=1)},
            "13,594 frames up to 94 ms late, at r1 (9,000), s1 (4,594)",
        ),
        ({"web": Late(timers=1, max_ns=VERY_LATE)}, "1 timer 40 ms late, at web"),
        (
            {"web": Late(frames=1, timers=2, max_ns=VERY_LATE)},
            "1 frame and 2 timers up to 40 ms late, at web",
        ),
        ({"s1": Late(lost=1)}, "1 frame lost between processes, at s1"),
        (
            {"s1": Late(frames=FEW, lost=3, max_ns=21_000_000)},
            f"{FEW} frames up to 21 ms late, 3 frames lost between processes, at s1",
        ),
        (
            {f"n{number}": Late(frames=number, max_ns=VERY_LATE) for number in range(1, 6)},
            "15 frames up to 40 ms late, at n5 (5), n4 (4), n3 (3) and 2 more nodes",
        ),
        (
            {name: Late(frames=5, max_ns=VERY_LATE) for name in "dcba"},
            "20 frames up to 40 ms late, at a (5), b (5), c (5) and 1 more node",
        ),
    ],
)
def test_what_cannot_be_trusted_is_said_in_words(nodes: dict[str, Late], text: str) -> None:
    timing = Timing(nodes)
    assert timing.text == f"timing cannot be trusted: {text}"
    assert not timing.trusted
    assert timing.as_dict()["text"] == timing.text


def test_a_busy_machine_that_is_well_is_no_word_worth() -> None:
    a_few = Timing({"r1": Late(frames=FEW - 2, timers=1, max_ns=VERY_LATE - 1)})
    assert (a_few.trusted, a_few.text) == (True, "")
    assert a_few.as_dict() == {
        "trusted": True,
        "text": "",
        "late_frames": FEW - 2,
        "late_timers": 1,
        "lost_frames": 0,
        "max_late_ms": (VERY_LATE - 1) / MILLISECOND,
        "last_late_ns": 0,
        "nodes": [
            {
                "node": "r1",
                "late_frames": FEW - 2,
                "late_timers": 1,
                "lost_frames": 0,
                "max_late_ms": (VERY_LATE - 1) / MILLISECOND,
                "last_late_ns": 0,
            }
        ],
    }
    assert Timing().trusted


def test_each_watch_sees_what_happens_while_it_lasts() -> None:
    news: dict[str, Late] = {}

    def take() -> dict[str, Late]:
        taken = dict(news)
        news.clear()
        return taken

    watches = TimingWatches(take)
    news["a"] = Late(frames=1, max_ns=7, last_ns=70)
    with watches.watching() as outer:
        news["a"] = Late(frames=2, max_ns=5, last_ns=90)
        with watches.watching() as inner:
            news["b"] = Late(timers=4, max_ns=3, last_ns=95)
            assert inner.timing == Timing({"b": Late(timers=4, max_ns=3, last_ns=95)})
        news["a"] = Late(frames=8, max_ns=6, last_ns=99)
    news["a"] = Late(frames=100)
    assert inner.timing == Timing({"b": Late(timers=4, max_ns=3, last_ns=95)})
    both = {"a": Late(frames=10, max_ns=6, last_ns=99), "b": Late(timers=4, max_ns=3, last_ns=95)}
    assert outer.timing == Timing(both)
    assert watches.since_start.timing.total == Late(111, 4, 0, 7, 99)
