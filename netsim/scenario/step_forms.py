"""How the words of a scenario file look in JSON Schema, beside those that topology files share."""

from __future__ import annotations

from typing import Final

from netsim.core.units import DURATION_UNITS, RATE_UNITS, quantity_pattern
from netsim.topology.forms import NAME, Form, either, text, whole

_COUNT_PATTERN: Final = "[0-9]{1,18}"
_PERCENTAGE_PATTERN: Final = r"[0-9]{1,18}(\.[0-9]{1,18})? ?%"


def _expected(number: str, *examples: str) -> Form:
    """A number, compared or with a tolerance."""
    tolerance = rf"(±|\+-|\+/-) ?({number}|{_PERCENTAGE_PATTERN})"
    return text(f"(((<=|>=|<|>) ?)?{number}|{number} ?{tolerance})", *examples)


EXPECTED_DURATION: Final = _expected(quantity_pattern(DURATION_UNITS), "5.6ms ± 0.3ms", "< 50ms")
EXPECTED_RATE: Final = _expected(quantity_pattern(RATE_UNITS), ">= 80mbit", "10mbit ± 5%")
EXPECTED_PERCENTAGE: Final = _expected(_PERCENTAGE_PATTERN, "0%", "<= 5%", "5% ± 2%")
EXPECTED_STATUS: Final = either(whole(0), _expected(_COUNT_PATTERN, "< 500"))

SCENARIO_NAME: Final = {
    "type": "string",
    "minLength": 1,
    "examples": ["the uplink fails and nobody notices"],
}
FILE: Final = {"type": "string", "minLength": 1}
TEXT: Final = {"type": ["string", "integer", "number", "boolean"]}
URL: Final = text(r"https?://[^\s/]+(/\S*)?", "http://web/ip")
METHOD: Final = text("[A-Za-z]+", "GET", "POST")
COUNT: Final = whole(1, 1_000_000)
HOST: Final = either(NAME, text(r"[a-z0-9.-]+", "web.campus.test", "10.0.3.10"))
NODE_LIST: Final = {"type": "array", "items": NAME}
GROUPS: Final = {
    "type": "array",
    "items": {"type": "array", "items": NAME, "minItems": 1},
    "minItems": 2,
    "maxItems": 2,
    "examples": [[["alice", "bob"], ["web"]]],
}
A_RECORD: Final = either({"const": "none"}, text(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", "10.0.3.10"))
REPAIR: Final[Form] = {"const": "repair"}
