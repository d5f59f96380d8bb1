"""Units as people write them: `10ms`, `100mbit`, `0.5%`, `64KiB`.

Quantities are integers inside netsim (nanoseconds, bit/s, bytes) and probabilities are floats
from 0 to 1. A unit is always written out; a bare number is an error that names the units. Unit
words are tc's (`tc(8)`, "PARAMETERS"), in any case: rates are decimal (1 kbit = 1000 bit), sizes
are decimal with B (kB, MB, GB) and binary with iB (KiB, MiB, GiB: IEC 80000-13).

Every `format_…` gives text that its `parse_…` turns back into the same number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from netsim.core.errors import InvalidValueError, UnitError

if TYPE_CHECKING:
    from decimal import Decimal  # 3 ms in every node, of which few write a number

_DURATIONS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_RATES: Final = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9, "tbit": 10**12}
_SIZES: Final = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}

DURATION_UNITS: Final = tuple(_DURATIONS)
RATE_UNITS: Final = tuple(_RATES)
SIZE_UNITS: Final = tuple(_SIZES)

LARGEST: Final = 10**18
"""In ns (31 years), bit/s and bytes."""
# The bound on digits keeps hostile text from making huge integers.
_QUANTITY: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))? ?([^\W0-9_]+|%)", re.ASCII)
_TOO_LONG: Final = re.compile(r"[0-9]+(\.[0-9]+)? ?([^\W0-9_]+|%)", re.ASCII)
"""As a quantity, with more digits."""
_NUMBER: Final = re.compile(r"[-+]?[0-9]*\.?[0-9]+")


def parse_duration(text: object) -> int:
    """Nanoseconds in `text` ("250us", "1.5s", "2min"). Raises `UnitError`."""
    return _parse(text, "duration", _DURATIONS, "10ms")


def check_seconds(**times: float) -> None:
    """Of arguments that are seconds, as in asyncio. UnitError for what is no number, such as "2s";
    InvalidValueError for what is not more than 0, or has no end."""
    for name, value in times.items():
        if isinstance(value, (str, bytes, bool)) or not hasattr(value, "__float__"):
            raise UnitError(f"{name}={value!r} is no number of seconds; write {_in_seconds(value)}")
        if not 0 < value < float("inf"):
            raise InvalidValueError(
                f"{name}={value:g} cannot be; write a number above 0, in seconds"
            )


def _in_seconds(value: object) -> str:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return value
    try:
        return f"{parse_duration(value) / _DURATIONS['s']:g}"
    except UnitError:
        return "for example 2.0"


def parse_rate(text: object) -> int:
    """bit/s in `text` ("100mbit", "56kbit"). Raises `UnitError`."""
    return _parse(text, "rate", _RATES, "100mbit")


def parse_size(text: object) -> int:
    """Bytes in `text` ("64KiB", "1500B", "1MB"). Raises `UnitError`."""
    return _parse(text, "size", _SIZES, "64KiB")


def parse_percentage(text: object) -> float:
    """The probability 0..1 in `text` ("0.5%" is 0.005). Raises `UnitError`."""
    number, scale, _ = _split(text, "percentage", {"%": 1}, "0.5%")
    if number > 100 * scale:
        raise UnitError(f"`{text}` is more than 100%; write a percentage from 0% to 100%")
    return number / (100 * scale)


def format_duration(ns: int) -> str:
    """`ns` in the largest unit that writes it exactly: "1.5ms", "90s", "2min"."""
    if ns and ns % _DURATIONS["h"] == 0:
        return f"{ns // _DURATIONS['h']}h"
    if ns and ns % _DURATIONS["min"] == 0:
        return f"{ns // _DURATIONS['min']}min"
    return _format_decimal(ns, {unit: _DURATIONS[unit] for unit in ("s", "ms", "us", "ns")}, "s")


def format_moment(ns: int) -> str:
    """A time in a report: at most milliseconds where there are seconds, else microseconds."""
    return format_duration(round(ns, -6) if ns >= _DURATIONS["s"] else round(ns, -3))


def format_rate(bits_per_second: int) -> str:
    """`bits_per_second` in the largest unit that leaves at least one: "1gbit", "1.5mbit"."""
    return _format_decimal(bits_per_second, _RATES, "bit")


def format_size(size: int) -> str:
    """`size` in bytes, in the largest unit of which it is a whole number: "64KiB", "1500B"."""
    for unit in ("GiB", "MiB", "KiB", "GB", "MB", "kB"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit}"
    return f"{size}B"


def format_percentage(probability: float) -> str:
    """`probability` 0..1 as a percentage: 0.005 is "0.5%"."""
    from decimal import Decimal

    return f"{_plain(Decimal(repr(float(probability))) * 100)}%"


def _parse(text: object, what: str, units: Mapping[str, int], example: str) -> int:
    number, scale, unit = _split(text, what, units, example)
    value, rest = divmod(number * unit, scale)
    if rest:
        smallest = next(iter(units))
        raise UnitError(f"`{text}` is not a whole number of {smallest}; round it")
    if value > LARGEST:
        raise UnitError(f"`{text}` is more than netsim can count; {_choice(what, units, example)}")
    return value


def _split(text: object, what: str, units: Mapping[str, int], example: str) -> tuple[int, int, int]:
    """`text` as (number without its point, what to divide it by, size of the unit)."""
    choice = _choice(what, units, example)
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UnitError(f"this is not a {what}; {choice}")
    written = str(text).strip()
    match = _QUANTITY.fullmatch(written)
    if match is None:
        if _TOO_LONG.fullmatch(written):
            raise UnitError(f"`{written[:40]}` has more digits than netsim can count; {choice}")
        if not _NUMBER.fullmatch(written):
            raise UnitError(f"`{written[:40]}` is not a {what}; {choice}")
        if written.startswith("-"):
            raise UnitError(f"`{written}` is negative; {choice}")
        raise UnitError(f"`{written[:40]}` has no unit; {choice}")
    whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
    for known, size in units.items():
        if known.casefold() == unit.casefold():
            return int(whole + fraction), int("1" + "0" * len(fraction)), size
    raise UnitError(f"`{unit}` is not a unit of a {what}; {choice}")


def _choice(what: str, units: Mapping[str, int], example: str) -> str:
    return f"write a {what} in {_one_of(list(units))}, for example `{example}`"


def _one_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _format_decimal(value: int, units: Mapping[str, int], zero: str) -> str:
    from decimal import Decimal

    for unit, size in sorted(units.items(), key=lambda entry: -entry[1]):
        if value >= size:
            return f"{_plain(Decimal(value) / size)}{unit}"
    return f"{value}{zero}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# Kinds of quantities --------------------------------------------------------------------------


def parse_boolean(written: object) -> bool:
    """`true` or `false`."""
    if isinstance(written, bool):
        return written
    raise UnitError(f"`{written}` is neither true nor false; write `true` or `false`")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind of value that people write."""

    metavar: str
    """On a command line: `TIME`."""
    parse: Callable[[object], Any]
    """From what is written; `UnitError` says what to write."""
    format: Callable[[Any], Any]
    """To what is written; None where nothing is limited."""
    form: dict[str, Any]
    """In JSON Schema: what can be written, as far as a pattern can say."""


