"""What a number should be: `x`, `x ± y`, `< x`, `<= x`, `> x` or `>= x`, with units.

`+-` may stand for `±`, and what a number may be off by may be a percentage of it:
`100mbit ± 5%`. Durations are ns, rates bit/s, sizes bytes, percentages 0..1, counts plain.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from netsim.core.errors import UnitError
from netsim.core.units import (
    format_duration,
    format_percentage,
    format_rate,
    parse_duration,
    parse_percentage,
    parse_rate,
)

_COMPARISON: Final = re.compile(r"\s*(<=|>=|<|>)?\s*(.*?)\s*", re.DOTALL)
_TOLERANCE: Final = re.compile(r"±|\+-|\+/-")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ROUNDING: Final = 1e-9
"""Relative error that floating point may add; it decides nothing."""
_DIGITS: Final = 4
"""Significant digits of what was seen."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind of number: how it is written and read."""

    name: str
    example: str
    parse: Callable[[object], float]
    write: Callable[[float], str]


def _parse_count(text: object) -> int:
    """A whole number from 0."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    raise ValueError(f"`{text}` is not a whole number; write for example `200`")


def _write_duration(ns: float) -> str:
    return format_duration(round(ns))


def _write_rate(bits_per_second: float) -> str:
    return format_rate(round(bits_per_second))


def _write_count(number: float) -> str:
    return f"{number:g}"


DURATION: Final = Quantity("duration", "5.6ms ± 0.3ms", parse_duration, _write_duration)
RATE: Final = Quantity("rate", ">= 80mbit", parse_rate, _write_rate)
PERCENTAGE: Final = Quantity("percentage", "<= 5%", parse_percentage, format_percentage)
COUNT: Final = Quantity("count", "200", _parse_count, _write_count)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A checked expectation of one number."""

    quantity: Quantity
    comparison: str
    """`<`, `<=`, `>`, `>=`; empty for a number that is met within `tolerance`."""
    value: float
    tolerance: float
    text: str
    """As it was written."""

    def holds(self, seen: float) -> bool:
        """Whether `seen`, in the quantity's base unit, is what was expected."""
        slack = abs(self.value) * _ROUNDING
        if not self.comparison:
            return abs(seen - self.value) <= self.tolerance + slack
        # A bound that is met exactly must not be missed by rounding, nor the other way.
        near = self.value if abs(seen - self.value) <= slack else seen
        return _OPERATORS[self.comparison](near, self.value)

    def show(self, seen: float) -> str:
        """`seen` with its unit: rounded, unless rounding would change whether it holds."""
        rounded = float(f"{seen:.{_DIGITS}g}")
        honest = self.holds(rounded) == self.holds(seen)
        return self.quantity.write(rounded if honest else seen)


def parse_expectation(written: object, quantity: Quantity) -> Expectation:
    """The expectation in `written`; ValueError says what to write instead."""
    if isinstance(written, bool) or not isinstance(written, (str, int, float)):
        raise ValueError(f"this is no {quantity.name}; {_hint(quantity)}")
    text = str(written)
    match = _COMPARISON.fullmatch(text)
    assert match is not None  # everything in it is optional
    comparison = match[1] or ""
    parts = _TOLERANCE.split(match[2])
    if len(parts) > 2:
        raise ValueError(f"`{text}` has two tolerances; {_hint(quantity)}")
    if len(parts) == 2 and comparison:
        raise ValueError(f"`{text}` has a comparison and a tolerance; write one of them")
    value = _parse(parts[0].strip(), text, quantity)
    tolerance = _tolerance(parts[1].strip(), value, text, quantity) if len(parts) == 2 else 0
    return Expectation(quantity, comparison, value, tolerance, " ".join(text.split()))


def _tolerance(written: str, value: float, text: str, quantity: Quantity) -> float:
    if written.endswith("%") and quantity is not PERCENTAGE:
        return value * parse_percentage(written)
    return _parse(written, text, quantity)


def _parse(written: str, text: str, quantity: Quantity) -> float:
    if not written:
        raise ValueError(f"a number is missing in `{text[:40]}`; {_hint(quantity)}")
    try:
        return quantity.parse(written)
    except UnitError as error:
        raise ValueError(str(error)) from None


def _hint(quantity: Quantity) -> str:
    return f"write a {quantity.name}, for example `{quantity.example}`"
