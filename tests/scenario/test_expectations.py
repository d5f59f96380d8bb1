"""Numbers with units, tolerances and comparisons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.scenario.expectation import (
    COUNT,
    DURATION,
    PERCENTAGE,
    RATE,
    Quantity,
    parse_expectation,
)

MS = 1_000_000

HOLDS: list[tuple[str | int, Quantity, list[float], list[float]]] = [
    (200, COUNT, [200], [199, 201, 404]),
    ("200", COUNT, [200], [201]),
    ("< 500", COUNT, [0, 499], [500, 503]),
    (">=400", COUNT, [400, 500], [399]),
    ("5.6ms", DURATION, [5.6 * MS], [5.6 * MS + 1, 5.5 * MS]),
    ("5.6ms ± 0.3ms", DURATION, [5.3 * MS, 5.6 * MS, 5.9 * MS], [5.2 * MS, 5.9 * MS + 1]),
    ("5.6ms±300us", DURATION, [5.3 * MS, 5.9 * MS], [6 * MS]),
    ("5.6ms +- 0.3ms", DURATION, [5.9 * MS], [6 * MS]),
    ("100ms ± 10%", DURATION, [90 * MS, 110 * MS], [89 * MS, 111 * MS]),
    ("< 50ms", DURATION, [50 * MS - 1], [50 * MS]),
    ("<= 50ms", DURATION, [50 * MS], [50 * MS + 1]),
    ("> 50ms", DURATION, [50 * MS + 1], [50 * MS]),
    (">= 80mbit", RATE, [80e6, 1e9], [79.9e6]),
    ("10mbit ± 5%", RATE, [9.5e6, 10.5e6], [9.4e6, 10.6e6]),
    ("0%", PERCENTAGE, [0.0], [0.01]),
    ("100%", PERCENTAGE, [1.0], [0.99]),
    ("20%", PERCENTAGE, [1 - 4 / 5], [0.25]),
    ("5% ± 2%", PERCENTAGE, [0.03, 0.07], [0.02, 0.08]),
    ("<= 30%", PERCENTAGE, [0.1 + 0.2], [0.31]),
    ("< 30%", PERCENTAGE, [0.29], [0.1 + 0.2]),
]


@pytest.mark.parametrize(("written", "quantity", "good", "bad"), HOLDS)
def test_what_holds(
    written: str | int, quantity: Quantity, good: list[float], bad: list[float]
) -> None:
    expectation = parse_expectation(written, quantity)
    assert [seen for seen in good if not expectation.holds(seen)] == []
    assert [seen for seen in bad if expectation.holds(seen)] == []


@pytest.mark.parametrize(
    ("written", "quantity", "message"),
    [
        ("5.6", DURATION, "`5.6` has no unit; write a duration in ns, us"),
        (50, DURATION, "`50` has no unit"),
        ("5.6mbit", DURATION, "`mbit` is not a unit of a duration"),
        ("5.6ms ± 0.3", DURATION, "`0.3` has no unit"),
        ("5.6ms ± 0.3ms ± 0.1ms", DURATION, "two tolerances; write"),
        ("< 5ms ± 1ms", DURATION, "has a comparison and a tolerance; write one"),
        ("<", DURATION, "a number is missing in `<`; write a duration"),
        ("5ms ±", DURATION, "a number is missing in `5ms ±`"),
        ("", RATE, "a number is missing in ``; write a rate, for example `>= 80mbit`"),
        ("== 5ms", DURATION, "`== 5ms` is not a duration"),
        ("101%", PERCENTAGE, "more than 100%"),
        ("two hundred", COUNT, "is not a whole number; write for example `200`"),
        ("-1", COUNT, "is not a whole number"),
        (True, COUNT, "this is no count; write"),
        (["5ms"], DURATION, "this is no duration; write a duration, for example"),
    ],
)
def test_what_is_no_expectation(written: object, quantity: Quantity, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_expectation(written, quantity)
    assert message in str(caught.value)
    assert ";" in str(caught.value)


def test_what_is_seen_is_rounded_unless_that_would_hide_the_difference() -> None:
    expectation = parse_expectation("5.6ms", DURATION)
    assert expectation.show(7_123_456) == "7.123ms"
    assert expectation.show(5_600_012) == "5.600012ms"
    assert parse_expectation(">= 80mbit", RATE).show(94_123_456) == "94.12mbit"
    assert parse_expectation("0%", PERCENTAGE).show(1 / 3) == "33.33%"
    assert parse_expectation("200", COUNT).show(503) == "503"


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**9))
def test_tolerances_are_symmetric(value: int, seen: int, tolerance: int) -> None:
    expectation = parse_expectation(f"{value}ns ± {tolerance}ns", DURATION)
    assert expectation.holds(seen) == (abs(seen - value) <= tolerance + value * 1e-9)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_is_shown_tells_whether_it_holds(value: int, seen: int) -> None:
    for text in (f"< {value}ns", f">= {value}ns", f"{value}ns"):
        expectation = parse_expectation(text, DURATION)
        shown = DURATION.parse(expectation.show(seen))
        assert expectation.holds(shown) == expectation.holds(seen)
