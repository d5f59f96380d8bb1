"""How fast data goes over the reference path, beside Linux 6.18 and ns-3.44 on the same.

`scripts/bench fidelity` measures all cells, with more seeds; docs/fidelity.md shows them.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, median

import pytest
from reference_path import Transfer, get, path

from netsim.core.time import MILLISECOND, SECOND

CELLS = json.loads((Path(__file__).parents[2] / "scripts" / "fidelity_reference.json").read_text())[
    "cells"
]


def cell_of(mbit: float, loss: float) -> dict[str, dict[str, float]]:
    """What the others did, by congestion control."""
    cell: dict[str, dict[str, float]] = next(
        each for each in CELLS if (each["mbit"], each["loss"]) == (mbit, loss)
    )
    return cell


@pytest.mark.parametrize("congestion", ["cubic", "reno"])
def test_a_full_queue_holds_up_as_long_as_that_of_linux(congestion: str) -> None:
    connection = Transfer(path(congestion, 10))
    connection.run(5 * SECOND)
    arrived, seen = 0, []
    for _ in range(14):  # two waves of Reno
        arrived += connection.run(SECOND)
        seen.append(connection.view().smoothed_rtt_ns / MILLISECOND)
    cell = cell_of(10, 0)
    assert mean(seen) == pytest.approx(cell["linux_rtt_ms"][congestion], rel=0.1)
    assert arrived * 8 / 14e6 == pytest.approx(cell[congestion]["linux"], rel=0.02)


@pytest.mark.parametrize(("congestion", "mbit", "loss"), [("cubic", 100, 2), ("reno", 10, 5)])
def test_goodput_under_loss_is_within_that_of_the_others(
    congestion: str, mbit: float, loss: float
) -> None:
    seen = []
    for seed in range(1, 6):
        connection = Transfer(path(congestion, mbit, loss=loss, seed=seed))
        connection.run(2 * SECOND)
        seen.append(connection.run(10 * SECOND) * 8 / 10e6)
    others = cell_of(mbit, loss)[congestion].values()
    assert 0.9 * min(others) <= median(seen) <= 1.1 * max(others), seen


@pytest.mark.parametrize(
    ("congestion", "mbit", "octets", "linux_ms"),
    [
        ("cubic", 10, 1_000, 43.1),
        ("cubic", 10, 102_400, 135),
        ("cubic", 10, 1_000_000, 888),
        ("cubic", 100, 10_000, 42.6),
        ("cubic", 100, 102_400, 103.6),
        ("cubic", 100, 1_000_000, 190),
        ("reno", 100, 1_000_000, 209),
    ],
)
def test_an_answer_takes_as_long_as_from_linux(
    congestion: str, mbit: float, octets: int, linux_ms: float
) -> None:
    elapsed, _ = get(path(congestion, mbit), octets)
    assert elapsed == pytest.approx(linux_ms, rel=0.05)


@pytest.mark.parametrize("congestion", ["cubic", "reno"])
@pytest.mark.parametrize("octets", range(800_000, 1_200_001, 100_000))
def test_what_slow_start_loses_is_mended_without_the_timer(congestion: str, octets: int) -> None:
    """RFC 6675's NextSeg (3) is for this; RACK does without."""
    _, counters = get(path(congestion, 100), octets)
    assert counters.timeouts == 0


@pytest.mark.parametrize("mbit", [10, 20])
@pytest.mark.parametrize("rtt_ms", [10, 40])
@pytest.mark.parametrize("queue", [20, 100])
def test_a_full_queue_is_mended_without_the_timer(mbit: float, rtt_ms: float, queue: int) -> None:
    """No size is chosen at whose end a retransmission is lost as well: nothing follows that could
    tell of it."""
    _, counters = get(path("reno", mbit, rtt_ms=rtt_ms, queue=queue), 2_100_000)
    assert counters.timeouts == 0