def quantity_pattern(units: Iterable[str]) -> str:
    """A number and one of `units` in any case, as a pattern of ECMA 262."""
    words = "|".join(
        "".join(f"[{letter.lower()}{letter.upper()}]" for letter in unit) for unit in units
    )
    return rf"[0-9]{{1,18}}(\.[0-9]{{1,18}})? ?({words})"


def _form(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$", "examples": list(examples)}


DURATION: Final = Quantity(
    "TIME",
    parse_duration,
    format_duration,
    _form(quantity_pattern(DURATION_UNITS), "10ms", "250us", "1.5s"),
)
BOOLEAN: Final = Quantity("BOOL", parse_boolean, bool, {"type": "boolean"})
RATE: Final = Quantity(
    "RATE", parse_rate, format_rate, _form(quantity_pattern(RATE_UNITS), "100mbit", "1gbit")
)
SIZE: Final = Quantity(
    "SIZE", parse_size, format_size, _form(quantity_pattern(SIZE_UNITS), "64KiB", "256KiB")
)
PERCENTAGE: Final = Quantity(
    "PERCENT",
    parse_percentage,
    format_percentage,
    _form(r"(0*100(\.0{1,18})?|0*[0-9]{1,2}(\.[0-9]{1,18})?) ?%", "0.5%", "1%", "20%"),
)
