from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.core.errors import InvalidValueError, NetsimError, UnitError
from netsim.core.units import (
    check_seconds,
    format_duration,
    format_percentage,
    format_rate,
    format_size,
    parse_duration,
    parse_percentage,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("500ns", 500),
        ("250us", 250_000),
        ("10ms", 10_000_000),
        ("1.5s", 1_500_000_000),
        ("2min", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0ms", 0),
        ("0.1us", 100),
        ("10 ms", 10_000_000),
        ("10MS", 10_000_000),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("9600bit", 9600),
        ("56kbit", 56_000),
        ("100Mbit", 10**8),
        ("1gbit", 10**9),
        ("2.5gbit", 25 * 10**8),
    ],
)
def test_rates(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "size"),
    [("1500B", 1500), ("1MB", 10**6), ("64KiB", 65536), ("20MiB", 20 * 2**20), ("1.5kB", 1500)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "probability"), [("0.5%", 0.005), ("0%", 0.0), ("100%", 1.0), ("20%", 0.2)]
)
def test_percentages(text: str, probability: float) -> None:
    assert parse_percentage(text) == probability


@pytest.mark.parametrize(
    ("parse", "wrong", "words"),
    [
        (parse_duration, 10, ["`10` has no unit", "ns, us, ms, s, min or h", "`10ms`"]),
        (parse_duration, "10", ["`10` has no unit"]),
        (parse_duration, "-5ms", ["`-5ms` is not a duration"]),
        (parse_duration, -5, ["negative"]),
        (parse_duration, "10m", ["`m` is not a unit of a duration", "min"]),
        (parse_duration, "fast", ["`fast` is not a duration"]),
        (parse_duration, "1.5ns", ["not a whole number of ns"]),
        (parse_duration, "1e3ms", ["not a duration"]),
        (parse_duration, True, ["not a duration"]),
        (parse_duration, None, ["not a duration"]),
        (parse_duration, "9" * 30 + "s", ["has more digits than netsim can count"]),
        (parse_rate, 100, ["bit, kbit, mbit, gbit or tbit"]),
        (parse_rate, "100mbps", ["`mbps` is not a unit of a rate"]),
        (parse_rate, "0.5bit", ["not a whole number of bit"]),
        (parse_size, 64, ["B, kB, KiB, MB, MiB, GB or GiB"]),
        (parse_percentage, 0.5, ["`0.5` has no unit", "in %", "`0.5%`"]),
        (parse_percentage, "101%", ["more than 100%"]),
        (parse_percentage, "100.1%", ["more than 100%"]),
    ],
)
def test_what_is_refused_names_the_units(
    parse: Callable[[object], float], wrong: object, words: list[str]
) -> None:
    with pytest.raises(UnitError) as caught:
        parse(wrong)
    assert isinstance(caught.value, NetsimError)
    assert isinstance(caught.value, ValueError)
    for word in words:
        assert word in str(caught.value)


def test_formats_are_what_a_person_writes() -> None:
    assert [
        format_duration(ns) for ns in (0, 500, 250_000, 1_500_000, 90 * 10**9, 120 * 10**9)
    ] == [
        "0s",
        "500ns",
        "250us",
        "1.5ms",
        "90s",
        "2min",
    ]
    assert [format_rate(rate) for rate in (0, 9600, 10**8, 10**9)] == [
        "0bit",
        "9.6kbit",
        "100mbit",
        "1gbit",
    ]
    assert [format_size(size) for size in (0, 1500, 65536, 10**6)] == [
        "0B",
        "1500B",
        "64KiB",
        "1MB",
    ]
    assert [format_percentage(p) for p in (0.0, 0.005, 1.0, 1e-7)] == [
        "0%",
        "0.5%",
        "100%",
        "0.00001%",
    ]


@given(st.integers(0, 10**17))
def test_whole_quantities_survive_a_round_trip(value: int) -> None:
    assert parse_duration(format_duration(value)) == value
    assert parse_rate(format_rate(value)) == value
    assert parse_size(format_size(value)) == value


@given(st.integers(0, 10**12))
def test_percentages_survive_a_round_trip(parts: int) -> None:
    probability = parts / 10**12
    assert parse_percentage(format_percentage(probability)) == probability


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("2s", "write 2$"),
        ("150ms", "write 0.15$"),
        ("2.5", "write 2.5$"),
        ("soon", "for example 2.0"),
    ],
)
def test_seconds_are_a_number(written: str, instead: str) -> None:
    check_seconds(timeout=2, interval=0.5)
    wrong: Any = written
    with pytest.raises(
        UnitError, match=f"timeout='{written}' is no number of seconds; .*{instead}"
    ):
        check_seconds(timeout=wrong)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_seconds_are_more_than_none(seconds: float) -> None:
    with pytest.raises(InvalidValueError, match=f"interval={seconds} cannot be; write a number"):
        check_seconds(interval=seconds)
